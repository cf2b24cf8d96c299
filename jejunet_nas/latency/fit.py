"""Fit a device profile to published latencies, and say how far it can be trusted.

    python -m jejunet_nas.latency.fit --points FILE.csv --out PROFILE.json

takes a second. `--points` may be a profile too: it keeps its points. On the Pixel 2's it should
reach a leave-one-out error of 2.1 % on average and 5.7 % at worst.

The costs are non-negative least squares on relative errors, so that a row of 4 ms counts as much as
one of 451 ms. Two beliefs bound them, for the fit cannot tell all kinds of work apart:

- a MAC of a depthwise or a larger-window convolution costs no less than one of a 1x1 convolution,
  which is a plain matrix product, the best case of any kernel (unbounded, the fit makes depthwise
  MACs free: in MobileNets they grow almost as bytes do);
- no byte and no operator is free (`FLOORS`).

Rows with several threads give a factor for each number of threads; rows of MobileNetV1, which were
timed with another runtime, only check the fit: after one factor for that runtime they should agree.
"""

import argparse
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.points import Point, read_points
from jejunet_nas.latency.predicted import Costs, work_of

Vector = npt.NDArray[np.float64]

OTHER_RUNTIME = "mobilenet_v1"  # the network whose rows were timed with a slower runtime
COMMAND = "python -m jejunet_nas.latency.fit --points PROFILE.json --out PROFILE.json"

METHOD = (
    "non-negative least squares on the relative errors (predicted / measured - 1) of the points "
    "with role 'fit'; left_out_error is such a point's error by a fit on the others; factors are "
    "means of measured / predicted, and their points' predictions contain them"
)

COST_NAMES = tuple(field.name for field in dataclasses.fields(Costs))
POINTWISE, WINDOW, DEPTHWISE, BYTES, OPERATORS, RESIZED = range(len(COST_NAMES))
# The least that work can cost, in the order of COST_NAMES, in ms: a million bytes at 10 GB/s, a
# third of the memory bandwidth of a phone of that age; an operator a microsecond for its dispatch.
FLOORS = np.array([0.0, 0.0, 0.0, 0.1, 0.001, 0.0])

MEANINGS = (
    "ms per million MACs of convolutions with a 1x1 window, and of any other matrix product",
    "ms per million MACs of convolutions with a larger window; in the fitted networks only the "
    "first layer. No less than that of a 1x1 window.",
    "ms per million MACs of depthwise convolutions. No less than that of a 1x1 window.",
    "ms per million bytes of activations, in and out, of every operator: packing, requantising and "
    "clamping each element rather than the memory's speed. No less than 0.1.",
    "ms per operator, whatever it does. No less than 0.001.",
    "ms per million elements that RESIZE_BILINEAR writes, beside their bytes. Only the DeepLabv3 "
    "rows tell of it, and their runtime is older: some of it may be the runtime's age.",
)
ASSUMED = (
    "int8 per channel costs what the fitted networks' uint8 per tensor costs",
    "operators without MACs cost their bytes; kinds outside fitted_kinds are a guess, which widens "
    "the interval by half of what they are charged",
    "ARG_MAX costs its bytes (int64 out, in the fitted networks): the rows cannot tell it from the "
    "RESIZE_BILINEAR before it, with which it grows",
    "several threads speed up every graph as they do DeepLabv3; small graphs may gain less",
    "a newer runtime, and other conditions of heat and clock, are not in the points",
)


def fit_costs(points: Sequence[Point]) -> Costs:
    """Return the costs that leave the least sum of squared relative errors over `points`."""
    if len(points) <= len(COST_NAMES):
        raise SettingError(
            f"{len(points)} points with one thread; allowed: at least {len(COST_NAMES) + 1}, for "
            f"{len(COST_NAMES)} costs are fitted. Add published or measured latencies."
        )
    measured = np.array([point.latency_ms for point in points])
    work = np.array([work_of(point.operators()) for point in points]) / measured[:, None]
    # Costs are FLOORS + bounded @ z with z >= 0: z of the pointwise MACs counts for all MACs, and
    # z of the others for what they cost above it.
    bounded = np.eye(len(COST_NAMES))
    bounded[[WINDOW, DEPTHWISE], POINTWISE] = 1.0
    columns = work @ bounded
    scale = np.maximum(columns.max(axis=0), 1e-12)
    z, _ = nnls(columns / scale, 1.0 - work @ FLOORS)
    costs = FLOORS + bounded @ (z / scale)
    # Five digits are far inside the error, and the same on every machine.
    return Costs(**{name: float(f"{c:.5g}") for name, c in zip(COST_NAMES, costs, strict=True)})


def leave_one_out_errors(points: Sequence[Point]) -> Vector:
    """Return each point's relative error (predicted / measured - 1) by a fit on the others."""
    predicted_ms = [
        predict_ms(fit_costs([*points[:index], *points[index + 1 :]]), point)
        for index, point in enumerate(points)
    ]
    return np.array(predicted_ms) / measured_ms(points) - 1.0


