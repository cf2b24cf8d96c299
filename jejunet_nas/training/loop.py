"""The training loop: plain float32 steps over pairs of frames.

Half of each batch is decoded with its own context and half with that of an earlier frame, so one
run trains the key and the propagate path.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.datasets.sampling import PairBatch, PairSampler, Prefetcher
from jejunet_nas.errors import TrialError
from jejunet_nas.networks.build import KerasNetwork, as_input
from jejunet_nas.training.batch_norm import estimate_statistics
from jejunet_nas.training.checkpoint import Checkpoint
from jejunet_nas.training.events import Scalars
from jejunet_nas.training.losses import cross_entropy, taught_loss
from jejunet_nas.training.optimizer import Optimizer, make_optimizer
from jejunet_nas.training.settings import TrainingSettings

STATISTICS_BATCHES = 16  # for the batch norm statistics at the end
CURVE_POINTS = 100  # of the loss curve that the record keeps, at most

OnStep = Callable[[int, int, float], None]  # steps done, steps in all, loss


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoopRecord:
    """What the loop saw: the mean loss over each `loss_every_steps` steps, and its times.

    input_wait_share: of the time after the first step, which is traced while batches are made.
    trace_s: how much longer the first step took than the others.
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
    on_step: OnStep,
    after_step: Callable[[], None] = lambda: None,
    checkpoint: Path | None = None,
    events: Path | None = None,
) -> LoopRecord:
    """Train the key and the propagate path of `network` in place.

    after_step: brings weights back to what they may be, after each step has changed them.
    checkpoint: a file that is written now and then; one that an interrupted training of the same
    settings and weights has left is gone on with. The times of the record are then those of this
    run alone. events: a folder for TensorBoard's scalars.

    Raises `TrialError` at the step whose loss is not a finite number.
    """
    variables = [v for layer in network.path_layers() for v in layer.trainable_weights]
    optimizer = make_optimizer(
        variables,
        pretrained,
        learning_rate=settings.learning_rate,
        pretrained_rate=settings.pretrained_rate,
        steps=settings.steps,
    )
    step = _make_step(network, settings, variables, optimizer)
    weights = [v for layer in network.path_layers() for v in layer.weights]
    kept = Checkpoint(checkpoint, [*weights, *optimizer.variables], settings, pretrained)
    losses, times_s = kept.resume(), list[float]()
    rest = Prefetcher(sampler, first_step=len(losses), steps=settings.steps)
    with rest as batches, Scalars(events) as scalars:
        began, first_wait_s = time.perf_counter(), 0.0
        for batch in batches:
            before = time.perf_counter()
            losses.append(float(step(batch.frames, batch.context_frames, *batch.targets)))
            after_step()
            times_s.append(time.perf_counter() - before)
            if not math.isfinite(losses[-1]):
                raise TrialError(
                    f"the loss became {losses[-1]} at step {len(losses)} of {settings.steps}; "
                    f"learning_rate is {settings.learning_rate}. Lower it."
                )
            if len(times_s) == 1:
                began, first_wait_s = time.perf_counter(), batches.wait_s
            kept.keep(losses, last=len(losses) == settings.steps)
            scalars.write(
                len(losses),
                loss=losses[-1],
                learning_rate=optimizer.rate(len(losses) - 1),
                step_ms=1000 * times_s[-1],
            )
            on_step(len(losses), settings.steps, losses[-1])
        waited_s, elapsed_s = batches.wait_s - first_wait_s, time.perf_counter() - began
    _settle_batch_norm(network, sampler, settings)
    _require_finite(network)
    times_s = times_s or [0.0]  # all steps had been done already
    median_s = float(np.median(times_s[1:] or times_s))
    every = max(1, math.ceil(settings.steps / CURVE_POINTS))
    return LoopRecord(
        losses=tuple(float(np.mean(losses[i : i + every])) for i in range(0, len(losses), every)),
        loss_every_steps=every,
        median_step_ms=1000 * median_s,
        input_wait_share=min(1.0, max(0.0, waited_s) / max(elapsed_s, 1e-9)),
        trace_s=max(0.0, times_s[0] - median_s),
    )


def _make_step(
    network: KerasNetwork,
    settings: TrainingSettings,
    variables: list[Any],
    optimizer: Optimizer,
) -> Callable[..., Any]:
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(frames: Any, context_frames: Any, *targets: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = network.decode_with(as_input(frames), as_input(context_frames), training=True)
            loss = _loss(settings, logits, *targets)
        gradients = tape.gradient(loss, variables)
        optimizer.apply({v.ref(): g for v, g in zip(variables, gradients, strict=True)})
        return loss

    return step  # type: ignore[no-any-return]


def _loss(
    settings: TrainingSettings, logits: Any, masks: Any, taught: Any = None, sureness: Any = None
) -> Any:
    """Return the loss of a batch whose `PairBatch.targets` these are."""
    if taught is None:
        return cross_entropy(masks, logits)
    return taught_loss(masks, taught, sureness, logits, settings.teacher_weight)


def _require_finite(network: KerasNetwork) -> None:
    for layer in network.path_layers():
        if not all(np.isfinite(weights).all() for weights in layer.get_weights()):
            raise TrialError(
                f"the weights of {layer.name} are not finite after training. Lower learning_rate."
            )


def _settle_batch_norm(
    network: KerasNetwork, sampler: PairSampler, settings: TrainingSettings
) -> None:
    forward = tf.function(
        lambda frames, context: network.decode_with(
            as_input(frames), as_input(context), training=True
        ),
        autograph=False,
    )

    def batches() -> Iterable[PairBatch] | Iterator[PairBatch]:
        first = settings.steps
        with Prefetcher(sampler, first_step=first, steps=first + STATISTICS_BATCHES) as ahead:
            yield from ahead

    estimate_statistics(
        network.path_layers(),
        lambda batch: forward(batch.frames, batch.context_frames),
        batches(),
    )
