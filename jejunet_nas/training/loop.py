"""The training loop of the key and the propagate path: plain float32 steps over pairs of frames.

Half of each batch is decoded with its own context and half with that of an earlier frame, so that
one training covers both paths.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.datasets.sampling import PairSampler, Prefetcher
from jejunet_nas.errors import TrialError
from jejunet_nas.networks.build import KerasNetwork, as_input
from jejunet_nas.networks.training_layers import (
    Seen,
    TrainingLayers,
    pair_logits,
    variables_of,
)
from jejunet_nas.training.batch_norm import settling
from jejunet_nas.training.checkpoint import Checkpoint
from jejunet_nas.training.losses import segmentation_loss
from jejunet_nas.training.optimizer import Optimizer
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.watch import Curve, Watch

CURVE_POINTS = 100  # at most, in the recorded loss curve

# `tf.summary.scalar` marks scalars in the same way, but imports TensorBoard.
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class="DATA_CLASS_SCALAR",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoopRecord:
    """The loss curve, as means over `loss_every_steps` steps, and the times of a training.

    input_wait_share: the share of the time after the first step that was spent waiting for batches.
    trace_s: the additional duration of the first step, in which TensorFlow traces the graph.
    steps: those of the weights. curve: of `watch`.
    """

    losses: tuple[float, ...]
    loss_every_steps: int
    median_step_ms: float
    input_wait_share: float
    trace_s: float
    steps: int
    curve: Curve


def train_paths(
    network: KerasNetwork,
    sampler: PairSampler,
    settings: TrainingSettings,
    *,
    pretrained: Collection[str],
    on_step: Callable[[int, int, float], None],
    after_step: Callable[[], None] = lambda: None,
    checkpoint: Path | None = None,
    events: Path | None = None,
    watch: Watch | None = None,
) -> LoopRecord:
    """Train the key and the propagate path of `network` in place.

    pretrained: names of layers with pretrained weights. on_step: receives the steps done, the steps
    in total and the loss. after_step: called after each update, for instance to set pruned weights
    to 0 again. checkpoint: a file that is written regularly; an interrupted training resumes from
    it, and its record has the times of the remaining steps. events: a folder for TensorBoard.
    watch: validates now and then, may end the training early, and gives `network` its weights.

    Raises `TrialError` at the first step whose loss is not finite.
    """
    watch = watch or Watch()
    variables = [v for layer in network.path_layers() for v in layer.trainable_weights]
    optimizer = Optimizer(variables, pretrained, settings)
    forward = _forward(network, sampler.own)
    step = _make_step(forward, variables, optimizer, settings)
    state = [v for layer in network.path_layers() for v in layer.weights] + optimizer.variables
    kept = Checkpoint(checkpoint, state, settings, pretrained)
    losses, times_s = kept.resume(), list[float]()
    settle = settling(network, forward, sampler, settings)

    def settle_kept() -> None:
        kept.keep(losses, last=True)
        settle()

    watch.resume(network, len(losses), settle_kept)
    rest = Prefetcher(sampler, first_step=len(losses), steps=settings.steps)
    with rest as batches, closing(_writer(events)) as writer:
        began, first_wait_s = time.perf_counter(), 0.0
        for batch in () if watch.is_over else batches:
            before = time.perf_counter()
            losses.append(float(step(batch.frames, batch.context_frames, batch.masks)))
            after_step()
            times_s.append(time.perf_counter() - before)
            _require_finite_loss(losses, settings)
            if len(times_s) == 1:
                began, first_wait_s = time.perf_counter(), batches.wait_s
            done, rate, step_ms = len(losses), optimizer.rate(len(losses) - 1), 1000 * times_s[-1]
            kept.keep(losses, last=done == settings.steps)
            _write_scalars(writer, done, loss=losses[-1], learning_rate=rate, step_ms=step_ms)
            on_step(done, settings.steps, losses[-1])
            watch.look(network, done, settle_kept)
            if watch.is_over:
                break
        waited_s, elapsed_s = batches.wait_s - first_wait_s, time.perf_counter() - began
    steps = watch.finish(network, settle, len(losses))
    _require_finite_weights(network)
    wait_share = waited_s / max(elapsed_s, 1e-9)
    return _record(losses, times_s, settings, wait_share, steps=steps, curve=watch.curve)


def _writer(folder: Path | None) -> Any:
    return tf.summary.create_file_writer(f"{folder}") if folder else tf.summary.create_noop_writer()


def _write_scalars(writer: Any, step: int, **values: float) -> None:
    with writer.as_default(step):
        for name, value in values.items():
            tf.summary.write(name, tf.cast(value, tf.float32), metadata=_SCALAR)


def _forward(network: KerasNetwork, own: int) -> Callable[[Any, Any], tuple[Any, Seen]]:
    """Return the function that computes the logits of a batch, and the statistics of its norms."""
    if network.wrapped:
        return lambda frames, context_frames: (
            network.decode_with(as_input(frames), as_input(context_frames), training=True),
            {},
        )
    variables = variables_of({layer.name: layer for layer in network.path_layers()})

    def forward(frames: Any, context_frames: Any) -> tuple[Any, Seen]:
        layers = TrainingLayers(variables)
        inputs = as_input(frames), as_input(context_frames)
        return pair_logits(layers, *inputs, network.network, network.classes, own=own), layers.seen

    return forward


def _make_step(
    forward: Callable[[Any, Any], tuple[Any, Seen]],
    variables: list[Any],
    optimizer: Optimizer,
    settings: TrainingSettings,
) -> Callable[..., Any]:
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(frames: Any, context_frames: Any, masks: Any) -> Any:
        with tf.GradientTape() as tape:
            logits, _ = forward(frames, context_frames)
            loss = segmentation_loss(masks, logits, dice_weight=settings.dice_weight)
        gradients = tape.gradient(loss, variables)
        optimizer.apply({v.ref(): g for v, g in zip(variables, gradients, strict=True)})
        return loss

    return step  # type: ignore[no-any-return]


def _require_finite_loss(losses: list[float], settings: TrainingSettings) -> None:
    if not math.isfinite(losses[-1]):
        raise TrialError(
            f"the loss became {losses[-1]} at step {len(losses)} of {settings.steps}; "
            f"learning_rate is {settings.learning_rate}. Lower it."
        )


def _require_finite_weights(network: KerasNetwork) -> None:
    for layer in network.path_layers():
        if not all(np.isfinite(weights).all() for weights in layer.get_weights()):
            raise TrialError(
                f"the weights of {layer.name} are not finite after training. Lower learning_rate."
            )


def _record(
    losses: list[float],
    times_s: list[float],
    settings: TrainingSettings,
    wait_share: float,
    *,
    steps: int,
    curve: Curve,
) -> LoopRecord:
    times_s = times_s or [0.0]  # the checkpoint was that of the last step
    median_s = float(np.median(times_s[1:] or times_s))
    every = max(1, math.ceil(settings.steps / CURVE_POINTS))
    return LoopRecord(
        losses=tuple(float(np.mean(losses[i : i + every])) for i in range(0, len(losses), every)),
        loss_every_steps=every,
        median_step_ms=1000 * median_s,
        input_wait_share=min(1.0, max(0.0, wait_share)),
        trace_s=max(0.0, times_s[0] - median_s),
        steps=steps,
        curve=curve,
    )
