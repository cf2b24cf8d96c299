"""Redirects what TensorFlow's C++ code writes to standard error to a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

STANDARD_ERROR = 2  # its file descriptor
WIDE = 260  # columns where there is no terminal: a row of a table fits in one line


@contextmanager
def native_log(file: Path) -> Iterator[Console]:
    """Append the output to standard error inside the block to `file`; yield a console for ours.

    Python's logging does not reach the output of C++, so the file descriptor is redirected. The
    console writes to standard error until the block ends.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(STANDARD_ERROR)
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    with os.fdopen(kept, "w", encoding="utf-8") as ours:
        console = Console(file=ours)
        if not console.is_terminal:
            console.width = WIDE
        try:
            os.dup2(log, STANDARD_ERROR)
            yield console
        finally:
            sys.stderr.flush()
            os.dup2(kept, STANDARD_ERROR)
            os.close(log)
