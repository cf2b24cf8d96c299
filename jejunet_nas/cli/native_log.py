"""Redirects what TensorFlow's C++ code writes to standard error to a file."""

import errno
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
    sys.stderr.flush()
    log = _open(file)
    kept = os.dup(STANDARD_ERROR)
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


def _open(file: Path) -> int:
    """Open `file` to append to it; where nothing may be written, the output is discarded.

    A study on a read-only file system can be exported to another.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, flags, 0o644)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        return os.open(os.devnull, flags)
