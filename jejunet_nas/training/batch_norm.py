"""Batch norm statistics after training: the means over batches, with the weights as they are then.

Moving averages lag behind the weights and come from few batches (Wu & Johnson, 2021, "Rethinking
'Batch' in BatchNorm", section 3).
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.datasets.sampling import PairSampler, Prefetcher
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.networks.training_layers import Seen
from jejunet_nas.training.settings import TrainingSettings

STATISTICS_BATCHES = 16


def settling(
    network: KerasNetwork,
    forward: Callable[[Any, Any], tuple[Any, Seen]],
    sampler: PairSampler,
    settings: TrainingSettings,
) -> Callable[[], None]:
    """Return what sets the statistics of the batch norms of `network` for its current weights.

    forward: returns the logits of frames and context frames, and the statistics of the norms. The
    batches are those after the training's, the same at each call.
    """
    run = tf.function(lambda *frames: forward(*frames)[1], autograph=False)
    first = settings.steps

    def settle() -> None:
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

    return settle


def estimate_statistics(
    layers: Iterable[Any], forward: Callable[[Any], None], batches: Iterable[Any]
) -> None:
    """Set the moving statistics of the batch norms among `layers` to their means over `batches`.

    forward: runs the network on one batch in training mode. It must be traced here, while the
    momentum is 0, so that each pass leaves its own statistics.
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
