"""Points: latencies of known networks on one device, each with where it was published.

`fit` turns them into a device profile. They are read from a table (CSV, a row each) or from a
profile, which keeps the points it was fitted on, so that it can be fitted again.

Units: latency in milliseconds; input size in pixels; MACs in millions, as the source rounds them.
"""

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.published import operators_of
from jejunet_nas.records import Operator


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One published latency: which network at which size, how it was run, and who says so."""

    network: str
    depth_multiplier: float
    input_size_px: int
    threads: int
    latency_ms: float
    million_macs: float
    runtime: str
    source: str

    def __post_init__(self) -> None:
        for name in ("latency_ms", "input_size_px", "threads"):
            if not getattr(self, name) > 0:
                raise SettingError(
                    f"{name} of {self.network} is {getattr(self, name)}; allowed: more than 0."
                )

    def operators(self) -> list[Operator]:
        """Return the operators of the network that was timed."""
        return operators_of(self.network, self.depth_multiplier, self.input_size_px)


COLUMNS = tuple(field.name for field in dataclasses.fields(Point))


def read_points(file: Path) -> tuple[Point, ...]:
    """Return the points of a CSV table or of a profile (`.json`), in the order of the file.

    Raise `SettingError` where the file is missing, or a column or a number in it.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(
            f"the points {file} cannot be read ({error.strerror}); allowed: a CSV table with the "
            f"columns {', '.join(COLUMNS)}, or a device profile."
        ) from error
    profile = file.suffix == ".json"
    rows = _profile_rows(file, text) if profile else csv.DictReader(text.splitlines())
    return tuple(_point(file, number, row) for number, row in enumerate(rows, start=1))


def _profile_rows(file: Path, text: str) -> list[dict[str, Any]]:
    try:
        return [dict(row) for row in json.loads(text)["points"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"{file} holds no points ({error!r}); allowed: a device profile that `fit` wrote."
        ) from error


def _point(file: Path, number: int, row: Mapping[str, Any]) -> Point:
    missing = [column for column in COLUMNS if row.get(column) in (None, "")]
    if missing:
        raise SettingError(
            f"point {number} of {file} lacks {', '.join(missing)}; each needs {', '.join(COLUMNS)}."
        )
    try:
        return Point(
            network=str(row["network"]),
            depth_multiplier=float(row["depth_multiplier"]),
            input_size_px=int(row["input_size_px"]),
            threads=int(row["threads"]),
            latency_ms=float(row["latency_ms"]),
            million_macs=float(row["million_macs"]),
            runtime=str(row["runtime"]),
            source=str(row["source"]),
        )
    except ValueError as error:
        raise SettingError(
            f"point {number} of {file} holds a word where a number belongs ({error}); allowed: "
            "whole numbers for input_size_px and threads, decimals for the others."
        ) from error
