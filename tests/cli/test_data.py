import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import answer, exit_code, refusal
from tests.datasets.davis_tree import frame_file
from tests.datasets.test_cleaning import write_entry
from tests.datasets.trees import TREES


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return TREES["davis"][0](tmp_path / "davis")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a user who has just come."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jejunet_nas" / "clips"


def check(root: Path, *more: object) -> tuple[object, ...]:
    return ("data", "check", "davis", "--data-root", root, *more)


def test_a_check_reports_the_splits_and_the_sheets_file(
    davis: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found, told = answer(capfd, *check(davis, "--out", tmp_path / "out"))

    sheet = tmp_path / "out" / "contact_sheet.png"
    assert sheet.exists()
    assert found["contact_sheet"] == str(sheet)
    train, val = found["splits"]
    assert (train["split"], train["clips"], train["frames"]) == ("train", 2, 8)
    assert (val["split"], val["fps"]) == ("val", [24.0])
    assert val["sizes"] == [{"width": 64, "height": 48, "frames": 4}]
    assert [each["name"] for each in val["classes"]] == ["background", "object"]
    for line in (r"frames +8 +4", r"object +\d+\.\d\d +8 +\d+\.\d\d +4", r"broken files +none"):
        assert re.search(line, told), told
    assert f"contact sheet: {sheet}" in told


def test_the_sheet_is_in_reports_by_default(
    davis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert exit_code(*check(davis)) == 0

    assert Path("reports/data_davis/contact_sheet.png").exists()


def test_bad_files_are_listed_at_the_end_and_the_exit_code_is_2(
    davis: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frame_file(davis, "bear", 2).write_bytes(b"")
    frame_file(davis, "goat", 0).write_bytes(b"")

    assert exit_code(*check(davis, "--out", tmp_path, "--json")) == 2

    shown = capfd.readouterr()
    faults = [fault for split in json.loads(shown.out)["splits"] for fault in split["faults"]]
    assert [fault["file"] for fault in faults] == [
        str(frame_file(davis, "bear", 2)),
        str(frame_file(davis, "goat", 0)),
    ]
    assert re.search(rf"bad: {frame_file(davis, 'bear', 2)} cannot be read", shown.err)
    assert shown.err.splitlines()[-1] == (
        f"jejunet-nas: 2 files of {davis} cannot be used, as listed above. Fix or "
        "remove them, then check again."
    )
    assert (tmp_path / "contact_sheet.png").exists()


def test_of_many_bad_files_twenty_are_shown_and_the_others_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = TREES["youtube_vos"][0](tmp_path / "data")
    for file in root.rglob("*.png"):
        file.write_bytes(b"")
    for file in sorted(root.rglob("*.jpg"))[:7]:
        file.write_bytes(b"")
    options = ("--data-root", root, "--out", tmp_path)

    assert exit_code("data", "check", "youtube_vos", *options) == 2

    told = capfd.readouterr().out
    assert told.count("bad: ") == 20
    assert "and 2 other files; --json lists all" in told
    assert "contact sheet" not in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--option", "clips"), r"--option is clips; allowed: NAME=VALUE, such as clips=10\."),
        (("--option", "clip=1"), r"clip is not an option .* Did you mean clips\?"),
        (("--option", "clips=0"), r"clips is 0; allowed: whole numbers from 1"),
        (("--data-root", "/no/where"), r"--data-root is /no/where, which is not a folder"),
    ],
)
def test_a_bad_option_is_answered_in_one_line(
    options: tuple[str, ...], words: str, davis: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert re.match(words, refusal(capfd, *check(davis), *options))


def test_options_are_given_as_in_a_study(
    davis: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options: Any = ("--option", "clips=1", "--option", "every=2", "--out", tmp_path)

    found, _ = answer(capfd, *check(davis), *options)

    assert [split["frames"] for split in found["splits"]] == [2, 2]


@pytest.mark.parametrize("taken", ["ImageSets/2016/val.txt", "Annotations/480p/bear/00001.png"])
def test_a_layout_that_does_not_hold_is_answered_in_one_line(
    taken: str, davis: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (davis / taken).unlink()

    assert f"{davis / taken} is missing; expected: " in refusal(capfd, *check(davis))


def test_a_root_one_folder_off_is_answered_with_the_right_one(
    davis: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for wrong in (davis.parent, davis / "JPEGImages"):
        assert refusal(capfd, *check(wrong)).endswith(f"Use --data-root {davis}.")


def test_a_sheet_that_cannot_be_written_is_reported(
    davis: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    line = refusal(capfd, *check(davis, "--out", tmp_path / "file" / "sheet"))

    assert re.match(rf"{tmp_path}/file/sheet cannot be written: Not a directory\. Use --out", line)


def test_cleaning_says_what_it_frees(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_entry(cache, "old", age_days=0, size=3_000_000)  # as of 1970

    done, told = answer(capfd, "data", "clean", "--older-than", "30d")

    assert done["removed"] == [f"davis-old-{'0' * 16}"]
    assert done["freed_bytes"] == 3_000_000
    assert told.splitlines()[-1] == (f"freed 3.0 MB (1 entry); 0.0 MB (0 entries) stay in {cache}")
    assert not [file for file in cache.iterdir() if file.is_dir()]


def test_a_dry_run_says_what_would_be_freed(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_entry(cache, "old", age_days=0)

    _, told = answer(capfd, "data", "clean", "--dry-run")

    assert "would free 0.0 MB (1 entry)" in told
    assert folder.exists()


def test_cleaning_without_options_keeps_what_is_young_and_small(
    cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_entry(cache, "young", age_days=0)
    os.utime(folder)

    done, _ = answer(capfd, "data", "clean")

    assert (done["removed"], done["kept_bytes"]) == ([], 100)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--older-than", "30"), r"--older-than is 30; allowed: a number with s, m, h, d or w"),
        (("--keep-below", "20d"), r"--keep-below is 20d; allowed: .* M, G or T, such as 20G\."),
    ],
)
def test_an_amount_without_its_unit_is_refused(
    options: tuple[str, ...], words: str, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert re.match(words, refusal(capfd, "data", "clean", *options))


def test_data_alone_shows_its_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code("data") == 0

    assert re.search(r"check .*\n +clean ", capfd.readouterr().out)


def test_all_missing_masks_are_listed_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = TREES["folder"][0](tmp_path / "data")
    for number in range(3):
        (root / "masks" / f"photo{number}.png").unlink()

    assert exit_code("data", "check", "folder", "--data-root", root, "--out", tmp_path) == 2

    shown = capfd.readouterr().err
    assert all(f"bad: {root / 'masks' / f'photo{n}.png'} is missing" in shown for n in range(3))
    assert shown.count("bad: ") == 3
    assert "has 3 faults, all listed above. Fix them" in shown


def test_what_is_assumed_and_what_cannot_be_learnt_from_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = TREES["folder"][0](tmp_path / "data")
    (root / "classes.yaml").write_text("{background: [0, 1, 2], person: 7}")
    asked = ("data", "check", "folder", "--data-root", root, "--out", tmp_path)

    assert exit_code(*asked, "--json") == 2

    shown = capfd.readouterr()
    found = json.loads(shown.out)
    assert len(found["notes"]) == 1
    assert len(found["refusals"]) == 2
    for line in (
        r"warning: 24 fps is assumed for clips\. Set the option fps",
        r"warning: no mask of val has person: the mIoU is that of the other classes",
        r"warning: val is 1 video and 1 simulated pan over photos",
        r"warning: 4 frames of val are in train too \(val's images/",
        r"bad: The masks of folder val in .* hold only the class background: their values are 0, ",
        r"ignored +0\.0 % of the masks",
    ):
        assert re.search(line, shown.err), shown.err
    assert shown.err.splitlines()[-1].endswith("cannot be learnt from, as listed above.")
    exit_code(*asked, "--option", "fps=30")
    assert "is assumed" not in capfd.readouterr().out
