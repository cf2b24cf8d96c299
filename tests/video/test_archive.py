"""Nothing that a .zip holds gets out of the folder that it is unpacked to."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.video import archive
from jejunet_nas.video.archive import unpack


def zip_of(folder: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    file = folder / "b.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return file


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def test_plain_files_are_unpacked(tmp_path: Path) -> None:
    file = zip_of(tmp_path, ("manifest.json", b"{}"), ("key.tflite", b"\0" * 5000))
    (tmp_path / "to").mkdir()

    unpack(file, tmp_path / "to")

    assert {f.name: f.read_bytes() for f in (tmp_path / "to").iterdir()} == {
        "manifest.json": b"{}",
        "key.tflite": b"\0" * 5000,
    }


HOSTILE: dict[str, tuple[str | zipfile.ZipInfo, str]] = {
    "upwards": ("../out", "not a plain file name"),
    "upwards later": ("a/../../out", "not a plain file name"),
    "upwards on Windows": ("..\\out", "not a plain file name"),
    "absolute": ("/tmp/out", "not a plain file name"),
    "absolute on Windows": ("C:\\out", "not a plain file name"),
    "another drive": ("C:out", "not a plain file name"),
    "a link": (link("key.tflite"), "a link or special"),
    "a folder's file": ("sub/out", "not a plain file name"),
    "a folder": ("sub/", "not a plain file name"),
    "there twice": ("MANIFEST.json", "a duplicate name"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_leads_elsewhere_is_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    member, words = HOSTILE[name]
    file = zip_of(tmp_path, ("manifest.json", b"{}"), (member, b"/etc/passwd"))
    to = tmp_path / "to"
    to.mkdir()

    with pytest.raises(SettingError, match=rf"contains '.*': ({words}).*\. A bundle has plain"):
        unpack(file, to)
    assert not list(to.iterdir())
    assert {each.name for each in tmp_path.iterdir()} == {"b.zip", "to"}


def test_more_than_a_bundle_can_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    (tmp_path / "to").mkdir()

    with pytest.raises(SettingError, match=r"contains 1 files of 1001 bytes; allowed: up to 64"):
        unpack(zip_of(tmp_path, ("a", bytes(1001))), tmp_path / "to")
    with pytest.raises(SettingError, match="contains 65 files of 0 bytes"):
        unpack(zip_of(tmp_path, *((f"{i}", b"") for i in range(65))), tmp_path / "to")


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_a_wrong_byte(content: bytes) -> bytes:
    return content[:60] + bytes([content[60] ^ 255]) + content[61:]


@pytest.mark.parametrize("broken", [halved, with_a_wrong_byte, lambda _: b"", lambda _: b"PK"])
def test_what_is_no_whole_zip_is_refused_in_one_line(
    broken: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = zip_of(tmp_path, ("a", bytes(range(256)) * 4))
    file.write_bytes(broken(file.read_bytes()))
    (tmp_path / "to").mkdir()

    with pytest.raises(
        SettingError, match=r"b\.zip cannot be unpacked \(.*\. Copy the bundle again"
    ) as e:
        unpack(file, tmp_path / "to")
    assert "\n" not in str(e.value)
