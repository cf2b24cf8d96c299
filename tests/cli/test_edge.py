"""The edge of the command line: faults of the machine, passwords, closed streams."""

import errno
import subprocess
import sys
from typing import Any

import pytest
import typer

from jejunet_nas import cli
from tests.cli.commands import exit_code, refusal

URL = "postgresql://me:s3cret@db.example/nas"


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def command(**_: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "app", command)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(errno.ENOSPC, "x", "/a/b.npz"), 4, "/a/b.npz cannot be written: the disk is full"),
        (OSError(errno.EROFS, "x", "/a/b"), 2, "/a/b cannot be written: its file system is read-"),
        (MemoryError(), 4, "not enough memory. Close other programs"),
        (ValueError("a bug"), 1, "internal error: ValueError('a bug'). Add --debug"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(
    error: Exception,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    raising(monkeypatch, error)

    assert refusal(capfd, "search", "tiny", code=code).startswith(line)


def test_a_file_that_ends_too_soon_is_no_interrupt(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()

    @app.command()
    def read() -> None:
        raise EOFError("no data left")

    monkeypatch.setattr(cli, "app", app)

    assert exit_code() == 1
    assert "internal error: EOFError('no data left')" in capfd.readouterr().err


@pytest.mark.parametrize("given", [["--storage", URL], [f"--storage={URL}"]])
def test_no_password_is_printed_not_even_in_a_traceback(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    error = RuntimeError(f"cannot connect to {URL}")
    error.__cause__ = ValueError("password s3cret refused")
    raising(monkeypatch, error)

    exit_code("report", "tiny", *given, "--debug")

    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert "postgresql://me:***@db.example/nas" in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_a_closed_or_full_standard_stream_changes_no_exit_code(streams: str) -> None:
    command = f"{sys.executable} -m jejunet_nas verify /no/where {streams}"

    assert subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL).returncode == 2
