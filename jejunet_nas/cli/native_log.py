"""Redirects what TensorFlow's C++ code writes to standard error to a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

STANDARD_ERROR = 2  # its file descriptor
WIDE = 260


def console_of_its_own() -> Console:
    """Return a console on standard error that `native_log` does not redirect.

    If it is not a terminal, lines are as long as a table's row needs.
    """
    console = Console(file=os.fdopen(os.dup(STANDARD_ERROR), "w", encoding="utf-8"))
    if not console.is_terminal:
        console.width = WIDE
    return console


@contextmanager
def native_log(file: Path) -> Iterator[None]:
    """Append all output to standard error inside the block to `file`.

    Python's logging does not reach the output of C++, so the file descriptor is redirected.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(STANDARD_ERROR)
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(log, STANDARD_ERROR)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)
        os.close(log)
