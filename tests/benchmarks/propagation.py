"""What a frame between keyframes should be given to work with: kinds of propagation on DAVIS.

.venv/bin/python -m tests.benchmarks.propagation --data-root DAVIS --out reports/propagation.md

takes four minutes a row on 2 cores, an hour in all when they are busy. A row is written as soon as
its network is trained; the same command goes on behind the last one, and --only NAME makes one row.
Networks are scored in float, as the kinds that the search does not offer are never converted. The
folded ImageNet weights are looked for beside DAVIS (--weights).

All kinds are MobileNetV2 1.0 cut after block 12, 256 px, 48 decoder channels, logits at stride 8.
What differs is what the propagate path sees beside the keyframe's context, and how it is trained.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.sampling import PairSampler, Prefetcher
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.networks.build import as_input
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.layers import separable
from jejunet_nas.networks.mobilenet_v2 import EXPANSION_AT_STRIDE, backbone
from jejunet_nas.networks.operators import OperatorList
from jejunet_nas.networks.paths import (
    NARROW_DEPTH_MULTIPLIER,
    NARROW_PREFIX,
    _context_head,
    _own_detail,
)
from jejunet_nas.records import DataSplit
from jejunet_nas.resize import resize_frame
from jejunet_nas.scoring.score import combine, score_clip
from jejunet_nas.space.architecture import Network
from jejunet_nas.training.batch_norm import estimate_statistics
from jejunet_nas.training.inherit import inherit
from jejunet_nas.training.losses import cross_entropy
from jejunet_nas.training.optimizer import make_optimizer
from jejunet_nas.training.source import Source, measure_source
from jejunet_nas.training.weights_file import read_weights

INTERVALS = (1, 2, 4, 8, 12)
PAIRS, LEARNING_RATE, PRETRAINED_RATE, LONGEST_AGE = 8, 4e-3, 0.3, 11
PX, CHANNELS, STRIDE, CLASSES, BATCH = 256, 48, 8, 2, 8
GLANCE, GLANCE_TAP = "glance_", 6  # a MobileNetV2 on the frame at half its size, at stride 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of propagation.

    detail: `small` is a branch of inverted residuals without weights of its own to begin with.
    old_detail, old_mask: of the keyframe, as further inputs. glance: width of a backbone that sees
    each propagated frame, small, and corrects the context. taught: by the key path on the same
    frame. longest_age: of the contexts that it is trained with.
    """

    words: str
    detail: str = "thin"
    old_detail: bool = False
    old_mask: bool = False
    glance: float | None = None
    taught: bool = False
    longest_age: int = LONGEST_AGE
    seed: int = 0


KINDS = {
    "thin": Kind(words="thin"),
    "thin-1": Kind(words="thin, another seed", seed=1),
    "narrow": Kind(words="narrow: MobileNetV2 0.35", detail="narrow"),
    "shared": Kind(words="shared with the backbone", detail="shared"),
    "small": Kind(
        words="small branch of its own, and the keyframe's", detail="small", old_detail=True
    ),
    "memory": Kind(words="thin, the keyframe's detail and mask", old_detail=True, old_mask=True),
    "glance": Kind(words="thin, a glance of width 0.5", glance=0.5),
    "glance-1": Kind(words="thin, a glance of width 0.5, another seed", glance=0.5, seed=1),
    "taught": Kind(words="thin, taught by the key path", taught=True),
    "age-7": Kind(words="thin, ages up to 7", longest_age=7),
    "age-3": Kind(words="thin, ages up to 3", longest_age=3),
}
NETWORK = Network(
    depth_multiplier=1.0,
    last_block=12,
    output_stride=16,
    decoder_channels=CHANNELS,
    detail="thin",
    logit_stride=STRIDE,
    input_height=PX,
    input_width=PX,
)


