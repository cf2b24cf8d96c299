"""The lock of a study: one process at a time adds trials to it, or removes it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.engine import make_url

from jejunet_nas.errors import SettingError
from jejunet_nas.study.storage_errors import sqlite_file

_FILE = "lock"  # in the folder of the study's state
_PATIENCE_S = 0.5  # `is_locked` holds a lock for microseconds


@contextlib.contextmanager
def study_lock(folder: Path, name: str, url: str | None = None) -> Iterator[None]:
    """Hold the lock of the study `name` whose state is in `folder`.

    url: of its storage. A SQLite file elsewhere has a lock beside it too: another folder may hold
    the state of the same study. Raises `SettingError` if another process holds one of the locks.
    """
    file = sqlite_file(make_url(url)) if url else None
    files = [folder / _FILE]
    if file is not None and file.absolute().parent != folder.absolute():
        files.append(file.with_name(f".{file.name}.{name}.lock"))
    with contextlib.ExitStack() as stack:
        for each in files:
            try:
                stack.enter_context(FileLock(each).acquire(timeout=_PATIENCE_S))
            except Timeout:
                raise searched_elsewhere(name) from None
        yield


def searched_elsewhere(name: str) -> SettingError:
    """Return the one line about a study that another process searches."""
    return SettingError(f"{name} is being searched by another process. Wait for it, or stop it.")


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
