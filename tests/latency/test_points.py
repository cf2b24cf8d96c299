"""Points are read from a table or a profile, and a broken row says which one it is."""

from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.points import COLUMNS, read_points

ROW = "mobilenet_v2,0.35,96,1,4.0,11,TFLite 2019,a table"


def _table(folder: Path, row: str) -> Path:
    file = folder / "points.csv"
    file.write_text(",".join(COLUMNS) + "\n" + row + "\n")
    return file


def test_a_row_of_a_table_becomes_a_point(tmp_path: Path) -> None:
    (point,) = read_points(_table(tmp_path, ROW))
    assert (point.network, point.input_size_px, point.latency_ms) == ("mobilenet_v2", 96, 4.0)
    assert point.source == "a table"


def test_a_row_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"point 1 of .* lacks runtime, source"):
        read_points(_table(tmp_path, ROW.removesuffix(",TFLite 2019,a table")))


def test_a_word_where_a_number_belongs_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"point 1 of .*'fast'.*allowed: whole numbers"):
        read_points(_table(tmp_path, ROW.replace("4.0", "fast")))


def test_a_latency_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"latency_ms of mobilenet_v2 is 0\.0; .*more than 0"):
        read_points(_table(tmp_path, ROW.replace("4.0", "0")))


def test_a_missing_table_names_the_columns_it_should_have(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.csv cannot be read .*columns network, depth"):
        read_points(tmp_path / "none.csv")


def test_a_json_file_without_points_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"points": 3}')
    with pytest.raises(SettingError, match=r"empty\.json holds no points"):
        read_points(tmp_path / "empty.json")
