"""Backbone weights from a file, cut to a network's width.

A file holds MobileNetV2 1.0 with batch norm folded into the convolutions. Folded layers have no
batch norm to train with, so it is recovered: `measure_source` runs the source over pictures and
notes each layer's mean and deviation per channel, which become the batch norm's shift and scale.
Narrower networks keep the channels that matter most: those that vary most, weighed by how strongly
the next layers read them; channels that a residual connection adds are cut alike.
"""

import dataclasses
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from jejunet_nas.errors import SettingError
from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON, KerasLayers
from jejunet_nas.networks.mobilenet_v2 import END, Block, backbone, blocks, stem_channels

Array = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
SOURCE_DEPTH_MULTIPLIER = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceLayer:
    """One convolution of the source: kernel, folded bias, statistics of its output per channel."""

    kernel: Array
    bias: Array
    mean: Array
    deviation: Array


Source = dict[str, SourceLayer]


def read_folded(file: Path) -> dict[str, tuple[Array, Array]]:
    """Return kernel and bias of each backbone layer by its name here.

    The file is an `.npz` with `NN_op/kernel` and `NN_op/bias` in forward order, convolutions
    [height, width, in, out], depthwise [height, width, channels, 1]. Raises `SettingError`.
    """
    if not file.is_file():
        raise SettingError(
            f"init is {file}, which is no file; allowed: scratch, or an .npz of MobileNetV2 "
            "weights. Give the file's path, or init: scratch."
        )
    expected = _layer_shapes()
    try:
        with file.open("rb") as opened:
            stored = np.load(opened)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            names = sorted({key.split("/")[0] for key in stored.files})
            found = [(stored[f"{n}/kernel"], stored[f"{n}/bias"]) for n in names[: len(expected)]]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as reason:
        raise SettingError(
            f"init is {file}, which does not hold NN_op/kernel and NN_op/bias arrays ({reason}); "
            "allowed: an .npz of MobileNetV2 1.0 weights, batch norm folded. Export it again."
        ) from reason
    shapes = [kernel.shape for kernel, _ in found]
    if shapes != list(expected.values()):
        bad = next(
            (i for i, (a, b) in enumerate(zip(shapes, expected.values(), strict=False)) if a != b),
            len(shapes),
        )
        name, wanted = list(expected.items())[bad]
        got = shapes[bad] if bad < len(shapes) else "missing"
        raise SettingError(
            f"init is {file}: layer {bad} ({name}) is {got}; allowed: {wanted}, as in "
            "MobileNetV2 1.0. Give weights of depth multiplier 1.0."
        )
    return dict(zip(expected, found, strict=True))


def measure_source(file: Path, frames: npt.NDArray[np.uint8]) -> Source:
    """Return the weights in `file` with their statistics over `frames` (uint8 [n, h, w, 3])."""
    folded = read_folded(file)
    layers = KerasLayers()
    image = tf_keras.Input(frames.shape[1:])
    backbone(layers, image, depth_multiplier=SOURCE_DEPTH_MULTIPLIER, taps={END})
    outputs = []
    for name, (kernel, bias) in folded.items():
        ones, zeros = np.ones_like(bias), np.zeros_like(bias)
        norm = layers.by_name[f"{name}_BN"]
        layers.by_name[name].set_weights([kernel])
        norm.set_weights([ones, bias, zeros, ones - BATCH_NORM_EPSILON])
        outputs.append(norm.output)
    pixels = frames.astype(np.float32) / 127.5 - 1.0
    values = tf_keras.Model(image, outputs)(pixels, training=False)
    return {
        name: SourceLayer(
            kernel=kernel,
            bias=bias,
            mean=np.mean(value, axis=(0, 1, 2)),
            deviation=np.std(value, axis=(0, 1, 2)),
        )
        for (name, (kernel, bias)), value in zip(folded.items(), values, strict=True)
    }


def save_source(source: Source, file: Path) -> None:
    """Write `source` as an `.npz` that `load_source` reads."""
    arrays = {
        f"{name}/{field.name}": getattr(layer, field.name)
        for name, layer in source.items()
        for field in dataclasses.fields(layer)
    }
    beside = file.with_suffix(".part.npz")
    np.savez(beside, **arrays)
    beside.rename(file)


def load_source(file: Path) -> Source:
    """Return what `save_source` wrote."""
    with np.load(file) as stored:
        return {
            name: SourceLayer(
                **{f.name: stored[f"{name}/{f.name}"] for f in dataclasses.fields(SourceLayer)}
            )
            for name in _layer_shapes()
        }


