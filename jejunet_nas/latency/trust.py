"""How far a device profile can be trusted, computed from its points.

`trust` fits the profile again, leaving each point out in turn, and gives the prediction errors by
group; `trust_lines` is a table of them. The errors stated in the file are not used.

Units: milliseconds; errors are predicted / known - 1.
"""

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.latency.costs import CHECK, FIT, UNSTABLE, FloatPair
from jejunet_nas.latency.fit import OVER_PREDICTION, refit
from jejunet_nas.latency.predicted_meter import Costs

NAMES = {
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
    "deeplabv3_mobilenet_v2_os16": "DeepLabv3",
}
MEASURED = "measured networks"
STRESS = "measured, one kind of work each"
FLOAT = "float32"
NAME_WIDTH = 42
LEGEND = "Error: predicted / known - 1, by a fit on the other points; *: on all, with the factor."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrustRow:
    """One point: its known and its predicted latency.

    size: of a published network; "" for a measured graph. factor: that of its group, if any.
    """

    group: str
    graph: str
    size: str
    threads: int
    known_ms: float
    predicted_ms: float
    factor: float | None

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
    """Return the prediction errors of the profile in `profile_file`.

    Raises `SettingError` if it is no profile, or has too few points.
    """
    profile = refit(profile_file)
    stable = [point for point in profile["points"] if point["role"] != UNSTABLE]
    rows = [_row(point, profile) for point in stable]
    # Fitted points first, then those of another runtime, of several threads, and in float32.
    rows.sort(key=lambda row: (row.factor is not None, row.threads))
    rows += _float_rows(profile)
    fitted = profile["leave_one_out"]
    return Trust(
        device=profile["device"],
        runtime=profile["runtime"],
        left_out=TrustGroup(
            name="1 thread, networks",
            factor=None,
            **{name: fitted[name] for name in ("points", "mean_error", "worst_error")},
        ),
        groups=tuple(
            _group(name, [row for row in rows if row.group == name])
            for name in dict.fromkeys(row.group for row in rows)
        ),
        rows=tuple(rows),
        not_fitted=len(profile["points"]) - len(stable),
    )


def trust_lines(trust: Trust) -> list[str]:
    """Return `trust` as a table of at most 100 columns."""
    fitted = f"{trust.device}, {trust.runtime}: {trust.left_out.points} networks fitted"
    lines = [
        *textwrap.wrap(fitted, 100),
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
        name = row.graph if len(row.graph) < NAME_WIDTH else f"{row.graph[: NAME_WIDTH - 4]}..."
        lines.append(
            f"{name:{NAME_WIDTH}}{row.size:>6}{row.threads:>9}{row.known_ms:>11.1f}"
            f"{row.predicted_ms:>11.1f}{row.error:>+9.1%}"
            f"{'' if row.factor is None else '  *'}"
        )
    if trust.not_fitted:
        lines += ["", f"{trust.not_fitted} measurements are unstable, and not fitted."]
    return [line.rstrip() for line in (*lines, "", LEGEND)]


def _row(point: dict[str, Any], profile: dict[str, Any]) -> TrustRow:
    threads = str(point["threads"])
    if "network" in point:
        group = NAMES.get(point["network"], point["network"])
        graph, size = f"{group} {point['depth_multiplier']:g}", str(point["input_size_px"])
    else:
        group, graph, size = MEASURED if point["weight"] >= 1.0 else STRESS, point["graph"], ""
    error, factor = point["error"], None
    if point["role"] == FIT:
        error = point["left_out_error"]
    elif point["role"] == CHECK:
        group, factor = f"{group}, another runtime", profile["other_runtime"]["factor"]
    else:
        group, factor = f"{threads} threads", profile["threads"][threads]["factor"]
    return TrustRow(
        group=group,
        graph=graph,
        size=size,
        threads=point["threads"],
        known_ms=point["latency_ms"],
        predicted_ms=point["latency_ms"] * (1.0 + error),
        factor=factor,
    )


def _float_rows(profile: dict[str, Any]) -> Iterator[TrustRow]:
    if not (known := profile.get("float_factor")):
        return
    costs = Costs(**profile["costs"]) if known["over"] == OVER_PREDICTION else None
    for pair in (FloatPair(**each) for each in known["pairs"]):
        yield TrustRow(
            group=FLOAT,
            graph=f"{NAMES.get(pair.network, pair.network)} {pair.depth_multiplier:g}, {FLOAT}",
            size=str(pair.input_size_px),
            threads=1,
            known_ms=pair.float_ms,
            predicted_ms=known["factor"] * pair.int8_by(costs),
            factor=known["factor"],
        )


def _group(name: str, rows: Sequence[TrustRow]) -> TrustGroup:
    sizes = [abs(row.error) for row in rows]
    return TrustGroup(
        name=name,
        points=len(rows),
        factor=rows[0].factor,
        mean_error=sum(sizes) / len(sizes),
        worst_error=max(sizes),
    )
