"""Files: the paths of a study, and writing a file whole."""

import os
import time
from pathlib import Path

import pytest

from jejunet_nas import files
from jejunet_nas.errors import SettingError
from jejunet_nas.files import (
    project_folder,
    state_folder,
    study_file,
    write_text_whole,
    write_whole,
)


@pytest.mark.parametrize(
    ("working_folder", "given_name"),
    [
        (".", "tiny"),
        (".", "studies/tiny.yaml"),
        ("studies", "tiny.yaml"),
        ("studies/deeper", "../tiny.yaml"),
        ("reports", "../studies/tiny.yaml"),
    ],
)
def test_a_study_has_one_state_from_every_working_folder(
    working_folder: str, given_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("studies/deeper", "reports"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "studies" / "tiny.yaml").write_text("name: tiny\n")
    monkeypatch.chdir(tmp_path / working_folder)

    file = study_file(given_name)

    assert file.samefile(tmp_path / "studies" / "tiny.yaml")
    assert state_folder(file, "tiny").resolve() == tmp_path / "studies" / "tiny"
    assert project_folder(file).resolve() == tmp_path


def test_an_unknown_study_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "studies" / "tiny.yaml", "name: tiny\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        SettingError, match=r"^study tinny does not exist; allowed: .*mean tiny"
    ) as error:
        study_file("tinny")
    assert f"The studies of {tmp_path / 'studies'} were looked up." in str(error.value)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = write_text_whole(tmp_path / "a.txt", "old")

    def fail(beside: Path) -> None:
        beside.write_text("half")
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        write_whole(file, fail)

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


OURS = ".jejunet-part."
DEAD = 2**22 + 1  # above the largest number of a process on Linux


def left_over(folder: Path, name: str, *, age_s: float = 2 * files.LEFT_OVER_S) -> Path:
    part = write(folder / name, "half")
    os.utime(part, (time.time() - age_s,) * 2)
    return part


def test_what_a_killed_process_left_is_removed_at_the_next_write_and_nothing_else(
    tmp_path: Path,
) -> None:
    left_over(tmp_path, f"{OURS}{DEAD}.a.txt")
    folder = tmp_path / f"{OURS}{DEAD}.bundle"
    folder.mkdir()
    left_over(tmp_path, f"{OURS}{DEAD}.bundle/key.tflite")
    os.utime(folder, (0, 0))
    kept = [
        left_over(tmp_path, f"{OURS}{DEAD}.young.txt", age_s=60),
        left_over(tmp_path, f"{OURS}{os.getpid()}.alive.txt"),
        left_over(tmp_path, f"{OURS}1.of_another_user.txt"),
        left_over(tmp_path, f"{OURS}x.no_number"),
        left_over(tmp_path, f".{DEAD}.not_ours.txt"),
        left_over(tmp_path, f"video.{DEAD}.part"),
    ]

    file = write_text_whole(tmp_path / "a.txt", "whole")

    assert {*tmp_path.iterdir()} == {file, *kept}


def test_a_folder_is_searched_for_leftovers_once_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[object] = []
    monkeypatch.setattr(files, "remove_leftovers", searched.append)

    for number in range(5):
        write_text_whole(tmp_path / f"{number}.txt", "a")

    assert searched == [tmp_path]
