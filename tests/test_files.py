"""Files: the paths of a study, writing a file whole, and reading YAML."""

import os
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas import files
from jejunet_nas.errors import SettingError
from jejunet_nas.files import (
    project_folder,
    read_mapping,
    state_folder,
    study_file,
    write_text_whole,
    write_whole,
)

WORDS = st.text("abcdefgh_", min_size=1, max_size=8)


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

    with pytest.raises(SettingError, match=r"^study tinny does not exist; allowed: .*mean tiny"):
        study_file("tinny")


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


@given(content=st.dictionaries(WORDS, st.integers() | WORDS | st.booleans(), min_size=1))
def test_a_written_mapping_is_read_back(
    content: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = write(tmp_path_factory.mktemp("yaml") / "a.yaml", yaml.safe_dump(content))

    assert read_mapping(file) == content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"/b\.yaml does not exist\. Check the path\.$"):
        read_mapping(tmp_path / "b.yaml")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"cannot be read as YAML: .*directory.* in UTF-8"):
        read_mapping(tmp_path)


def test_a_binary_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00a: 1")

    with pytest.raises(SettingError, match=r"a\.yaml cannot be read as YAML: .* in UTF-8\.$"):
        read_mapping(tmp_path / "a.yaml")


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "name: x\nsteps: [1, 2\ntrials: 3\n")

    with pytest.raises(SettingError, match=r"a\.yaml line 3: expected .*\. Fix the YAML of that"):
        read_mapping(file)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "nothing"),
        ("- 1\n- 2\n", "a list"),
        ("12\n", "the value 12"),
        ("1: 2\n", "keys that are not text"),
    ],
)
def test_a_file_without_a_mapping_is_refused(text: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"a\.yaml contains {found} instead of keys with"):
        read_mapping(write(tmp_path / "a.yaml", text))


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
