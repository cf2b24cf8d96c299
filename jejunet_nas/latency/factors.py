"""Factors on a prediction for what the costs do not cover.

One for each number of threads, one for points of another runtime, and one for float32 graphs. Each
is a mean of ratios, with the errors that remain.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jejunet_nas.latency.costs import Vector, measured_ms, predict_ms
from jejunet_nas.latency.points import AnyPoint, Point, is_stable
from jejunet_nas.latency.predicted_meter import Costs
from jejunet_nas.latency.published_networks import operators_of
from jejunet_nas.latency.work import work_of

OTHER_RUNTIME = "mobilenet_v1"  # the network whose rows were timed with a slower runtime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FloatPair:
    """One network at one size, published in float32 and in int8 in the same table."""

    network: str
    depth_multiplier: float
    input_size_px: int
    float_ms: float
    int8_ms: float


def of_other_runtime(point: AnyPoint) -> bool:
    """Whether `point` was timed with another runtime: it only checks the fit."""
    return isinstance(point, Point) and point.network == OTHER_RUNTIME


def one_thread_points(points: Iterable[AnyPoint]) -> list[AnyPoint]:
    """Return the points that costs are fitted to."""
    return [p for p in points if p.threads == 1 and is_stable(p) and not of_other_runtime(p)]


def several_thread_points(points: Iterable[AnyPoint]) -> list[AnyPoint]:
    """Return the points that the thread factors come from."""
    return [p for p in points if p.threads > 1 and is_stable(p) and not of_other_runtime(p)]


def thread_factors(costs: Costs, points: Sequence[AnyPoint]) -> dict[str, dict[str, float]]:
    """Return the factor of each number of threads, with its errors.

    The factor is the mean of measured / one thread's latency; the latter is measured if the same
    graph was timed with one thread too, else predicted. One thread has 1, and the error of the fit.
    """
    factors = {"1": {"factor": 1.0, **errors([0.0])}}
    one_thread_ms = {p.graph_id: p.latency_ms for p in one_thread_points(points)}
    several = several_thread_points(points)
    for threads in sorted({point.threads for point in several}):
        rows = [point for point in several if point.threads == threads]
        alone_ms = [one_thread_ms.get(p.graph_id, predict_ms(costs, p)) for p in rows]
        factors[str(threads)] = _mean_factor(measured_ms(rows), np.array(alone_ms))
    return factors


def runtime_factor(costs: Costs, points: Sequence[AnyPoint]) -> dict[str, float] | None:
    """Return the mean measured / predicted of the other runtime's points, with errors, or None."""
    others = [point for point in points if of_other_runtime(point)]
    if not others:
        return None
    predicted_ms = np.array([predict_ms(costs, point) for point in others])
    return _mean_factor(measured_ms(others), predicted_ms)


def float_factor(pairs: Sequence[FloatPair], costs: Costs | None) -> dict[str, float]:
    """Return the mean float32 / int8 latency of `pairs`, with its errors.

    The int8 latency is predicted by `costs`. Without costs it is the published one, which makes the
    factor fit for another phone or runtime.
    """
    float_ms = np.array([pair.float_ms for pair in pairs])
    return _mean_factor(float_ms, np.array([int8_ms(pair, costs) for pair in pairs]))


def int8_ms(pair: FloatPair, costs: Costs | None) -> float:
    """Return the int8 latency of the network by `costs`, or the published one without costs."""
    if costs is None:
        return pair.int8_ms
    return costs.of(work_of(operators_of(pair.network, pair.depth_multiplier, pair.input_size_px)))


def errors(relative: Vector | Sequence[float]) -> dict[str, float]:
    """Return mean, maximum and root mean square of the absolute `relative` errors."""
    sizes = np.abs(np.asarray(relative, dtype=np.float64))
    return {
        "mean_error": round(float(sizes.mean()), 4),
        "worst_error": round(float(sizes.max()), 4),
        "rms_error": round(float(np.sqrt((sizes**2).mean())), 4),
    }


def _mean_factor(taken_ms: Vector, alone_ms: Vector) -> dict[str, Any]:
    factor = round(float(np.mean(taken_ms / alone_ms)), 4)
    return {"factor": factor, **errors(factor * alone_ms / taken_ms - 1.0)}
