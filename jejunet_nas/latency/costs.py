"""The costs of each kind of work, fitted to known latencies.

The fit is a non-negative least squares on relative errors: a row of 4 ms counts as much as one of
451 ms. A fit cannot always separate all kinds of work, so two assumptions bound the costs:

- a MAC of a depthwise or a larger-window convolution costs at least as much as one of a 1x1
  convolution, a plain matrix product (unbounded, the published rows make depthwise MACs free: in
  MobileNets they grow almost as bytes do);
- no byte and no operator is free (`FLOORS`).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.points import AnyPoint
from jejunet_nas.latency.predicted_meter import Costs

Vector = npt.NDArray[np.float64]

COST_NAMES = tuple(field.name for field in dataclasses.fields(Costs))
POINTWISE, WINDOW, DEPTHWISE, BYTES, OPERATORS, RESIZED = range(len(COST_NAMES))
# A fit needs one point more than costs; leaving one out needs one more.
LEAST_POINTS = len(COST_NAMES) + 2
# The least that work can cost, in the order of COST_NAMES, in ms: a million bytes at 200 GB/s, from
# a cache; an operator 50 ns for its dispatch.
FLOORS = np.array([0.0, 0.0, 0.0, 0.005, 0.00005, 0.0])


def fit_costs(points: Sequence[AnyPoint]) -> Costs:
    """Return the costs with the least weighted sum of squared relative errors of `points`.

    Raises `SettingError` if there are too few points.
    """
    if len(points) <= len(COST_NAMES):
        raise SettingError(
            f"{len(points)} points with one thread; allowed: at least {len(COST_NAMES) + 1}, to "
            f"fit {len(COST_NAMES)} costs. Add published or measured latencies."
        )
    weights = np.array([point.weight for point in points])
    work = np.array([point.work for point in points]) / measured_ms(points)[:, None]
    # Costs are FLOORS + bounded @ z with z >= 0: z of the pointwise MACs counts for all MACs; z of
    # the others is their cost above it.
    bounded = np.eye(len(COST_NAMES))
    bounded[[WINDOW, DEPTHWISE], POINTWISE] = 1.0
    columns = weights[:, None] * (work @ bounded)
    scale = np.maximum(columns.max(axis=0), 1e-12)
    z, _ = nnls(columns / scale, weights * (1.0 - work @ FLOORS))
    costs = FLOORS + bounded @ (z / scale)
    # Five digits are well within the error, and the same on every machine.
    return Costs(**{name: float(f"{c:.5g}") for name, c in zip(COST_NAMES, costs, strict=True)})


def leave_one_out_errors(points: Sequence[AnyPoint]) -> Vector:
    """Return each point's relative error (predicted / measured - 1) by a fit on the others."""
    predicted_ms = [
        predict_ms(fit_costs([*points[:index], *points[index + 1 :]]), point)
        for index, point in enumerate(points)
    ]
    return np.array(predicted_ms) / measured_ms(points) - 1.0


def of_networks(points: Sequence[AnyPoint]) -> npt.NDArray[np.bool_]:
    """Return a mask of the `points` that are networks: those of full weight."""
    full = np.array([point.weight >= 1.0 for point in points])
    return full if full.any() else ~full


def at_their_bound(costs: Costs) -> list[str]:
    """Return the names of the costs that are at their bound."""
    bounds = FLOORS.copy()
    bounds[[WINDOW, DEPTHWISE]] = costs.ms_per_million_pointwise_macs
    fitted = dataclasses.astuple(costs)
    return [n for n, cost, bound in zip(COST_NAMES, fitted, bounds, strict=True) if cost <= bound]


def predict_ms(costs: Costs, point: AnyPoint) -> float:
    """Return the milliseconds of the graph of `point` with one thread."""
    return costs.of(point.work)


def measured_ms(points: Sequence[AnyPoint]) -> Vector:
    """Return the milliseconds of `points`."""
    return np.array([point.latency_ms for point in points])
