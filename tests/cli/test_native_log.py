"""Where the words of TensorFlow's C++ parts go, and ours."""

import os
import subprocess
from pathlib import Path

import pytest

from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.streams import native_log, standard_streams


def test_what_native_code_writes_goes_to_the_file_and_our_words_are_still_seen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with standard_streams():
        os.write(2, b"from C++ before\n")
        with native_log(tmp_path / "log"):
            os.write(2, b"from C++\n")
            Printer().say("from us")
    os.write(2, b"afterwards\n")

    assert (tmp_path / "log").read_text() == "from C++\n"
    assert capfd.readouterr().err == "from us\nafterwards\n"


def test_standard_error_comes_back_after_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt), standard_streams(), native_log(tmp_path / "log"):
        raise KeyboardInterrupt
    os.write(2, b"afterwards\n")

    assert capfd.readouterr().err == "afterwards\n"


def test_where_nothing_may_be_written_the_output_is_discarded(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user cannot mount a read-only file system")
    try:
        with native_log(tmp_path / "tiny" / "tensorflow.log"):
            os.write(2, b"from C++\n")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_the_log_should_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="directory"), native_log(tmp_path):
        pass
