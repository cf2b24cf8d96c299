"""Batch norm statistics that match the final weights.

After brief training, moving averages lag behind the weights and come from few batches. They are
replaced by the mean of each batch's own statistics over several forward passes (Wu & Johnson, 2021,
"Rethinking 'Batch' in BatchNorm", section 3).
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


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
