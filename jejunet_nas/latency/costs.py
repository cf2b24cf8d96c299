"""Costs of each kind of work, and factors on them, fitted to known latencies.

The fit is a non-negative least squares on relative errors: a row of 4 ms counts as much as one of
451 ms. A fit cannot always separate all kinds of work, so two assumptions bound the costs:

- a MAC of a depthwise or a larger-window convolution costs at least as much as one of a 1x1
  convolution, a plain matrix product (unbounded, the published rows make depthwise MACs free: in
  MobileNets they grow almost as bytes do);
- no byte and no operator is free (`FLOORS`).

A factor covers what the costs do not: several threads, another runtime, or float32. It is a mean of
ratios, with the errors that remain.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from jejunet_nas.errors import check_range
from jejunet_nas.latency.points import AnyPoint, Point
from jejunet_nas.latency.predicted_meter import Costs, work_of
from jejunet_nas.latency.published_networks import operators_of

Vector = npt.NDArray[np.float64]

COST_NAMES = tuple(field.name for field in dataclasses.fields(Costs))
POINTWISE, WINDOW, DEPTHWISE, BYTES, OPERATORS, RESIZED = range(len(COST_NAMES))
# A fit needs one point more than costs; leaving one out needs one more.
LEAST_POINTS = len(COST_NAMES) + 2
# The least that work can cost, in the order of COST_NAMES, in ms: a million bytes at 200 GB/s, from
# a cache; an operator 50 ns for its dispatch.
FLOORS = np.array([0.0, 0.0, 0.0, 0.005, 0.00005, 0.0])

OTHER_RUNTIME = "mobilenet_v1"  # the network whose rows were timed with a slower runtime
# Roles of points.
FIT = "fit"
THREADS = "factor of its threads"
CHECK = "check after the factor of its runtime"
UNSTABLE = "kept, not fitted: the measurement was not stable"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FloatPair:
    """One network at one size, published in float32 and in int8 in the same table."""

    network: str
    depth_multiplier: float
    input_size_px: int
    float_ms: float
    int8_ms: float

    def __post_init__(self) -> None:
        for name in ("depth_multiplier", "input_size_px", "float_ms", "int8_ms"):
            check_range(name, getattr(self, name), 1e-3, 1e6)

    def int8_by(self, costs: Costs | None) -> float:
        """Return the int8 latency in ms by `costs`, or the published one without costs."""
        if costs is None:
            return self.int8_ms
        return costs.of(
            work_of(operators_of(self.network, self.depth_multiplier, self.input_size_px))
        )


def role_of(point: AnyPoint) -> str:
    """Return the use of `point` in a profile: `FIT`, `THREADS`, `CHECK` or `UNSTABLE` (none)."""
    if isinstance(point, Point) and point.network == OTHER_RUNTIME:
        return CHECK
    if not point.stable:
        return UNSTABLE
    return FIT if point.threads == 1 else THREADS


def with_role(role: str, points: Sequence[AnyPoint]) -> list[AnyPoint]:
    """Return the `points` with this role."""
    return [point for point in points if role_of(point) == role]


def fit_costs(points: Sequence[AnyPoint]) -> Costs:
    """Return the costs with the least weighted sum of squared relative errors of `points`."""
    assert len(points) > len(COST_NAMES), len(points)
    weights = np.array([point.weight for point in points])
    work = np.array([point.work for point in points]) / _measured_ms(points)[:, None]
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
        fit_costs([*points[:index], *points[index + 1 :]]).of(point.work)
        for index, point in enumerate(points)
    ]
    return np.array(predicted_ms) / _measured_ms(points) - 1.0


def at_their_bound(costs: Costs) -> list[str]:
    """Return the names of the costs that are at their bound."""
    bounds = FLOORS.copy()
    bounds[[WINDOW, DEPTHWISE]] = costs.ms_per_million_pointwise_macs
    fitted = dataclasses.astuple(costs)
    return [n for n, cost, bound in zip(COST_NAMES, fitted, bounds, strict=True) if cost <= bound]


def thread_factors(costs: Costs, points: Sequence[AnyPoint]) -> dict[str, dict[str, float]]:
    """Return the factor of each number of threads, with its errors.

    The factor is the mean of measured / one thread's latency; the latter is measured if the same
    graph was timed with one thread too, else predicted. One thread has 1 and no error.
    """
    factors = {"1": {"factor": 1.0, **errors([0.0])}}
    one_thread_ms = {point.graph_id: point.latency_ms for point in with_role(FIT, points)}
    several = with_role(THREADS, points)
    for threads in sorted({point.threads for point in several}):
        rows = [point for point in several if point.threads == threads]
        alone_ms = [one_thread_ms.get(p.graph_id, costs.of(p.work)) for p in rows]
        factors[str(threads)] = _mean_factor(_measured_ms(rows), alone_ms)
    return factors


def runtime_factor(costs: Costs, points: Sequence[AnyPoint]) -> dict[str, float] | None:
    """Return the mean measured / predicted of the other runtime's points, with errors, or None."""
    others = with_role(CHECK, points)
    predicted_ms = [costs.of(point.work) for point in others]
    return _mean_factor(_measured_ms(others), predicted_ms) if others else None


def float_factor(pairs: Sequence[FloatPair], costs: Costs | None) -> dict[str, float]:
    """Return the mean float32 / int8 latency of `pairs`, with its errors.

    The int8 latency is predicted by `costs`. Without costs it is the published one, which makes the
    factor fit for another phone or runtime.
    """
    float_ms = np.array([pair.float_ms for pair in pairs])
    return _mean_factor(float_ms, [pair.int8_by(costs) for pair in pairs])


def errors(relative: Vector | Sequence[float]) -> dict[str, float]:
    """Return mean, maximum and root mean square of the absolute `relative` errors."""
    sizes = np.abs(np.asarray(relative, dtype=np.float64))
    return {
        "mean_error": round(float(sizes.mean()), 4),
        "worst_error": round(float(sizes.max()), 4),
        "rms_error": round(float(np.sqrt((sizes**2).mean())), 4),
    }


def _mean_factor(taken_ms: Vector, alone_ms: Sequence[float]) -> dict[str, float]:
    factor = round(float(np.mean(taken_ms / np.array(alone_ms))), 4)
    return {"factor": factor, **errors(factor * np.array(alone_ms) / taken_ms - 1.0)}


def _measured_ms(points: Sequence[AnyPoint]) -> Vector:
    return np.array([point.latency_ms for point in points])
