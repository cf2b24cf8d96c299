"""Folders of decoded pictures that are written once, whole or not at all, by whoever comes first.

A folder is written under another name and renamed into place, so a killed process leaves none that
is believed; a lock beside it keeps a second process from writing the same one.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock

from jejunet_nas.datasets.options import Progress
from jejunet_nas.errors import DataError

_SPARE_BYTES = 2**28  # of a disk that stay free: other programs write too


def note_use(folder: Path) -> None:
    """Note that `folder` is used now, so that cleaning takes others first."""
    with contextlib.suppress(PermissionError):  # a cache that is only read needs no cleaning
        os.utime(folder)


Opened = TypeVar("Opened")
Opened_co = TypeVar("Opened_co", covariant=True)


class Entry(Protocol[Opened_co]):
    """One folder: clips, or other pictures, that are written together."""

    folder: Path

    @property
    def pictures(self) -> int:
        """How many steps `write` takes."""

    def open(self) -> Sequence[Opened_co] | None:
        """Return what it holds, None if it is not there or not whole."""

    def check(self) -> int:
        """Return how many bytes it will take; raises `DataError` for headers that do not fit."""

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Write into `folder`, yielding after each picture."""


def open_entries(
    entries: Sequence[Entry[Opened]],
    what: str,
    progress: Progress | None,
    *,
    verb: str = "decoding",
) -> list[Opened]:
    """Return what all entries hold, after writing those that are not there.

    All that is missing is checked before the first picture is written. `what` names the split and
    `verb` what is done to it; `progress` is told of both, checks by entry, writing by picture.
    """
    found = [entry.open() for entry in entries]
    missing = [number for number, clips in enumerate(found) if clips is None]
    if missing:
        _write([entries[number] for number in missing], what, progress, verb)
        for number in missing:
            found[number] = entries[number].open()
    opened: list[Opened] = []
    for held in found:
        assert held is not None, "a folder that was just written must open"
        opened += held
    return opened


def _write(entries: Sequence[Entry[Any]], what: str, progress: Progress | None, verb: str) -> None:
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
            pool.shutdown(wait=False, cancel_futures=True)  # told at once, not at the end
            raise


def _check_room(cache: Path, needed: int, what: str) -> None:
    """Raise `DataError` where the disk of `cache` has no room for `needed` bytes."""
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = max(0, shutil.disk_usage(there).free - _SPARE_BYTES)
    if needed > free:
        raise DataError(
            f"The cache {cache} has {free / 1e9:.1f} GB free; expected: {needed / 1e9:.1f} GB for "
            f"{what}. Take a part with the data set's options, free some room, or set "
            "XDG_CACHE_HOME or cache_dir to a folder on another disk."
        )


def _write_once(entry: Entry[Any], pool: Executor) -> Iterator[None]:
    """Write an entry's folder unless another process just did, yielding after each picture."""
    folder = entry.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if entry.open() is not None:
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
            f"The cache {folder.parent} cannot be written ({error.strerror or error}); expected: "
            f"a writable folder with room for decoded frames. Free some room there, or set "
            f"XDG_CACHE_HOME or cache_dir to a folder on another disk."
        ) from error
