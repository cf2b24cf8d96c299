"""The lock of a study: one process at a time adds trials to it, or removes it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from jejunet_nas.errors import SettingError

_FILE = "lock"  # in the folder of the study's state


@contextlib.contextmanager
def study_lock(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of the study whose state is in `folder`; `name` is for the message.

    Raises `SettingError` if another process holds it.
    """
    lock = FileLock(folder / _FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingError(
            f"{name} is being searched by another process. Wait for it, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()
