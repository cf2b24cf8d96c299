"""Keeps what TensorFlow's C++ parts write to standard error out of a person's sight, in a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

STANDARD_ERROR = 2  # its file descriptor
WIDE = 260


def console_of_its_own() -> Console:
    """Return a console on standard error that `native_log` does not silence.

    Where it is no terminal, lines are as long as a table's row needs.
    """
    console = Console(file=os.fdopen(os.dup(STANDARD_ERROR), "w", encoding="utf-8"))
    if not console.is_terminal:
        console.width = WIDE
    return console


@contextmanager
def native_log(file: Path) -> Iterator[None]:
    """Send all that is written to standard error inside the block to the end of `file`.

    Python's logging does not reach what C++ prints; the file descriptor itself is turned away.
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