def inherit(
    layers: dict[str, Any], source: Source, depth_multiplier: float, *, prefix: str = ""
) -> set[str]:
    """Set the backbone among `layers` from `source`, cut to `depth_multiplier`.

    Returns the names of the layers that got weights, batch norms included. Raises `SettingError`
    where the backbone is wider than the source.
    """
    if depth_multiplier > SOURCE_DEPTH_MULTIPLIER:
        raise SettingError(
            f"depth_multiplier is {depth_multiplier} with init weights of "
            f"{SOURCE_DEPTH_MULTIPLIER}; allowed: at most {SOURCE_DEPTH_MULTIPLIER}. "
            "Use a narrower network, or init: scratch."
        )
    kept = _kept_channels(source, depth_multiplier)
    inherited: set[str] = set()
    for name, (inputs, outputs) in kept.items():
        layer, norm = layers.get(prefix + name), layers.get(f"{prefix}{name}_BN")
        if layer is None or norm is None:
            continue  # the network is cut before this layer
        part = source[name]
        layer.set_weights([part.kernel[:, :, inputs][..., outputs]])
        kept_outputs = inputs if name.endswith("depthwise") else outputs
        variance = np.maximum(part.deviation[kept_outputs] ** 2 - BATCH_NORM_EPSILON, 0)
        mean = part.mean[kept_outputs]
        scale = np.sqrt(variance + BATCH_NORM_EPSILON)
        norm.set_weights([scale, mean, mean - part.bias[kept_outputs], variance])
        inherited |= {layer.name, norm.name}
    return inherited


def _kept_channels(source: Source, depth_multiplier: float) -> dict[str, tuple[Indices, Indices]]:
    """Return each layer's input and output channels to keep, as indices into the source's."""
    wide, narrow = blocks(SOURCE_DEPTH_MULTIPLIER), blocks(depth_multiplier)
    stream = _strongest(_inner_importance(source, wide[0]), stem_channels(depth_multiplier))
    kept = {"Conv1": (np.arange(3), stream)}
    for stage in _stages(wide):
        out = _strongest(
            _stream_importance(source, wide, stage), narrow[stage[0].index].channels_out
        )
        for block in stage:
            inner = stream
            if block.expands:
                inner = _strongest(
                    _inner_importance(source, block), narrow[block.index].channels_expanded
                )
                kept[f"{block.name}_expand"] = (stream, inner)
            kept[f"{block.name}_depthwise"] = (inner, np.arange(1))
            kept[f"{block.name}_project"] = (inner, out)
            stream = out
    return kept


def _stages(wide: tuple[Block, ...]) -> list[list[Block]]:
    """Return runs of blocks whose outputs are added to each other and so must be cut alike."""
    stages: list[list[Block]] = []
    for block in wide:
        if block.residual:
            stages[-1].append(block)
        else:
            stages.append([block])
    return stages


def _inner_importance(source: Source, block: Block) -> Array:
    """Return the importance of the channels that the block's depthwise layer runs on."""
    read = _reading(source[f"{block.name}_project"].kernel)
    return source[f"{block.name}_depthwise"].deviation * read


def _stream_importance(source: Source, wide: tuple[Block, ...], stage: list[Block]) -> Array:
    varies = sum(source[f"{block.name}_project"].deviation for block in stage)
    followers = wide[stage[0].index + 1 : stage[-1].index + 2]
    if not followers:  # the last block: nothing of the backbone reads it
        return np.asarray(varies, np.float32)
    read = sum(_reading(source[f"{block.name}_expand"].kernel) for block in followers)
    return np.asarray(varies * read, np.float32)


def _reading(kernel: Array) -> Array:
    """Return how strongly a 1x1 convolution reads each of its inputs."""
    return np.asarray(np.sqrt(np.sum(kernel**2, axis=(0, 1, 3))), np.float32)


def _strongest(importance: Array, count: int) -> Indices:
    """Return the indices of the `count` largest, in their own order."""
    return np.sort(np.argsort(-importance, kind="stable")[:count])


def _layer_shapes() -> dict[str, tuple[int, ...]]:
    """Return the kernel shape of each backbone layer of the source, in forward order."""
    shapes: dict[str, tuple[int, ...]] = {
        "Conv1": (3, 3, 3, stem_channels(SOURCE_DEPTH_MULTIPLIER))
    }
    for block in blocks(SOURCE_DEPTH_MULTIPLIER):
        if block.expands:
            shapes[f"{block.name}_expand"] = (1, 1, block.channels_in, block.channels_expanded)
        shapes[f"{block.name}_depthwise"] = (3, 3, block.channels_expanded, 1)
        shapes[f"{block.name}_project"] = (1, 1, block.channels_expanded, block.channels_out)
    return shapes
