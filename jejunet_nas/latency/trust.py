"""How far a device profile can be trusted, computed from its points.

`trust` fits the profile's points again, leaving each out in turn, and gives the prediction errors
by group; `trust_lines` is a table of them. The errors stated in the file are not used.

Units: milliseconds; errors are predicted / known - 1.
"""

import dataclasses
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.costs import (
    LEAST_POINTS,
    fit_costs,
    leave_one_out_errors,
    of_networks,
    predict_ms,
)
from jejunet_nas.latency.factors import (
    FloatPair,
    float_factor,
    int8_ms,
    of_other_runtime,
    one_thread_points,
    runtime_factor,
    several_thread_points,
    thread_factors,
)
from jejunet_nas.latency.fit import read_float_pairs
from jejunet_nas.latency.points import AnyPoint, Point, is_stable, read_points

NAMES = {
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
    "deeplabv3_mobilenet_v2_os16": "DeepLabv3",
}
MEASURED = "measured networks"
STRESS = "measured, one kind of work each"
NAME_WIDTH = 42
LEGEND = "Error: predicted / known - 1, by a fit on the other points; *: on all, with the factor."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrustRow:
    """One point: its known and its predicted latency.

    size: of a published network; "" for a measured graph.
    """

    group: str
    graph: str
    size: str
    threads: int
    known_ms: float
    predicted_ms: float

    @property
    def error(self) -> float:
        """The relative error of the prediction."""
        return self.predicted_ms / self.known_ms - 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrustGroup:
    """Points that are predicted in the same way: by the costs alone, or with one `factor`."""

    name: str
    points: int
    factor: float | None
    mean_error: float
    worst_error: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far the profile of `device` can be trusted, by groups and point by point.

    left_out: all networks with one thread; its errors are those of the fit. not_fitted: the number
    of unstable measurements.
    """

    device: str
    runtime: str
    left_out: TrustGroup
    groups: tuple[TrustGroup, ...]
    rows: tuple[TrustRow, ...]
    not_fitted: int


def trust(profile_file: Path) -> Trust:
    """Return how far the profile in `profile_file` can be trusted.

    Raises `SettingError` if it is no profile, or has too few points.
    """
    points = read_points(profile_file)
    fitted = one_thread_points(points)
    if len(fitted) < LEAST_POINTS:
        raise SettingError(
            f"{profile_file} has {len(fitted)} points with one thread; allowed: at least "
            f"{LEAST_POINTS}. Measure {LEAST_POINTS - len(fitted)} more."
        )
    pairs, _ = read_float_pairs(profile_file)
    one_thread = _left_out_rows(fitted)
    networks = [row for row, one in zip(one_thread, of_networks(fitted), strict=True) if one]
    factors, rows = _factor_rows(points, fitted, pairs)
    by_name = dict.fromkeys(row.group for row in (*one_thread, *rows))
    return Trust(
        device=json.loads(profile_file.read_text(encoding="utf-8")).get("device", ""),
        runtime="; ".join(sorted({point.runtime for point in fitted})),
        left_out=_group("1 thread, networks", networks, None),
        groups=tuple(
            _group(name, [r for r in (*one_thread, *rows) if r.group == name], factors.get(name))
            for name in by_name
        ),
        rows=(*one_thread, *rows),
        not_fitted=sum(not is_stable(point) for point in points),
    )


def trust_lines(trust: Trust) -> list[str]:
    """Return `trust` as a table of at most 100 columns."""
    factors = {group.name: group.factor for group in trust.groups}
    lines = [
        *textwrap.wrap(
            f"{trust.device}, {trust.runtime}: {trust.left_out.points} networks fitted", 100
        ),
        "",
        f"{'group':{NAME_WIDTH}}{'points':>8}{'factor':>10}{'mean error':>12}{'worst':>10}",
    ]
    for group in (trust.left_out, *trust.groups):
        factor = "" if group.factor is None else f"{group.factor:.2f}"
        lines.append(
            f"{group.name:{NAME_WIDTH}}{group.points:>8}{factor:>10}"
            f"{group.mean_error:>12.1%}{group.worst_error:>10.1%}"
        )
    lines += [
        "",
        f"{'graph':{NAME_WIDTH}}{'size':>6}{'threads':>9}{'known ms':>11}{'predicted':>11}"
        f"{'error':>9}  ",
    ]
    for row in trust.rows:
        note = "  *" if factors[row.group] is not None else ""
        lines.append(
            f"{_cut(row.graph):{NAME_WIDTH}}{row.size:>6}{row.threads:>9}{row.known_ms:>11.1f}"
            f"{row.predicted_ms:>11.1f}{row.error:>+9.1%}{note}"
        )
    if trust.not_fitted:
        lines += ["", f"{trust.not_fitted} measurements are unstable, and not fitted."]
    return [line.rstrip() for line in (*lines, "", LEGEND)]


def _left_out_rows(fitted: Sequence[AnyPoint]) -> list[TrustRow]:
    left_out = leave_one_out_errors(fitted)
    return [
        _row(_network(point), point, point.latency_ms * (1.0 + float(error)))
        for point, error in zip(fitted, left_out, strict=True)
    ]


def _factor_rows(
    points: Sequence[AnyPoint], fitted: Sequence[AnyPoint], pairs: Sequence[FloatPair]
) -> tuple[dict[str, float], list[TrustRow]]:
    """Return the factor of each group, and its points, predicted by a fit on all fitted points."""
    costs, rows = fit_costs(fitted), []
    factors: dict[str, float] = {}
    other = runtime_factor(costs, points)
    if other:
        for point in filter(of_other_runtime, points):
            group = f"{_network(point)}, another runtime"
            factors[group] = other["factor"]
            rows.append(_row(group, point, other["factor"] * predict_ms(costs, point)))
    for threads, known in thread_factors(costs, points).items():
        for point in several_thread_points(points):
            if str(point.threads) == threads:
                group = f"{threads} threads"
                factors[group] = known["factor"]
                rows.append(_row(group, point, known["factor"] * predict_ms(costs, point)))
    if pairs:
        over = costs if any(isinstance(point, Point) for point in fitted) else None
        factors["float32"] = float_factor(pairs, over)["factor"]
        rows += [_float_row(pair, factors["float32"] * int8_ms(pair, over)) for pair in pairs]
    return factors, rows


def _group(name: str, rows: Sequence[TrustRow], factor: float | None) -> TrustGroup:
    sizes = [abs(row.error) for row in rows]
    return TrustGroup(
        name=name,
        points=len(rows),
        factor=factor,
        mean_error=sum(sizes) / len(sizes),
        worst_error=max(sizes),
    )


def _network(point: AnyPoint) -> str:
    if isinstance(point, Point):
        return NAMES.get(point.network, point.network)
    return MEASURED if point.weight >= 1.0 else STRESS


def _row(group: str, point: AnyPoint, predicted_ms: float) -> TrustRow:
    if isinstance(point, Point):
        graph, size = f"{_network(point)} {point.depth_multiplier:g}", str(point.input_size_px)
    else:
        graph, size = point.graph, ""
    return TrustRow(
        group=group,
        graph=graph,
        size=size,
        threads=point.threads,
        known_ms=point.latency_ms,
        predicted_ms=predicted_ms,
    )


def _float_row(pair: FloatPair, predicted_ms: float) -> TrustRow:
    return TrustRow(
        group="float32",
        graph=f"{NAMES.get(pair.network, pair.network)} {pair.depth_multiplier:g}, float32",
        size=str(pair.input_size_px),
        threads=1,
        known_ms=pair.float_ms,
        predicted_ms=predicted_ms,
    )


def _cut(name: str) -> str:
    return name if len(name) < NAME_WIDTH else f"{name[: NAME_WIDTH - 4]}..."
