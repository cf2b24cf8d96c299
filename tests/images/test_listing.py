import os
import unicodedata
from pathlib import Path

import pytest

from jejunet_nas.errors import DataError
from jejunet_nas.images.listing import SUFFIXES, folders_in, pictures_in


def touch(folder: Path, *names: str | bytes) -> None:
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(b"")


def test_pictures_of_every_suffix_in_any_case_are_listed_by_their_numbers(tmp_path: Path) -> None:
    names = [f"f{n}{suffix}" for n, suffix in enumerate(SUFFIXES, 8)]
    touch(tmp_path, *names[:3], *(name.upper() for name in names[3:]))

    found = [file.name.lower() for file in pictures_in(tmp_path)]

    assert found == names


def test_what_systems_leave_behind_and_what_is_no_picture_is_ignored(tmp_path: Path) -> None:
    touch(tmp_path, "._1.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "1.jpg")
    for name in ("__MACOSX", "@eaDir", ".hidden", "2.jpg", "walk"):
        (tmp_path / name).mkdir()

    assert [file.name for file in pictures_in(tmp_path)] == ["1.jpg"]
    assert [folder.name for folder in folders_in(tmp_path)] == ["2.jpg", "walk"]


def test_a_picture_of_a_kind_that_is_not_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.HEIC")

    with pytest.raises(DataError, match=r"2\.HEIC is a picture of a kind that is not read; .*Conv"):
        pictures_in(tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"a\nb.jpg", b"a\x1b[31m.jpg"])
def test_a_name_that_no_list_can_hold_is_named_on_one_line(name: bytes, tmp_path: Path) -> None:
    touch(tmp_path, name)

    with pytest.raises(DataError, match=r"^[ -~]+ contains [ -~]+, whose name .*Rename it\.$"):
        pictures_in(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)

    with pytest.raises(DataError, match=rf"{tmp_path} cannot be read \(Permission denied\)\. Chec"):
        pictures_in(tmp_path)


def test_a_missing_folder_has_no_pictures(tmp_path: Path) -> None:
    assert pictures_in(tmp_path / "nowhere") == folders_in(tmp_path / "nowhere") == []


def test_names_keep_the_form_of_the_disk_in_paths(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "über.jpg")
    touch(tmp_path, name)

    assert [file.name for file in pictures_in(tmp_path)] == [name]
