"""Folders of decoded pictures that are written once and completely, by the first process.

A folder is written under another name and then renamed, so a killed process leaves no incomplete
folder under the final name. A lock beside it keeps a second process from writing the same one.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock

from jejunet_nas.errors import DataError
from jejunet_nas.progress import Tell

_SPARE_BYTES = 2**28  # of a disk that stay free for other programs
_ELSEWHERE = "or set XDG_CACHE_HOME or cache_dir to a folder on another disk."

Opened = TypeVar("Opened")
Opened_co = TypeVar("Opened_co", covariant=True)


class Entry(Protocol[Opened_co]):
    """One folder: clips, or other pictures, that are written together."""

    folder: Path

    @property
    def pictures(self) -> int:
        """The number of steps of `write`."""

    def open(self) -> Sequence[Opened_co]:
        """Return the content. Raises OSError, ValueError or EOFError where it is not complete."""

    def check(self) -> int:
        """Return the bytes to be written. Raises `DataError` for headers that do not match."""

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Write into `folder`, yielding after each picture."""


def open_entries(
    entries: Sequence[Entry[Opened]],
    what: str,
    progress: Tell | None,
    *,
    verb: str = "decoding",
) -> list[Opened]:
    """Return the content of all entries, after writing the missing ones.

    All missing entries are checked before the first is written. `what` names the split, and `verb`
    its writing; `progress` is called for each check of an entry, and for each written picture.
    """
    found = [_open(entry) for entry in entries]
    missing = [number for number, content in enumerate(found) if content is None]
    if missing:
        _write([entries[number] for number in missing], what, progress, verb)
        for number in missing:
            found[number] = entries[number].open()
    return [opened for content in found for opened in content or ()]


def _open(entry: Entry[Opened]) -> Sequence[Opened] | None:
    """Return the content of `entry`, noting its use for `cleaning`; None if it is incomplete."""
    try:
        with contextlib.suppress(PermissionError):  # a read-only cache needs no cleaning
            os.utime(entry.folder)
        return entry.open()
    except (OSError, ValueError, EOFError, TypeError, LookupError, RecursionError, AssertionError):
        return None  # of a folder that was damaged, or written by another version


def _write(entries: Sequence[Entry[Any]], what: str, progress: Tell | None, verb: str) -> None:
    total, done = sum(entry.pictures for entry in entries), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        try:
            needed = 0
            for number, size in enumerate(pool.map(lambda entry: entry.check(), entries), 1):
                needed += size
                if progress:
                    progress(f"checking {what}", number, len(entries))
            _check_room(entries[0].folder.parent, needed, what)
            for entry in entries:
                for _ in _write_once(entry, pool):
                    done += 1
                    if progress:
                        progress(f"{verb} {what}", done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else the error waits for the queue
            raise


def _check_room(cache: Path, needed: int, what: str) -> None:
    existing = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = max(0, shutil.disk_usage(existing).free - _SPARE_BYTES)
    if needed > free:
        raise DataError(
            f"The cache {cache} has {free / 1e9:.1f} GB free; {what} needs {needed / 1e9:.1f} GB. "
            f"Use a part of the data set (see its options), free some space, {_ELSEWHERE}"
        )


def _write_once(entry: Entry[Any], pool: Executor) -> Iterator[None]:
    """Write an entry's folder unless another process just did, yielding after each picture."""
    folder = entry.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if _open(entry) is not None:
                yield from (None for _ in range(entry.pictures))
                return
            partial = folder.with_name(f"{folder.name}.partial")
            for leftover in (partial, folder):
                shutil.rmtree(leftover, ignore_errors=True)
            partial.mkdir()
            try:
                yield from entry.write(partial, pool)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"The cache {folder.parent} cannot be written ({error.strerror or error}). Free some "
            f"space there, make it writable, {_ELSEWHERE}"
        ) from error
