"""Fits a device profile to known latencies, with its leave-one-out error.

    python -m jejunet_nas.latency.fit --points FILE.csv --out PROFILE.json

takes a second. `--points` may also be a profile, which keeps its points. On the Pixel 2's it should
reach a leave-one-out error of 2.1 % on average and 5.7 % at worst.

Rows with one thread give the `costs`; rows with several threads give a factor for each number of
threads. Rows of MobileNetV1, timed with another runtime, only check the fit: after one factor for
that runtime they should agree. Networks published in float32 and in int8 give a factor for float
graphs. Unstable measurements are kept, not fitted.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from pydantic import TypeAdapter, ValidationError

from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_text_whole
from jejunet_nas.latency.costs import (
    CHECK,
    COST_NAMES,
    FIT,
    LEAST_POINTS,
    OTHER_RUNTIME,
    FloatPair,
    at_their_bound,
    errors,
    fit_costs,
    float_factor,
    leave_one_out_errors,
    role_of,
    runtime_factor,
    thread_factors,
    with_role,
)
from jejunet_nas.latency.points import AnyPoint, Point, add_points, point_row, read_points
from jejunet_nas.latency.predicted_meter import Costs
from jejunet_nas.latency.profile_json import faults_of, read_profile_json

COMMAND = "python -m jejunet_nas.latency.fit --points PROFILE.json --out PROFILE.json"

METHOD = (
    "non-negative least squares on the relative errors (predicted / measured - 1) of the points "
    "with role 'fit', each times its weight; left_out_error is such a point's error by a fit on "
    "the others, and leave_one_out sums up those of full weight, the networks; factors are means "
    "of measured / one thread's (measured on the same graph where it was, else predicted), and "
    "their points' predictions contain them"
)
MEANINGS = (
    "ms per million MACs of convolutions with a 1x1 window, and of any other matrix product",
    "ms per million MACs of convolutions with a larger window. No less than that of a 1x1 window.",
    "ms per million MACs of depthwise convolutions. No less than that of a 1x1 window.",
    "ms per million bytes of activations, in and out, of every operator: packing, requantising and "
    "clamping each element rather than the memory's speed. No less than 0.005.",
    "ms per operator, whatever it does. No less than 0.00005.",
    "ms per million elements that RESIZE_BILINEAR writes, beside their bytes.",
)
ASSUMED = (
    "operators without MACs cost their bytes; kinds outside fitted_kinds are a guess, which widens "
    "the interval by half of what they are charged",
    "a graph in float32 takes float_factor times what its operators would take in int8; in its "
    "pairs the factor grew with the channels, and newer float kernels are not in them",
    "another runtime, and other conditions of heat and clock, are not in the points",
)
ASSUMED_OF_PUBLISHED = (
    "int8 per channel costs what the published networks' uint8 per tensor costs",
    "larger windows are only in the published networks' first layer",
    "the resize is only in the DeepLabv3 rows, whose runtime is older: some of its cost may be the "
    "runtime's age",
    "ARG_MAX costs its bytes (int64 out, in the published networks): the rows cannot tell it from "
    "the RESIZE_BILINEAR before it, with which it grows",
    "several threads speed up every graph as they do DeepLabv3; small graphs may gain less",
)
# With points of the pairs' own phone and years this factor gives the published float latencies.
# The int8 rows of the pairs' table are of a slower runtime: over them, predictions would be 20 %
# too low.
OVER_PREDICTION = "float_ms over this profile's prediction of the network in int8"
OVER_PAIR = (
    "float_ms over int8_ms of the same table, taken on another phone or with an older runtime"
)


_PAIRS = TypeAdapter(list[FloatPair])
# Pairs, and their source.
FloatPairs: TypeAlias = tuple[tuple[FloatPair, ...], str]
NO_PAIRS: FloatPairs = ((), "")


def fit_profile(
    points: Sequence[AnyPoint], device: str, float_pairs: FloatPairs = NO_PAIRS
) -> dict[str, Any]:
    """Return the profile of `device` as the plain values of its JSON file.

    Raises `SettingError` if there are too few points with one thread.
    """
    fitted = with_role(FIT, points)
    if len(fitted) < LEAST_POINTS:
        raise SettingError(
            f"{len(fitted)} points with one thread; allowed: at least {LEAST_POINTS}, to fit "
            f"{len(COST_NAMES)} costs and leave one out. Measure {LEAST_POINTS - len(fitted)} more."
        )
    costs, left_out = fit_costs(fitted), leave_one_out_errors(fitted)
    networks = np.array([point.weight >= 1.0 for point in fitted])
    networks = networks if networks.any() else ~networks
    threads, other = thread_factors(costs, points), runtime_factor(costs, points)
    rows = [_row(point, costs, threads, other) for point in points]
    for point, error in zip(fitted, left_out, strict=True):
        rows[points.index(point)]["left_out_error"] = round(float(error), 4)
    published = any(isinstance(point, Point) for point in fitted)
    profile: dict[str, Any] = {
        "device": device,
        "runtime": "; ".join(sorted({point.runtime for point in fitted})),
        "made_by": COMMAND,
        "method": METHOD,
        "costs": dataclasses.asdict(costs),
        "costs_mean": dict(zip(COST_NAMES, MEANINGS, strict=True)),
        "costs_at_their_bound": at_their_bound(costs),
        "assumed": [*ASSUMED, *(ASSUMED_OF_PUBLISHED if published else ())],
        "fitted_kinds": sorted(set[str]().union(*(point.kinds for point in fitted))),
        "leave_one_out": {"points": int(networks.sum()), **errors(left_out[networks])},
        "threads": threads,
        "other_runtime": dict[str, Any](network=OTHER_RUNTIME, **other) if other else None,
    }
    pairs, source = float_pairs
    if pairs:
        profile["float_factor"] = {
            **float_factor(pairs, costs if published else None),
            "over": OVER_PREDICTION if published else OVER_PAIR,
            "source": source,
            "pairs": [dataclasses.asdict(pair) for pair in pairs],
        }
    return profile | {"points": rows}


def refit(profile: Path, new: Sequence[AnyPoint] = ()) -> dict[str, Any]:
    """Return `profile` fitted again with `new` points added to its own. Raises `SettingError`."""
    points, pairs = add_points(read_points(profile), new), read_float_pairs(profile)
    device = read_profile_json(profile).get("device", "")
    if not isinstance(device, str):
        raise SettingError(f"{profile}: device is not a name. Write the phone's name there.")
    try:
        return fit_profile(points, device, pairs)
    except SettingError as error:
        raise SettingError(f"{profile}: {error}") from None


def read_float_pairs(file: Path) -> FloatPairs:
    """Return the float and int8 latencies in a profile, and their source; a CSV has none.

    Raises `SettingError` if they cannot be read.
    """
    if file.suffix != ".json":
        return NO_PAIRS
    known = read_profile_json(file).get("float_factor")
    if known is None:
        return NO_PAIRS
    try:
        pairs = _PAIRS.validate_python(known["pairs"])
        return tuple(pairs), str(known["source"])
    except ValidationError as error:
        reason = faults_of(error)
    except (KeyError, TypeError, SettingError) as error:
        reason = str(error).rstrip(".")
    raise SettingError(
        f"float_factor of {file} cannot be read ({reason}). Remove the entry, or make the profile "
        "again."
    )


def write_profile(profile: dict[str, Any], out: Path) -> None:
    """Write `profile` as JSON, completely or not at all."""
    write_text_whole(out, json.dumps(profile, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit a profile to a file of points, and write it."""
    parser = argparse.ArgumentParser(prog="python -m jejunet_nas.latency.fit")
    parser.add_argument("--points", type=Path, required=True, help="a CSV table or a profile")
    parser.add_argument("--out", type=Path, required=True, help="the profile to write (.json)")
    parser.add_argument("--device", default="Google Pixel 2", help="the phone's name")
    chosen = parser.parse_args(arguments)
    points, pairs = read_points(chosen.points), read_float_pairs(chosen.points)
    write_profile(fit_profile(points, chosen.device, pairs), chosen.out)


def _row(
    point: AnyPoint,
    costs: Costs,
    threads: dict[str, dict[str, float]],
    other: dict[str, float] | None,
) -> dict[str, Any]:
    factor = threads.get(str(point.threads), {"factor": 1.0})["factor"]
    if other and role_of(point) == CHECK:
        factor = other["factor"]
    predicted_ms = factor * costs.of(point.work)
    return point_row(point) | {
        "role": role_of(point),
        "predicted_ms": round(predicted_ms, 2),
        "error": round(predicted_ms / point.latency_ms - 1.0, 4),
    }


if __name__ == "__main__":
    main()
