"""Cleaning of the cache of decoded pictures: the least recently used entries go first.

An entry is a folder of the cache (see `cache`, `input_frames`), written by `write_once`, which also
sets the folder's time at each use. An entry that another process is writing is locked and stays.
An entry is renamed to its unfinished name before its removal, under its lock, so a half-removed one
is never taken for complete. The lock file stays: without it, a process that waits for the lock and
a later one could both write.
"""

import contextlib
import dataclasses
import re
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from jejunet_nas.errors import DataError

_UNFINISHED = ".partial"
# No other folder is touched: other programs may use the same cache.
_NAMED = re.compile(r"[a-z0-9_]+-.+-[0-9a-f]{16}(\.partial)?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A folder of the cache. used_s: Unix time of its last use."""

    folder: Path
    size_bytes: int
    used_s: float

    @property
    def unfinished(self) -> bool:
        """Whether it is being written, or its process was killed."""
        return self.folder.name.endswith(_UNFINISHED)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """The entries that were (or would be) removed, those kept, and those being written."""

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
    """Remove entries not used for `older_than_s`, then more until `keep_below_bytes` is met.

    Unfinished entries of killed processes are removed too. `dry_run` removes nothing. Raises
    `DataError` where a folder cannot be removed.
    """
    entries = sorted(cached(cache_dir), key=lambda entry: entry.used_s)
    left = sum(entry.size_bytes for entry in entries)
    removed, kept, busy = list[Cached](), list[Cached](), list[Cached]()
    for entry in entries:
        old = older_than_s is not None and now_s - entry.used_s > older_than_s
        too_large = keep_below_bytes is not None and left > keep_below_bytes
        if old or too_large or entry.unfinished:
            left -= entry.size_bytes
            (removed if _remove(entry, dry_run=dry_run) else busy).append(entry)
        else:
            kept.append(entry)
    return Cleaning(removed=tuple(removed), kept=tuple(kept), busy=tuple(busy))


def cached(cache_dir: Path) -> list[Cached]:
    """Return all entries of the cache, including unfinished ones."""
    if not cache_dir.is_dir():
        return []
    return [
        entry
        for folder in sorted(cache_dir.iterdir())
        if _NAMED.fullmatch(folder.name) and (entry := _cached(folder))
    ]


def _cached(folder: Path) -> Cached | None:
    """Return the entry in `folder`; None for a file, or a folder that was just renamed."""
    try:
        states = [file.stat() for file in folder.iterdir()]
        used_s = [folder.stat().st_mtime, *(max(s.st_atime, s.st_mtime) for s in states)]
    except OSError:
        return None
    size = sum(state.st_size for state in states)
    return Cached(folder=folder, size_bytes=size, used_s=max(used_s))


def _remove(entry: Cached, *, dry_run: bool) -> bool:
    """Remove an entry; return False if it is being written."""
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
            f"{entry.folder} cannot be removed ({error.strerror or error}). Check its permissions."
        ) from error
    return True
