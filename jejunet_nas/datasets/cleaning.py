"""Keeps the cache of decoded pictures small: what was not used for longest goes first.

An entry is a folder of the cache (see `cache`, `input_frames`), written by `write_once`. What
another process is writing has its lock and stays. Removing renames an entry to what an unfinished
one is called, under that lock, so that no half of it is ever taken for whole. Its lock file, which
is empty, stays: without it a process that waits for it and one that comes later would both write.

Whoever opens an entry notes it in the folder's time (`write_once.note_use`).
"""

import contextlib
import dataclasses
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from jejunet_nas.errors import DataError

_UNFINISHED = ".partial"
# Nothing else in the folder is touched: it may be shared with other programs.
_NAMED = re.compile(r"[a-z0-9_]+-.+-[0-9a-f]{16}(\.partial)?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """One folder of the cache. used_s: Unix time of its last use."""

    folder: Path
    size_bytes: int
    used_s: float

    @property
    def unfinished(self) -> bool:
        """Whether it is being written, or was when its process was killed."""
        return self.folder.name.endswith(_UNFINISHED)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """What became of a cache: removed (or to be removed), kept, and kept as it is being written."""

    removed: tuple[Cached, ...]
    kept: tuple[Cached, ...]
    busy: tuple[Cached, ...]


def clean_cache(
    cache_dir: Path,
    *,
    now_s: float,
    older_than_s: float | None = None,
    keep_below_bytes: float | None = None,
    dry_run: bool = False,
) -> Cleaning:
    """Remove what was not used for `older_than_s`, then more, until the rest is small enough.

    What a killed process left unfinished goes too. With `dry_run`, nothing is removed. Raises
    `DataError` where a folder cannot be removed.
    """
    entries = sorted(cached(cache_dir), key=lambda entry: entry.used_s)
    chosen = _choose(entries, now_s, older_than_s, keep_below_bytes)
    removed = [entry for entry in chosen if _remove(entry, dry_run=dry_run)]
    gone = [entry.folder for entry in removed]
    return Cleaning(
        removed=tuple(removed),
        kept=tuple(entry for entry in entries if entry not in chosen),
        busy=tuple(entry for entry in chosen if entry.folder not in gone),
    )


def cached(cache_dir: Path) -> list[Cached]:
    """Return all entries of the cache, unfinished ones too."""
    if not cache_dir.is_dir():
        return []
    return [
        entry
        for folder in sorted(cache_dir.iterdir())
        if _NAMED.fullmatch(folder.name) and (entry := _cached(folder))
    ]


def _cached(folder: Path) -> Cached | None:
    """Return the entry in `folder`; None where it is no folder, or has just been renamed."""
    try:
        states = [file.stat() for file in folder.iterdir()]
        used_s = [folder.stat().st_mtime, *(max(s.st_atime, s.st_mtime) for s in states)]
    except OSError:
        return None
    size = sum(state.st_size for state in states)
    return Cached(folder=folder, size_bytes=size, used_s=max(used_s))


def _choose(
    entries: Sequence[Cached], now_s: float, older_than_s: float | None, below: float | None
) -> list[Cached]:
    """Return those of `entries`, which come in the order of use, that have to go."""
    chosen, left = [], sum(entry.size_bytes for entry in entries)
    for entry in entries:
        old = older_than_s is not None and now_s - entry.used_s > older_than_s
        if old or entry.unfinished or (below is not None and left > below):
            chosen.append(entry)
            left -= entry.size_bytes
    return chosen


def _remove(entry: Cached, *, dry_run: bool) -> bool:
    """Remove an entry; return False for one that is being written."""
    whole = entry.folder.with_name(entry.folder.name.removesuffix(_UNFINISHED))
    unfinished = whole.with_name(whole.name + _UNFINISHED)
    lock = FileLock(f"{whole}.lock")
    try:
        with contextlib.suppress(FileNotFoundError), lock.acquire(blocking=False):
            if not dry_run:
                if not entry.unfinished:
                    shutil.rmtree(unfinished, ignore_errors=True)
                    whole.rename(unfinished)
                shutil.rmtree(unfinished)
    except Timeout:
        return False
    except OSError as error:
        raise DataError(
            f"{entry.folder} cannot be removed ({error.strerror or error}); expected: a folder of "
            "yours. Check its permissions."
        ) from error
    return True
