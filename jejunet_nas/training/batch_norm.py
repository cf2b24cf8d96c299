"""Batch norm statistics that fit the final weights.

Brief training ends before moving averages have followed the weights, and their last values are
those of a few batches. They are estimated again: the mean over `batches` forward passes
of each batch's own statistics (Wu & Johnson, "Rethinking 'Batch' in BatchNorm", section 3).
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def estimate_statistics(
    layers: Iterable[Any], forward: Callable[[Any], None], batches: Iterable[Any]
) -> None:
    """Replace the moving statistics of the batch norm among `layers` by means over `batches`.

    forward runs the network in training mode on one batch; it is traced here, while the momentum
    is 0 and each pass leaves its own statistics behind.
    """
    norms = [layer for layer in layers if hasattr(layer, "moving_mean")]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    sums: list[np.ndarray[Any, Any]] = []
    count = 0
    try:
        for norm in norms:
            norm.momentum = 0.0
        for batch in batches:
            forward(batch)
            seen = [v.numpy() for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
            sums = [a + b for a, b in zip(sums, seen, strict=True)] if sums else seen
            count += 1
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    variables = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
    for variable, total in zip(variables, sums, strict=True):
        variable.assign(total / count)
