"""The training loop of the key and the propagate path: plain float32 steps over pairs of frames.

Half of each batch is decoded with its own context and half with that of an earlier frame, so that
one training covers both paths.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Iterable
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
from jejunet_nas.training.checkpoint import Checkpoint
from jejunet_nas.training.losses import cross_entropy
from jejunet_nas.training.optimizer import Optimizer
from jejunet_nas.training.settings import TrainingSettings

STATISTICS_BATCHES = 16  # for the batch norm statistics after training
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
    """

    losses: tuple[float, ...]
    loss_every_steps: int
    median_step_ms: float
    input_wait_share: float
    trace_s: float


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
) -> LoopRecord:
    """Train the key and the propagate path of `network` in place.

    pretrained: names of layers with pretrained weights. on_step: receives the steps done, the steps
    in total and the loss. after_step: called after each update, for instance to set pruned weights
    to 0 again. checkpoint: a file that is written regularly; an interrupted training resumes from
    it, and its record has the times of the remaining steps. events: a folder for TensorBoard.

    Raises `TrialError` at the first step whose loss is not finite.
    """
    variables = [v for layer in network.path_layers() for v in layer.trainable_weights]
    optimizer = Optimizer(variables, pretrained, settings)
    forward = _forward(network, sampler.own)
    step = _make_step(forward, variables, optimizer)
    weights = [v for layer in network.path_layers() for v in layer.weights]
    kept = Checkpoint(checkpoint, [*weights, *optimizer.variables], settings, pretrained)
    losses, times_s = kept.resume(), list[float]()
    rest = Prefetcher(sampler, first_step=len(losses), steps=settings.steps)
    with rest as batches, closing(_writer(events)) as writer:
        began, first_wait_s = time.perf_counter(), 0.0
        for batch in batches:
            before = time.perf_counter()
            losses.append(float(step(batch.frames, batch.context_frames, batch.masks)))
            after_step()
            times_s.append(time.perf_counter() - before)
            _require_finite_loss(losses, settings)
            if len(times_s) == 1:
                began, first_wait_s = time.perf_counter(), batches.wait_s
            done = len(losses)
            kept.keep(losses, last=done == settings.steps)
            rate = optimizer.rate(done - 1)
            _write_scalars(
                writer, done, loss=losses[-1], learning_rate=rate, step_ms=1000 * times_s[-1]
            )
            on_step(done, settings.steps, losses[-1])
        waited_s, elapsed_s = batches.wait_s - first_wait_s, time.perf_counter() - began
    _estimate_batch_norm(network, forward, sampler, settings)
    _require_finite_weights(network)
    return _record(losses, times_s, settings, waited_s / max(elapsed_s, 1e-9))


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
) -> Callable[..., Any]:
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(frames: Any, context_frames: Any, masks: Any) -> Any:
        with tf.GradientTape() as tape:
            logits, _ = forward(frames, context_frames)
            loss = cross_entropy(masks, logits)
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


def _estimate_batch_norm(
    network: KerasNetwork,
    forward: Callable[[Any, Any], tuple[Any, Seen]],
    sampler: PairSampler,
    settings: TrainingSettings,
) -> None:
    """Set the statistics of batch norms, see `estimate_statistics`."""
    run = tf.function(lambda *frames: forward(*frames)[1], autograph=False)
    first = settings.steps
    with Prefetcher(sampler, first_step=first, steps=first + STATISTICS_BATCHES) as batches:
        if network.wrapped:
            estimate_statistics(
                network.path_layers(),
                lambda batch: run(batch.frames, batch.context_frames),
                batches,
            )
            return
        seen = [run(batch.frames, batch.context_frames) for batch in batches]
    for name in seen[0]:
        norm = network.layers[f"{name}_BN"]
        means, variances = zip(*(each for batch in seen for each in batch[name]), strict=True)
        norm.moving_mean.assign(np.mean(means, axis=0))
        norm.moving_variance.assign(np.mean(variances, axis=0))


def estimate_statistics(
    layers: Iterable[Any], forward: Callable[[Any], None], batches: Iterable[Any]
) -> None:
    """Set the moving statistics of the batch norms among `layers` to their means over `batches`.

    After brief training, moving averages lag behind the weights and come from few batches (Wu &
    Johnson, 2021, "Rethinking 'Batch' in BatchNorm", section 3). forward: runs the network on one
    batch in training mode. It must be traced here, while the momentum is 0, so that each pass
    leaves its own statistics.
    """
    norms = [layer for layer in layers if hasattr(layer, "moving_mean")]
    variables = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    seen: list[list[Any]] = []
    try:
        for norm in norms:
            norm.momentum = 0.0
        for batch in batches:
            forward(batch)
            seen.append([variable.numpy() for variable in variables])
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    for variable, values in zip(variables, zip(*seen, strict=True), strict=True):
        variable.assign(np.mean(values, axis=0))


def _record(
    losses: list[float], times_s: list[float], settings: TrainingSettings, wait_share: float
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
    )
