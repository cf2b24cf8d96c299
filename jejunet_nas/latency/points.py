"""Points: known latencies of one device, each with its source.

`fit` turns them into a device profile. A `Point` was published for a network by name. A
`MeasuredPoint` was measured on a graph's file and keeps the graph's work, so the fit does not need
the file. Points are read from a table (CSV, published ones only) or from a profile, which keeps the
points it was fitted to.

Units: latency in milliseconds; input size in pixels; MACs in millions, as the source rounds them.
"""

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from pydantic import TypeAdapter, ValidationError

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.predicted_meter import Work, work_of
from jejunet_nas.latency.profile_json import faults_of, read_profile_json
from jejunet_nas.latency.published_networks import operators_of
from jejunet_nas.records import Latency, Operator


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One published latency: which network at which size, how it was run, and the source."""

    network: str
    depth_multiplier: float
    input_size_px: int
    threads: int
    latency_ms: float
    million_macs: float
    runtime: str
    source: str

    stable: ClassVar[bool] = True
    weight: ClassVar[float] = 1.0  # of its error in a fit

    def __post_init__(self) -> None:
        _check_positive(
            self, self.network, ("latency_ms", "input_size_px", "threads", "depth_multiplier")
        )

    def operators(self) -> list[Operator]:
        """Return the operators of the network."""
        return operators_of(self.network, self.depth_multiplier, self.input_size_px)

    @property
    def graph_id(self) -> str:
        """An identifier of its graph."""
        return f"{self.network} {self.depth_multiplier} {self.input_size_px}"

    @property
    def work(self) -> Work:
        """The work of the network."""
        return work_of(self.operators())

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its operators."""
        return frozenset(operator.kind for operator in self.operators())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPoint:
    """One measured latency, and what a fit needs of the graph.

    graph: its name, for people. sha256: of its file. stable: an unstable measurement is kept but
    not fitted. weight: of its error in a fit: 1 for a network, less for a graph that only helps to
    separate the costs.
    """

    graph: str
    sha256: str
    work: Work
    kinds: frozenset[str]
    threads: int
    latency_ms: float
    low_ms: float
    high_ms: float
    runs: int
    runtime: str
    source: str
    stable: bool
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_positive(self, self.graph, ("latency_ms", "threads", "weight"))
        if not all(0 <= part < math.inf for part in self.work):
            raise SettingError(
                f"work of {shortened(self.graph)} is not 0 or more. Measure it again."
            )
        if not self.low_ms <= self.latency_ms <= self.high_ms:
            raise SettingError(
                f"latency_ms of {shortened(self.graph)} is {self.latency_ms} in [{self.low_ms}, "
                f"{self.high_ms}]; allowed: low_ms <= latency_ms <= high_ms. Order the figures."
            )

    @property
    def graph_id(self) -> str:
        """An identifier of its graph."""
        return self.sha256


AnyPoint: TypeAlias = Point | MeasuredPoint

MOST_POINTS = 2000  # each is left out of a fit once
_MOST = 1e6  # ms, pixels, threads: more than any point has
COLUMNS = tuple(field.name for field in dataclasses.fields(Point))


def measured_point(
    file: Path,
    latency: Latency,
    *,
    stable: bool,
    runtime: str,
    source: str,
    graph: str | None = None,
    weight: float = 1.0,
    operators: Sequence[Operator] | None = None,
) -> MeasuredPoint:
    """Return `latency`, measured on the graph in `file`, as a point.

    graph: a name for people; default: the file's. operators: those of the graph, if known. Raises
    `SettingError` if the graph computes in float32: a profile's costs are those of int8.
    """
    if operators is None:
        # Imported here because points from a table need no interpreter.
        from jejunet_nas.litert import countable_operators

        operators = countable_operators(file)
    if any(operator.float32 and operator.macs for operator in operators):
        raise SettingError(
            f"{file} computes in float32; allowed: int8 graphs, whose costs a profile holds. "
            "Quantise it first."
        )
    return MeasuredPoint(
        graph=graph or file.name,
        sha256=sha256_of(file),
        work=work_of(operators),
        kinds=frozenset(operator.kind for operator in operators),
        threads=latency.threads,
        latency_ms=latency.median_ms,
        low_ms=latency.low_ms,
        high_ms=latency.high_ms,
        runs=latency.runs,
        runtime=runtime,
        source=source,
        stable=stable,
        weight=weight,
    )


def add_points(points: Sequence[AnyPoint], new: Sequence[AnyPoint]) -> tuple[AnyPoint, ...]:
    """Return `points` with `new` ones added.

    A new measurement of the same graph with as many threads replaces the old one; but an unstable
    one never replaces a stable one.
    """
    merged = list(points)
    for point in new:
        what = point.graph_id, point.threads
        same = [at for at, known in enumerate(merged) if (known.graph_id, known.threads) == what]
        if not same:
            merged.append(point)
        elif point.stable or not merged[same[0]].stable:
            merged[same[0]] = point
    return tuple(merged)


def point_row(point: AnyPoint) -> dict[str, Any]:
    """Return `point` as plain JSON values, which `read_points` reads."""
    row = dataclasses.asdict(point)
    if isinstance(point, MeasuredPoint):
        row |= {"work": point.work._asdict(), "kinds": sorted(point.kinds)}
    return row


def read_points(file: Path) -> tuple[AnyPoint, ...]:
    """Return the points of a CSV table or of a profile (`.json`), in the order of the file.

    Raises `SettingError` if the file, or a column or a number in it, is missing or wrong.
    """
    rows = _profile_rows(file) if file.suffix == ".json" else _table_rows(file)
    if len(rows) > MOST_POINTS:
        raise SettingError(
            f"{file} has {len(rows)} points; allowed: up to {MOST_POINTS}. Leave some out."
        )
    return tuple(_point(file, number, row) for number, row in enumerate(rows, start=1))


def _table_rows(file: Path) -> list[dict[str, Any]]:
    columns = f"Give a CSV table with the columns {', '.join(COLUMNS)}, or a device profile."
    try:
        table = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        rows, names = list(table), list(table.fieldnames or ())
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(f"the points {file} cannot be read ({reason}). {columns}") from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingError(f"{file} has the column {twice[0]} twice. {columns}")
    return rows


def _profile_rows(file: Path) -> list[dict[str, Any]]:
    rows = read_profile_json(file).get("points")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingError(
            f"{file} has no points, a list of objects. "
            "Give a device profile that `jejunet-nas calibrate` wrote."
        )
    return rows


_PUBLISHED, _MEASURED = TypeAdapter(Point), TypeAdapter(MeasuredPoint)


def _point(file: Path, number: int, row: Mapping[str, Any]) -> AnyPoint:
    measured = "sha256" in row
    given = {name: value for name, value in row.items() if name and value not in (None, "")}
    try:
        return (_MEASURED if measured else _PUBLISHED).validate_python(given)
    except ValidationError as error:
        raise SettingError(f"point {number} of {file}: {faults_of(error)}. Fix it.") from None
    except SettingError as error:
        raise SettingError(f"point {number} of {file}: {error}") from None


def _check_positive(point: AnyPoint, name: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        if not 0 < getattr(point, field) <= _MOST:
            raise SettingError(
                f"{field} of {shortened(name)} is {getattr(point, field)}; allowed: more than 0, "
                f"up to {_MOST:g}. Fix it."
            )