def fit_profile(points: Sequence[Point], device: str) -> dict[str, Any]:
    """Return the profile of `device` as the plain values of its JSON file."""
    fitted = [point for point in points if _role(point) == "fit"]
    others = [point for point in points if point.network == OTHER_RUNTIME]
    costs, left_out = fit_costs(fitted), leave_one_out_errors(fitted)
    threads = thread_factors(costs, [point for point in points if point not in others])
    runtime_factor = _mean_ratio(costs, others)
    rows = []
    for point in points:
        factor = runtime_factor if point in others else threads[str(point.threads)]["factor"]
        rows.append(_row(point, factor * predict_ms(costs, point)))
    for point, error in zip(fitted, left_out, strict=True):
        rows[points.index(point)]["left_out_error"] = round(float(error), 4)
    other_errors = [row["error"] for row in rows if row["network"] == OTHER_RUNTIME]
    return {
        "device": device,
        "runtime": "; ".join(sorted({point.runtime for point in fitted})),
        "made_by": COMMAND,
        "method": METHOD,
        "costs": dataclasses.asdict(costs),
        "costs_mean": dict(zip(COST_NAMES, MEANINGS, strict=True)),
        "costs_at_their_bound": at_their_bound(costs),
        "assumed": list(ASSUMED),
        "fitted_kinds": sorted({op.kind for point in fitted for op in point.operators()}),
        "leave_one_out": {"points": len(fitted), **_errors(left_out)},
        "threads": threads,
        "other_runtime": {
            "network": OTHER_RUNTIME,
            "factor": runtime_factor,
            **_errors(other_errors),
        },
        "points": rows,
    }


def at_their_bound(costs: Costs) -> list[str]:
    """Return the names of the costs that a bound decided, not the points."""
    bounds = FLOORS.copy()
    bounds[[WINDOW, DEPTHWISE]] = costs.ms_per_million_pointwise_macs
    fitted = dataclasses.astuple(costs)
    return [n for n, cost, bound in zip(COST_NAMES, fitted, bounds, strict=True) if cost <= bound]


def thread_factors(costs: Costs, points: Sequence[Point]) -> dict[str, dict[str, float]]:
    """Return what each number of threads makes of one thread's prediction, with its errors.

    The factor is the mean of measured / predicted; one thread's is 1, and its error is the fit's.
    """
    factors = {"1": {"factor": 1.0, **_errors([0.0])}}
    for threads in sorted({point.threads for point in points} - {1}):
        rows = [point for point in points if point.threads == threads]
        factor = _mean_ratio(costs, rows)
        predicted = np.array([factor * predict_ms(costs, point) for point in rows])
        factors[str(threads)] = {
            "factor": factor,
            **_errors(predicted / measured_ms(rows) - 1.0),
        }
    return factors


def predict_ms(costs: Costs, point: Point) -> float:
    """Return one thread's milliseconds for the network of `point`."""
    return costs.of(work_of(point.operators()))


def measured_ms(points: Sequence[Point]) -> Vector:
    """Return the published milliseconds of `points`."""
    return np.array([point.latency_ms for point in points])


def write_profile(profile: dict[str, Any], out: Path) -> None:
    """Write `profile` as JSON beside `out`, and rename it into place."""
    beside = out.with_suffix(".json.part")
    beside.write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")
    os.replace(beside, out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit a profile to a file of points, and write it."""
    parser = argparse.ArgumentParser(prog="python -m jejunet_nas.latency.fit")
    parser.add_argument("--points", type=Path, required=True, help="a CSV table or a profile")
    parser.add_argument("--out", type=Path, required=True, help="the profile to write (.json)")
    parser.add_argument("--device", default="Google Pixel 2", help="the phone's name")
    chosen = parser.parse_args(arguments)
    write_profile(fit_profile(read_points(chosen.points), chosen.device), chosen.out)


def _row(point: Point, predicted_ms: float) -> dict[str, Any]:
    return dataclasses.asdict(point) | {
        "role": _role(point),
        "predicted_ms": round(predicted_ms, 2),
        "error": round(predicted_ms / point.latency_ms - 1.0, 4),
    }


def _role(point: Point) -> str:
    if point.network == OTHER_RUNTIME:
        return "check after the factor of its runtime"
    return "fit" if point.threads == 1 else "factor of its threads"


def _mean_ratio(costs: Costs, points: Sequence[Point]) -> float:
    ratios = [point.latency_ms / predict_ms(costs, point) for point in points]
    return round(float(np.mean(ratios)), 4) if ratios else 1.0


def _errors(errors: Vector | Sequence[float]) -> dict[str, float]:
    sizes = np.abs(np.asarray(errors, dtype=np.float64)) if len(errors) else np.zeros(1)
    return {
        "mean_error": round(float(sizes.mean()), 4),
        "worst_error": round(float(sizes.max()), 4),
        "rms_error": round(float(np.sqrt((sizes**2).mean())), 4),
    }


if __name__ == "__main__":
    main()
