"""Nothing that a .zip holds gets out of the folder that it is unpacked to."""

import contextlib
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def patched(file: Path, before: bytes, after: bytes) -> Path:
    """Replace a name of the same length in the headers of `file`."""
    assert len(before) == len(after)
    file.write_bytes(file.read_bytes().replace(before, after))
    return file


ODD: dict[str, tuple[bytes, str]] = {
    "with NUL": (b"key\0key", "contains 'key.x00key': not a plain file name"),
    "not UTF-8": (b"\xff\xfe\xff\xfe\xff\xfe\xff", "not a plain file name"),
    "a space": (b"key key", "contains 'key key': not a plain file name"),
    "hidden": (b".keykey", "contains '.keykey': not a plain file name"),
    "a line break": (b"key\nkey", r"contains 'key.nkey': not a plain file name"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    wanted, words = ODD[name]
    file = patched(zip_of(tmp_path, ("keyxkey", b"")), b"keyxkey", wanted)
    (tmp_path / "to").mkdir()

    with pytest.raises(SettingError, match=words) as caught:
        unpack(file, tmp_path / "to")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "to").iterdir())


def test_a_name_that_is_too_long_is_refused_in_few_words(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    for length in (101, 60_000):
        with pytest.raises(SettingError, match=r"'k{60}': not a plain file name") as caught:
            unpack(zip_of(tmp_path, ("k" * length, b"")), tmp_path / "to")
        assert len(str(caught.value)) < len(str(tmp_path)) + 400


def test_a_long_name_that_only_one_of_two_headers_has_is_not_quoted_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("k" * 50_000, b"1")
    data = (tmp_path / "b.zip").read_bytes()
    at, end = data.rindex(b"PK\1\2"), bytearray(data[-22:])
    header = bytearray(data[at : at + 47])
    header[28:30], end[12:16] = (1).to_bytes(2, "little"), (47).to_bytes(4, "little")
    (tmp_path / "b.zip").write_bytes(data[:at] + header + end)

    with pytest.raises(SettingError, match=r"cannot be unpacked \(File name in directory .{,300}$"):
        unpack(tmp_path / "b.zip", tmp_path)


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, *[0] * 9)
    listed = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, *[0] * 14)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(local), 0)
    (tmp_path / "b.zip").write_bytes(local + listed + end)

    with pytest.raises(SettingError, match=r"contains '': not a plain file name"):
        unpack(tmp_path / "b.zip", tmp_path)


def test_a_list_of_files_without_end_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = zip_of(tmp_path, *((f"{i:0250}", b"") for i in range(4_000)))
    monkeypatch.setattr(zipfile, "ZipFile", pytest.fail)

    with pytest.raises(
        SettingError, match=r"has a list of files of \d+ bytes; allowed: up to 1048576"
    ):
        unpack(file, tmp_path)


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_is_changed_in_a_zip_it_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("garbled")
    file, to = zip_of(folder, ("manifest.json", b"{}"), ("key.tflite", b"\0" * 50)), folder / "to"
    to.mkdir()
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)

    with contextlib.suppress(SettingError):
        unpack(file, to)
    assert {each.name for each in folder.iterdir()} == {"b.zip", "to"}
    assert all(each.is_file() and not each.is_symlink() for each in to.iterdir())


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
