"""Snapshot: a consistent copy of a study's SQLite database, to be examined while a search writes.

SQLite copies it through a read-only connection, so the file is neither changed nor kept locked. A
copy is examined as a whole: Optuna writes to a database that it opens, if only its version.
"""

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from jejunet_nas.errors import JejunetError, MachineError, SettingError
from jejunet_nas.study.sqlite_lock import AGAIN_S
from jejunet_nas.study.storage import checked_url
from jejunet_nas.study.storage_errors import RESTORE, sqlite_file, storage_error

PATIENCE_S = 10.0  # a search's transactions take milliseconds


@contextlib.contextmanager
def snapshot(url: str) -> Iterator[str]:
    """Yield the URL of a copy of the SQLite database at `url`, if that is one and exists, or `url`.

    Raises `SettingError` if the file is damaged or cannot be read, `MachineError` if
    another program keeps it locked.
    """
    file = sqlite_file(checked_url(url))
    if file is None or not file.exists():
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="jejunet-") as folder:
        copy = Path(folder) / "study.db"
        try:
            _copy(file, copy)
            problem = _integrity(copy)
        except sqlite3.Error as error:
            raise storage_error(error, url, opening=True) from None
        if problem is not None:
            raise SettingError(f"{file} is damaged: {problem}. {RESTORE}.")
        try:
            yield f"sqlite:///{copy}"
        except JejunetError as error:
            raise type(error)(str(error).replace(str(copy), str(file))) from error


def _copy(file: Path, copy: Path) -> None:
    source = f"file:{quote(str(file.absolute()))}?mode=ro"
    try:
        with (
            contextlib.closing(sqlite3.connect(source, uri=True, timeout=AGAIN_S)) as opened,
            contextlib.closing(sqlite3.connect(copy)) as written,
        ):
            opened.backup(written, progress=_until(time.monotonic() + PATIENCE_S, file))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        # A killed process left a transaction, and whoever opens the file next undoes it; so does
        # SQLite with a copy of both files.
        journal = file.with_name(f"{file.name}-journal")
        shutil.copyfile(file, copy)
        shutil.copyfile(journal, copy.with_name(f"{copy.name}-journal"))


def _until(end_s: float, file: Path) -> Callable[[int, int, int], None]:
    """Return what SQLite calls at each attempt to copy: by itself it would wait for ever."""

    def called(status: int, left: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end_s:
            raise MachineError(
                f"another program locks {file} for more than {PATIENCE_S:g} s. Close it, then run "
                "the same command again."
            )

    return called


def _integrity(copy: Path) -> str | None:
    """Return the first problem that SQLite finds in a database, or None."""
    with contextlib.closing(sqlite3.connect(copy)) as opened:
        (found,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
    return None if found == "ok" else " ".join(str(found).split())
