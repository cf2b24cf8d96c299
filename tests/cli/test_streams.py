"""Standard output and standard error that are closed, full, or without a reader."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jejunet_nas.cli.streams import BROKEN_PIPE, RESULT_LOST
from tests.cli.commands import exit_code

COMMAND = f"{sys.executable} -m jejunet_nas"
TABLE = "doctor --profile pixel2"  # a command with a result of many lines

SHELL = [
    # the words of a shell, its exit code, and the only line on what is left of standard error
    (f"{COMMAND} {TABLE} > /dev/full", RESULT_LOST, "cannot be written: No space left"),
    (f"{COMMAND} --help > /dev/full", RESULT_LOST, "cannot be written: No space left"),
    (f"{COMMAND} serch 2>&-", 2, ""),
    (f"{COMMAND} serch 2> /dev/full", 2, ""),
    (f"{COMMAND} {TABLE} <&- >&- 2>&-", 0, ""),
    (f"set -o pipefail; {COMMAND} {TABLE} | true", BROKEN_PIPE, ""),
    (f"LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {COMMAND} verify größe", 2, "gr\\udcc3\\udcb6"),
]


@pytest.mark.parametrize(("words", "code", "line"), SHELL, ids=lambda each: str(each)[-40:])
def test_lost_streams_are_no_fault_of_ours(words: str, code: int, line: str) -> None:
    ended = subprocess.run(["bash", "-c", words], stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == code, ended.stderr
    assert len(ended.stderr.splitlines()) == (1 if line else 0), ended.stderr
    assert line in ended.stderr


def test_no_file_of_a_command_takes_the_place_of_a_closed_standard_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "os.close(1); os.close(2)\n"
        "from jejunet_nas.cli.streams import standard_streams\n"
        "with standard_streams():\n"
        f"    file = open({str(tmp_path / 'study.db')!r}, 'w')\n"
        "    os._exit(0 if file.fileno() > 2 else 1)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_native_code_writes_during_a_command_is_not_seen(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def examine(*_: object, **__: object) -> list[object]:
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        return []

    monkeypatch.setattr("jejunet_nas.latency.doctor.examine", examine)

    assert exit_code("doctor", "--json") == 0

    shown = capfd.readouterr()
    assert json.loads(shown.out) == {"works": True, "checks": []}
    assert "XNNPACK" not in shown.err


def test_a_command_draws_without_the_backend_of_a_notebook() -> None:
    code = (
        "from jejunet_nas.cli import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
        "import matplotlib\nprint(matplotlib.get_backend())"
    )
    told = {**os.environ, "MPLBACKEND": "module://no_such_module.backend"}

    shown = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True
    )

    assert shown.stdout.splitlines()[-1].lower() == "agg"


def test_the_package_leaves_the_backend_of_a_notebook_alone() -> None:
    code = "import os, jejunet_nas\nprint(os.environ['MPLBACKEND'])"
    told = {**os.environ, "MPLBACKEND": "svg"}

    shown = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True
    )

    assert shown.stdout == "svg\n"
