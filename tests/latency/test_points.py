"""Points are read from a table or a profile, and a broken row says which one it is."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.points import (
    COLUMNS,
    MeasuredPoint,
    add_points,
    measured_point,
    point_row,
    read_points,
)
from jejunet_nas.latency.predicted_meter import work_of
from jejunet_nas.records import Latency, Operator

ROW = "mobilenet_v2,0.35,96,1,4.0,11,TFLite 2019,a table"


CONV = Operator(kind="CONV_2D", macs=2_000_000, bytes_in=1000, bytes_out=1000, elements_out=1000)
TOOK = Latency(median_ms=4.0, low_ms=3.9, high_ms=4.2, source="measured", threads=1, runs=50)


def _measured(folder: Path, *operators: Operator) -> MeasuredPoint:
    graph = folder / "key.tflite"
    graph.write_bytes(b"a graph")
    return measured_point(
        graph, TOOK, stable=True, runtime="LiteRT", source="a phone", operators=operators
    )


def _table(folder: Path, row: str) -> Path:
    file = folder / "points.csv"
    file.write_text(",".join(COLUMNS) + "\n" + row + "\n")
    return file


def test_a_row_of_a_table_becomes_a_point(tmp_path: Path) -> None:
    (point,) = read_points(_table(tmp_path, ROW))
    assert (point.network, point.input_size_px, point.latency_ms) == ("mobilenet_v2", 96, 4.0)
    assert point.source == "a table"


def test_a_row_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"point 1 of .* runtime: .*required; source: .*required"
    ):
        read_points(_table(tmp_path, ROW.removesuffix(",TFLite 2019,a table")))


def test_a_word_where_a_number_belongs_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"point 1 of .*: latency_ms: .*number"):
        read_points(_table(tmp_path, ROW.replace("4.0", "fast")))


def test_a_latency_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"latency_ms of mobilenet_v2 is 0\.0; .*more than 0"):
        read_points(_table(tmp_path, ROW.replace("4.0", "0")))


@pytest.mark.parametrize("latency", ["0", "x"])
def test_a_network_of_a_very_long_name_is_told_in_few_words(latency: str, tmp_path: Path) -> None:
    row = ROW.replace("mobilenet_v2", "m" * 5000).replace(",4.0,", f",{latency},")

    with pytest.raises(SettingError, match=r"^point 1 of .*latency_ms.{,300}$"):
        read_points(_table(tmp_path, row))


def test_a_missing_table_names_the_columns_it_should_have(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.csv cannot be read .*columns network, depth"):
        read_points(tmp_path / "none.csv")


def test_a_json_file_without_points_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"points": 3}')
    with pytest.raises(SettingError, match=r"empty\.json has no points"):
        read_points(tmp_path / "empty.json")


def test_a_measurement_keeps_what_a_fit_needs_of_its_graph(tmp_path: Path) -> None:
    point = _measured(tmp_path, CONV)
    assert (point.graph, point.latency_ms, point.runs) == ("key.tflite", 4.0, 50)
    assert point.sha256 == hashlib.sha256(b"a graph").hexdigest()
    assert (point.work, point.kinds) == (work_of([CONV]), {"CONV_2D"})


def test_a_measurement_is_read_back_from_a_profile(tmp_path: Path) -> None:
    point = _measured(tmp_path, CONV)
    (tmp_path / "phone.json").write_text(json.dumps({"points": [point_row(point)]}))
    assert read_points(tmp_path / "phone.json") == (point,)


def test_a_measurement_without_its_work_is_named(tmp_path: Path) -> None:
    row = point_row(_measured(tmp_path, CONV)) | {"work": None}
    (tmp_path / "phone.json").write_text(json.dumps({"points": [row]}))
    with pytest.raises(SettingError, match=r"point 1 of .*phone\.json: work: .*required"):
        read_points(tmp_path / "phone.json")


def test_a_float_graph_is_no_point_of_an_int8_profile(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"key\.tflite computes in float32; allowed: int8"):
        _measured(tmp_path, dataclasses.replace(CONV, float32=True))


def test_an_interval_around_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"latency_ms of key\.tflite is 5\.0 in \[3\.9, 4\.2\]"):
        dataclasses.replace(_measured(tmp_path, CONV), latency_ms=5.0)


def test_a_newer_measurement_takes_the_place_of_the_older(tmp_path: Path) -> None:
    (published,) = read_points(_table(tmp_path, ROW))
    older = _measured(tmp_path, CONV)
    newer = dataclasses.replace(older, latency_ms=4.1)
    two = dataclasses.replace(older, threads=2)
    assert add_points([older, published], [newer, two]) == (newer, published, two)


def test_an_unstable_measurement_never_drives_out_a_stable_one(tmp_path: Path) -> None:
    stable = _measured(tmp_path, CONV)
    unstable = dataclasses.replace(stable, latency_ms=4.2, stable=False)
    assert add_points([stable], [unstable]) == (stable,)
    assert add_points([unstable], [stable]) == (stable,)
    assert add_points([], [unstable]) == (unstable,)