def detail_of(layers: Any, image: Any, kind: Kind) -> Any:
    """Return the fine features of a frame."""
    if kind.detail == "shared":
        tap = EXPANSION_AT_STRIDE[STRIDE]
        return backbone(layers, image, depth_multiplier=1.0, taps={tap})[tap]
    if kind.detail == "small":
        return _small(layers, image)
    return _own_detail(layers, image, dataclasses.replace(NETWORK, detail=kind.detail))  # type: ignore[arg-type]


def _small(layers: Any, image: Any) -> Any:
    x = layers.conv(image, "small_1", 16, kernel=3, stride=2)
    x = layers.depthwise(x, "small_2_depthwise", stride=2)
    x = layers.conv(x, "small_2_project", 16, relu6=False)
    for number, stride in enumerate((2, 1, 1), start=3):
        y = layers.conv(x, f"small_{number}_expand", 48 if stride == 2 else 72)
        y = layers.depthwise(y, f"small_{number}_depthwise", stride=stride)
        y = layers.conv(y, f"small_{number}_project", 24, relu6=False)
        x = y if stride == 2 else layers.add(f"small_{number}_add", x, y)
    return layers.conv(x, "small_top", 96)


def encode(layers: Any, image: Any, kind: Kind) -> tuple[Any, Any]:
    """Return context and detail of a keyframe."""
    tap = NETWORK.last_block + 1
    taps = {tap, EXPANSION_AT_STRIDE[STRIDE]} if kind.detail == "shared" else {tap}
    features = backbone(layers, image, depth_multiplier=1.0, taps=taps, output_stride=16)
    context = _context_head(layers, features[tap], NETWORK)
    if kind.detail == "shared":
        return context, features[EXPANSION_AT_STRIDE[STRIDE]]
    return context, detail_of(layers, image, kind)


