"""A file that is there whole or not at all, whoever reads it meanwhile."""

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(file: Path, write: Callable[[Path], object]) -> Path:
    """Have `write` make `file` beside its place, put it there in one step, and return it."""
    # The process's number keeps two that are written at once apart.
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        write(beside)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return file
