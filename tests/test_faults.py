"""Faults of the machine: one line each, with the file and the remedy."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jejunet_nas.drawing.page import WIDTH_PX, write_page
from jejunet_nas.errors import DataError, MachineError, SettingError, TrialError
from jejunet_nas.faults import disk_fault, fault_of, masked, without_passwords
from jejunet_nas.files import keep_text, write_text_whole, write_whole


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def words_of(error: BaseException) -> str:
    fault = fault_of(error)
    assert fault is not None
    assert fault.exit_code in (2, 4)
    assert "\n" not in str(fault)
    return str(fault)


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, MachineError, "a.npz cannot be written: the disk is full. Free some space"),
        (errno.EROFS, SettingError, "its file system is read-only. Choose another folder"),
        (errno.EACCES, SettingError, "a.npz cannot be opened: permission denied. Change its perm"),
        (errno.EMFILE, MachineError, "too many open files. Raise the limit with `ulimit -n 4096`"),
        (errno.EIO, MachineError, "the drive failed. Check the drive"),
        (errno.ENAMETOOLONG, SettingError, "has a name that is too long. Choose a shorter name."),
        (errno.EEXIST, SettingError, "a.npz is a file where a folder should be. Move it away"),
        (errno.EISDIR, SettingError, "a.npz is a folder where a file should be. Move it away"),
        (errno.ENOTDIR, SettingError, "has a file in its path where a folder should be. Move it"),
        (errno.ENOENT, SettingError, "a.npz does not exist. Check the path."),
    ],
)
def test_an_error_of_the_system_names_the_file_and_the_remedy(
    number: int, kind: type[Exception], words: str
) -> None:
    error = OSError(number, os.strerror(number), "a.npz")

    assert type(fault_of(error)) is kind
    assert words in words_of(error)


def test_a_real_full_disk_is_named_with_the_file_that_was_to_be_written(small_disk: Path) -> None:
    file = write_text_whole(small_disk / "summary.npz", "old")

    for write in (
        lambda beside: beside.write_bytes(bytes(10**6)),
        lambda beside: np.savez(beside, a=np.zeros(10**6)),
        lambda beside: np.zeros(10**6).tofile(beside),
    ):
        with pytest.raises(OSError, match=r"space left|requested") as caught:
            write_whole(file, write)
        assert f"{file} cannot be written: the disk is full. Free" in words_of(caught.value)
        assert [*small_disk.iterdir()] == [file]
        assert file.read_text() == "old"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"weights.h5; {os.strerror(errno.ENOSPC)}"),  # as TensorFlow words it
        OSError(f"Can't write data (errno = 28, error message = '{os.strerror(errno.ENOSPC)}')"),
        OSError("3000 requested and 12 written"),
    ],
)
def test_a_full_disk_is_known_from_the_words_of_libraries(error: Exception) -> None:
    assert "a file cannot be written: the disk is full" in words_of(error)


def test_a_fault_of_the_disk_names_the_file_that_a_command_was_to_write() -> None:
    full = OSError(errno.ENOSPC, "x", "/tmp/.jejunet-part.1.b/key.tflite")
    read_only = OSError(errno.EROFS, "x", "/tmp/part")

    assert "b cannot be written: the disk is full" in str(disk_fault(Path("b"), full))
    assert "b cannot be written: its file system is read-only" in str(
        disk_fault(Path("b"), read_only)
    )
    assert disk_fault(Path("b"), OSError(errno.ENOENT, "x", "/tmp/part")) is None


def test_what_is_kept_to_save_work_is_left_out_where_nothing_can_be_written(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_text(small_disk / "folder" / "a.json", "{}")
    assert (small_disk / "folder" / "a.json").read_text() == "{}"
    with pytest.raises(OSError, match="space left"):
        keep_text(small_disk / "b.json", "x" * 10**6)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "x")

    monkeypatch.setattr(Path, "write_text", refuse)
    keep_text(small_disk / "c.json", "{}")
    assert not (small_disk / "c.json").exists()


def test_a_full_disk_leaves_the_pictures_that_are_there(small_disk: Path) -> None:
    file = small_disk / "film.png"
    write_page([Image.new("RGB", (WIDTH_PX, 2))], file)
    before = file.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (2000, WIDTH_PX, 3), np.uint8)

    with pytest.raises(OSError, match="space left") as caught:
        write_page([Image.fromarray(noise)], file)

    assert f"{file} cannot be written: the disk is full" in words_of(caught.value)
    assert file.read_bytes() == before


def test_what_an_error_was_raised_from_counts() -> None:
    error = RuntimeError("cannot save the model")
    error.__cause__ = OSError(errno.EROFS, "x", "/mnt/a")

    assert words_of(error).startswith("/mnt/a cannot be written")


def test_an_error_of_ours_is_kept_and_a_bug_is_no_fault_of_the_machine() -> None:
    ours = DataError("a.png is missing. Copy it again.")

    assert fault_of(ours) is ours
    assert fault_of(ValueError("a bug")) is None
    assert isinstance(fault_of(TrialError("the loss is no number")), TrialError)


SECRET = "s3cr&t=p:w/d?"
URLS = [
    f"postgresql://me:{SECRET}@db.example:5432/nas",
    f"postgresql+psycopg://me:{SECRET}@db.example/nas?sslmode=require",
    f"mysql+pymysql://:{SECRET}@db.example/nas",
    f"postgresql://me:{SECRET}@x@db.example/nas",  # an @ that should be %40
    "postgresql://db.example/nas?user=me&password=s3cret",
    "postgresql://db.example/nas?user=me&sslpassword=s3cret",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_masked_and_the_rest_is_kept(url: str) -> None:
    assert "s3cr" not in masked(url)
    assert "***" in masked(url)
    assert "db.example" in masked(url)


@pytest.mark.parametrize("url", ["sqlite:///a:b@c.db", "sqlite:///study.db", "nonsense"])
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert masked(url) == url


@given(password=st.text(min_size=3).filter(lambda text: text.strip("*")))
def test_no_password_passes_the_mask(password: str) -> None:
    url = f"postgresql://me:{password}@db/nas"

    assert masked(url) == "postgresql://me:***@db/nas"
    shown = without_passwords(f"cannot open {url} with pass {password}", ["--storage", url])
    assert shown == without_passwords("cannot open postgresql://me:***@db/nas with pass ***", [])