def glance_at(layers: Any, image: Any, kind: Kind) -> Any:
    """Return what a narrow backbone sees of a frame at half its height and width."""
    assert kind.glance, kind
    if isinstance(layers, KerasLayers):
        half = tf_keras.layers.AveragePooling2D(2)(image)
    else:  # a bilinear resize to the half is that mean, and what LiteRT would run
        half = layers.upsample((image[0] // 4, image[1] // 4, 3), "half", 2)
    seen = backbone(layers, half, depth_multiplier=kind.glance, taps={GLANCE_TAP}, prefix=GLANCE)[
        GLANCE_TAP
    ]
    return layers.conv(seen, "glance_local", CHANNELS, relu6=False)


def correct(layers: Any, context: Any, seen: Any) -> Any:
    """Return the context brought up to date by a glance."""
    x = layers.concatenate("glance_join", context, seen)
    x = separable(layers, x, "glance_1", CHANNELS)
    x = layers.depthwise(x, "glance_2_depthwise")
    x = layers.conv(x, "glance_2_pointwise", CHANNELS, relu6=False)
    return layers.add("glance_add", context, x, relu6=True)


def decode(layers: Any, context: Any, now: Any, old: Any, mask: Any, kind: Kind) -> Any:
    """Return logits; `old` is the keyframe's detail, `mask` its softmax, where the kind has it."""
    detail = layers.conv(now, "decoder_detail", CHANNELS // 2)
    context = layers.upsample(context, "decoder_upsample", 16 // STRIDE)
    x = layers.concatenate("decoder_join", context, detail)
    if kind.old_detail:
        before = detail if old is now else layers.conv(old, "decoder_detail", CHANNELS // 2)
        x = layers.concatenate("decoder_join_old", x, before)
    x = separable(layers, x, "decoder_1", CHANNELS)
    if mask is not None:
        y = layers.concatenate("mask_join", detail, mask)
        y = layers.depthwise(y, "mask_depthwise")
        y = layers.conv(y, "mask_pointwise", CHANNELS, relu6=False)
        x = layers.add("mask_add", x, y, relu6=True)
    x = separable(layers, x, "decoder_2", CHANNELS)
    return layers.conv(x, "logits", CLASSES, batch_norm=False, relu6=False)


def predicted_ms(kind: Kind) -> tuple[float, float]:
    """Return what key and propagate path take on a Pixel 2, predicted, one big core."""
    profile = load_profile("pixel2")
    key, propagate = OperatorList(), OperatorList()
    context, detail = encode(key, key.quantize((PX, PX, 3)), kind)
    key.class_map(decode(key, context, detail, detail, None, kind), NETWORK)
    image = propagate.quantize((PX, PX, 3))
    now = detail_of(propagate, image, kind)
    if kind.glance:
        context = correct(propagate, context, glance_at(propagate, image, kind))
    fine = PX // STRIDE
    old = (fine, fine, now[2]) if kind.old_detail else now
    mask = (fine, fine, CLASSES) if kind.old_mask else None
    propagate.class_map(decode(propagate, context, now, old, mask, kind), NETWORK)
    both = [profile.predict(each.operators).median_ms for each in (key, propagate)]
    return both[0], both[1]


class Models:
    """The Keras models of one kind, which share their layers."""

    def __init__(self, kind: Kind) -> None:
        tf_keras.backend.clear_session()
        tf_keras.utils.set_random_seed(kind.seed)
        self.kind, self.layers = kind, KerasLayers()
        image = tf_keras.Input((PX, PX, 3))
        context, detail = encode(self.layers, image, kind)
        self.encode = tf_keras.Model(image, [context, detail])
        held, now, old = (tf_keras.Input(x.shape[1:]) for x in (context, detail, detail))
        key = decode(self.layers, held, now, now, None, kind)
        self.key = tf_keras.Model([held, now], key)
        self.detail = tf_keras.Model(image, detail_of(self.layers, image, kind))
        mask = tf_keras.Input(key.shape[1:]) if kind.old_mask else None
        inputs = [held, now, old] + ([mask] if kind.old_mask else [])
        self.propagate = tf_keras.Model(inputs, decode(self.layers, held, now, old, mask, kind))
        self.parts = [self.encode, self.key, self.propagate]
        if kind.glance:
            seen = glance_at(self.layers, image, kind)
            self.glance = tf_keras.Model(image, seen)
            given = tf_keras.Input(seen.shape[1:])
            self.correct = tf_keras.Model([held, given], correct(self.layers, held, given))
            self.parts += [self.glance, self.correct]

    def inherit(self, source: Source) -> set[str]:
        """Set the backbones; return the layers whose weights came whole."""
        whole = inherit(self.layers.by_name, source, 1.0)
        if self.kind.detail == "narrow":
            inherit(self.layers.by_name, source, NARROW_DEPTH_MULTIPLIER, prefix=NARROW_PREFIX)
        if self.kind.glance:
            inherit(self.layers.by_name, source, self.kind.glance, prefix=GLANCE)
        return whole

    def with_weights(self) -> list[Any]:
        """Return all layers that have weights, each once."""
        layers = [layer for part in self.parts for layer in part.layers if layer.weights]
        return list({layer.name: layer for layer in layers}.values())

    def losses(self, frames: Any, context_frames: Any, masks: Any) -> Any:
        """Return the loss of a batch, half of which sees its own context."""
        half = PAIRS // 2
        frames, context_frames = as_input(frames), as_input(context_frames)
        context, old = self.encode(context_frames, training=True)
        now = self.detail(frames, training=True)
        if self.kind.glance:  # what is fresh needs no correction
            seen = self.glance(frames[half:], training=True)
            corrected = self.correct([context[half:], seen], training=True)
            context = tf.concat([context[:half], corrected], 0)
        inputs, loss = [context, now, old], 0.0
        if self.kind.old_mask:
            key = self.key([context, old], training=True)
            inputs.append(tf.stop_gradient(tf.nn.softmax(key)))
            loss += cross_entropy(masks[:half], key[:half])
        logits = self.propagate(inputs, training=True)
        loss += cross_entropy(masks, logits)
        if self.kind.taught:
            fresh = self.encode(frames[half:], training=True)
            key = self.key(fresh, training=True)
            sure = tf.stop_gradient(tf.nn.softmax(key))
            taught = tf.nn.softmax_cross_entropy_with_logits(sure, logits[half:])
            loss += 0.5 * cross_entropy(masks[half:], key) + tf.reduce_mean(taught)
        return loss


def train(models: Models, source: Source, split: DataSplit, steps: int) -> None:
    """Train all paths of `models` in place."""
    pretrained = models.inherit(source)
    layers = models.with_weights()
    variables = [weight for layer in layers for weight in layer.trainable_weights]
    optimizer = make_optimizer(
        variables,
        pretrained,
        learning_rate=LEARNING_RATE,
        pretrained_rate=PRETRAINED_RATE,
        steps=steps,
    )

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(frames: Any, context_frames: Any, masks: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = models.losses(frames, context_frames, masks)
        gradients = tape.gradient(loss, variables)
        optimizer.apply({v.ref(): g for v, g in zip(variables, gradients, strict=True)})
        return loss

    sampler = PairSampler(
        split.clips,
        height=PX,
        width=PX,
        pairs=PAIRS,
        longest_age=models.kind.longest_age,
        seed=models.kind.seed,
    )
    with Prefetcher(sampler, steps=steps) as batches:
        for batch in batches:
            step(batch.frames, batch.context_frames, batch.masks)
    forward = tf.function(models.losses, autograph=False)
    with Prefetcher(sampler, first_step=steps, steps=steps + 16) as batches:
        estimate_statistics(layers, lambda b: forward(b.frames, b.context_frames, b.masks), batches)


def evaluate(models: Models, split: DataSplit) -> dict[str, float]:
    """Return the float mIoU at each interval, of propagation and of reuse."""
    kind = models.kind
    encode = _function(lambda x: models.encode(as_input(x), training=False))
    key = _function(lambda *x: models.key(list(x), training=False))
    propagate = _function(lambda *x: models.propagate(list(x), training=False))
    if kind.glance:
        glance = _function(lambda x: models.glance(as_input(x), training=False))
        correct = _function(lambda *x: models.correct(list(x), training=False))
    scores: dict[str, list[Any]] = {}
    for clip in split.clips:
        frames = np.stack([resize_frame(frame, PX, PX) for frame in clip.frames])
        context, detail = encode(frames)
        (logits,) = key(context, detail)
        shown = _class_maps(logits)
        for interval in INTERVALS:
            times = np.arange(len(frames))
            at = times - times % interval
            masks = shown
            if interval > 1:
                held = context[at]
                if kind.glance:
                    (held,) = correct(held, glance(frames)[0])
                inputs = [held, detail, detail[at]]
                if kind.old_mask:
                    inputs.append(tf.nn.softmax(logits[at]).numpy())
                masks = _class_maps(propagate(*inputs)[0])
                masks = np.where((at == times)[:, None, None], shown, masks)
            for name, of in ((f"propagate {interval}", masks), (f"reuse {interval}", shown[at])):
                scores.setdefault(name, []).append(score_clip(clip, of, CLASSES))
    return {name: combine(clips).miou for name, clips in scores.items()}


def _function(run: Callable[..., Any]) -> Callable[..., list[npt.NDArray[Any]]]:
    """Return `run`, traced, over arrays of any length in batches of one size."""
    traced = tf.function(run, autograph=False)

    def over(*arrays: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        count, parts = len(arrays[0]), []
        for first in range(0, count, BATCH):
            given = [array[first : first + BATCH] for array in arrays]
            missing = BATCH - len(given[0])
            filled = [np.concatenate([x, np.repeat(x[-1:], missing, 0)]) for x in given]
            found = traced(*filled)
            several = found if isinstance(found, list | tuple) else [found]
            parts.append([each.numpy()[: len(given[0])] for each in several])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    return over


def _class_maps(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    size = (PX // 2, PX // 2)
    maps = [
        tf.argmax(tf.image.resize(logits[i : i + BATCH], size), -1).numpy().astype(np.uint8)
        for i in range(0, len(logits), BATCH)
    ]
    return np.concatenate(maps)


def main() -> None:
    """Make what is not yet in the table, writing it anew after each row."""
    asked = _arguments()
    state = asked.out.with_suffix(".json")
    done: dict[str, Any] = json.loads(state.read_text()) if state.is_file() else {}
    train_split, val = (open_split("davis", s, root=asked.data_root) for s in ("train", "val"))
    frames = np.stack([resize_frame(clip.frames[0], 224, 224) for clip in train_split.clips[:16]])
    source = measure_source(read_weights(asked.weights), frames)
    for name, kind in KINDS.items():
        if name in done or (asked.only and name not in asked.only):
            continue
        print(f"{name}: {kind.words}", file=sys.stderr)
        began = time.monotonic()
        models = Models(kind)
        train(models, source, train_split, asked.steps)
        key_ms, propagate_ms = predicted_ms(kind)
        done[name] = {"key_ms": key_ms, "propagate_ms": propagate_ms, **evaluate(models, val)}
        done[name]["minutes"] = (time.monotonic() - began) / 60
        state.write_text(json.dumps(done, indent=1) + "\n")
        asked.out.write_text(_page(done, asked.steps))
    asked.out.write_text(_page(done, asked.steps))
    print(asked.out.read_text())


def _page(done: dict[str, Any], steps: int) -> str:
    lines = [
        f"# Kinds of propagation on DAVIS, {steps} steps each",
        "",
        "mIoU in per cent on DAVIS val (float, whole clips) with a keyframe every so many frames,",
        "and milliseconds predicted for one big core of a Pixel 2. MobileNetV2 1.0 cut after block",
        f"12, {PX} px, {CHANNELS} decoder channels, logits at stride {STRIDE}, ImageNet weights.",
        "The second line of a kind shows the keyframe's mask again on the frames between.",
        "",
        "| a frame between keyframes gets | key ms | its ms | "
        + " | ".join(f"every {n}" for n in INTERVALS)
        + " | lost at 8 |",
        "| --- |" + " ---: |" * (len(INTERVALS) + 3),
    ]
    for name, kind in KINDS.items():
        if name in done:
            lines += _rows(kind.words, done[name])
    return "\n".join([*lines, "", *_notes(done, steps)])


def _rows(words: str, found: dict[str, float]) -> list[str]:
    def row(path: str, label: str, ms: Sequence[str]) -> str:
        mious = [100 * found[f"{path} {interval}"] for interval in INTERVALS]
        cells = [label, *ms, *(f"{miou:.1f}" for miou in mious), f"{mious[0] - mious[3]:.1f}"]
        return f"| {' | '.join(cells)} |"

    ms = [f"{found['key_ms']:.1f}", f"{found['propagate_ms']:.1f}"]
    return [row("propagate", words, ms), row("reuse", "- reuse instead", ["", "0"])]


def _notes(done: dict[str, Any], steps: int) -> list[str]:
    minutes = sum(found["minutes"] for found in done.values())
    return [
        "`.venv/bin/python -m tests.benchmarks.propagation --data-root DAVIS "
        f"--steps {steps} --out reports/propagation.md`",
        "",
        f"{os.cpu_count()} cores ({platform.machine()}), busy, no GPU, Python "
        f"{platform.python_version()}; {minutes:.0f} minutes in all.",
        "",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--only", nargs="*", choices=KINDS, default=[])
    asked = parser.parse_args()
    asked.weights = asked.weights or (
        asked.data_root / "../weights/mobilenet_v2_1.0_imagenet_folded.npz"
    )
    return asked


if __name__ == "__main__":
    main()
