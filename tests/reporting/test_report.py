import csv
import json
from pathlib import Path

import pytest

from jejunet_nas.reporting import report as report_module
from jejunet_nas.reporting.report import write_report
from tests.reporting.build import history, refused, trial

STUDY = history(trial(0, 0.65, 30), trial(1, 0.70, 20, interval=4), refused=(refused(2, 90),))
NAMES = {"index.html", "summary.json", "front.csv", "trials.csv", "front.png", "report.md"}


def test_a_report_is_six_files_in_one_folder(tmp_path: Path) -> None:
    page = write_report(STUDY, tmp_path / "reports" / "davis")

    assert page == tmp_path / "reports" / "davis" / "index.html"
    assert {file.name for file in page.parent.iterdir()} == NAMES


def test_the_files_of_a_report_agree_on_the_front(tmp_path: Path) -> None:
    write_report(STUDY, tmp_path)

    summary = json.loads((tmp_path / "summary.json").read_text())
    with (tmp_path / "front.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert [str(point["trial"]) for point in summary["front"]] == [row["trial"] for row in rows]
    assert "![" in (tmp_path / "report.md").read_text()
    assert "](front.png)" in (tmp_path / "report.md").read_text()


def test_one_history_gives_the_same_files_byte_by_byte(tmp_path: Path) -> None:
    first, second = (write_report(STUDY, tmp_path / name).parent for name in ("a", "b"))

    for name in NAMES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_report_that_breaks_off_leaves_the_last_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    write_report(STUDY, tmp_path)
    before = (tmp_path / "front.png").read_bytes()
    monkeypatch.setattr(report_module, "draw_front", break_off)

    with pytest.raises(OSError, match="disk full"):
        write_report(STUDY, tmp_path)

    assert (tmp_path / "front.png").read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == NAMES
