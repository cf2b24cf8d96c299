"""Graphs are found by a file or a folder, and timed in order."""

from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.measure.graphs import graphs_at, time_graphs
from tests.measure.test_front import FileHost, FilePhone


@pytest.mark.parametrize(
    ("there", "order"),
    [
        (["gate", "key", "propagate"], ["key", "propagate", "gate"]),
        (["b", "gate", "a", "key"], ["key", "gate", "a", "b"]),
        (["z", "keys"], ["keys", "z"]),
    ],
)
def test_a_folders_graphs_come_in_the_order_of_a_network(
    there: list[str], order: list[str], tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / f"{name}.tflite").touch()
    for name in ("record.json", ".12.key.tflite"):  # the latter while key.tflite is written
        (tmp_path / name).touch()

    assert [file.stem for file in graphs_at(tmp_path)] == order


def test_a_file_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "g.tflite").touch()

    assert graphs_at(tmp_path / "g.tflite") == [tmp_path / "g.tflite"]


def test_a_place_without_graphs_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"has no \.tflite file\. Give a \.tflite graph"):
        graphs_at(tmp_path)
    with pytest.raises(SettingError, match=r"no\.tflite is not a file\. Give a"):
        graphs_at(tmp_path / "no.tflite")


def test_files_are_timed_in_their_order_and_followed_on_a_phone(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.tflite" for name in "ba"]
    for ms, file in enumerate(files, start=1):
        file.write_text(f"{ms}")
    said: list[str] = []

    found = time_graphs(files, FilePhone(), said.append)
    here = time_graphs(files, FileHost(), said.append)

    assert [(each.file, each.latency.median_ms) for each in found] == [(files[0], 1), (files[1], 2)]
    assert [each.measurement is None for each in (*found, *here)] == [False] * 2 + [True] * 2
    assert [line.split(" (")[0] for line in said] == [
        *("measuring b.tflite", "b.tflite: 1.00 ms"),
        *("measuring a.tflite", "a.tflite: 2.00 ms"),
    ]
