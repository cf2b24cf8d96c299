"""The lock of a study: one process at a time adds trials to it, or removes it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from jejunet_nas.errors import SettingError

_FILE = "lock"  # in the folder of the study's state
_PATIENCE_S = 0.5  # `is_locked` holds a lock for microseconds


@contextlib.contextmanager
def study_lock(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of the study whose state is in `folder`; `name` is for the message.

    Raises `SettingError` if another process holds it.
    """
    lock = FileLock(folder / _FILE)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout:
        raise SettingError(
            f"{name} is being searched by another process. Wait for it, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock in `folder`, of a study or of an export. Changes nothing."""
    try:
        with (folder / _FILE).open("rb") as file:
            # Not exclusive, so that two that ask do not see each other; closing releases it.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such file, or a file system without locks
        return False
    return False
