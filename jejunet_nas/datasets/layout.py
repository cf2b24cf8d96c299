"""Layouts on disk: listing folders, reading lists, splitting names, and naming what is missing.

A reader stops at the first fault with a `DataError`. It skips nothing silently, except files whose
names begin with a dot, which operating systems create (`.DS_Store`, `._00000.jpg`).

A data set without its own train/val split is divided by a hash of each name. A name keeps its split
when other names are added or removed, on any machine.
"""

import hashlib
import itertools
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
_MOST_FOLDERS = 50  # searched for a data set that is deeper than its root
_AGAIN = "Copy or download this file again."


def check_parts(root: Path, parts: Sequence[str], otherwise: str) -> None:
    """Raise `DataError` unless `root` has all `parts`, its files and folders.

    The fix is the folder near `root` that has all of them, or else `otherwise`.
    """
    for part in parts:
        if not (root / part).exists():
            fix = _root_hint(root, parts) or otherwise
            raise missing(root / part, f"{', '.join(parts)} in one folder", fix)


def _root_hint(root: Path, parts: Sequence[str]) -> str | None:
    near = [root.parent, *subfolders(root, _MOST_FOLDERS)]
    near += [folder for child in near[1:] for folder in subfolders(child, _MOST_FOLDERS)]
    for folder in near:
        if all((folder / part).exists() for part in parts):
            return f"Use --data-root {folder}."
    return None


def missing(path: Path, expected: str, fix: str) -> DataError:
    """Return the error for a file or folder that is missing or empty."""
    state = "is empty" if path.is_dir() else "is missing"
    return DataError(f"{path} {state}; expected: {expected}. {fix}")


def check_partners(
    files: Mapping[str, Path], partners: Container[str], folder: Path, suffix: str, fix: str
) -> None:
    """Raise `DataError` unless each of `files` has a mask (.png) or frame of its stem."""
    for stem, file in files.items():
        if stem not in partners:
            kind = "mask" if suffix == ".png" else "frame"
            raise missing(folder / f"{stem}{suffix}", f"the {kind} of {file}", fix)


def read_list(path: Path, what: str, fix: str) -> list[list[str]]:
    """Return the words of each line of a list, at least one line; `what` is what a line names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise missing(path, f"a list with {what} on each line", fix) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); expected: a list with {what} on each line. {_AGAIN}"
        ) from error
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty; expected: {what} on each line. {_AGAIN}")
    return lines


def listed_pairs(list_file: Path, root: Path) -> dict[str, tuple[Path, Path]]:
    """Return frame and mask of each line of a list, by the frame's stem.

    Only the last folder and the stem of a listed path count: releases differ in the rest.
    """
    pairs: dict[str, tuple[Path, Path]] = {}
    files: dict[Path, dict[str, Path]] = {}
    what = "the paths of a frame and its mask"
    for number, words in enumerate(read_list(list_file, what, _AGAIN), 1):
        if len(words) != 2:
            raise DataError(
                f"{list_file} line {number} is {' '.join(words)!r}; expected: {what}. "
                "Fix that line, or copy the file again."
            )
        frame, mask = (root.joinpath(*Path(word).parts[-2:]) for word in words)
        for path in (frame, mask):
            if path.parent not in files:
                files[path.parent] = by_stem(path.parent, PHOTO_SUFFIXES)
            if path.stem not in files[path.parent]:
                expected = f"a file that line {number} of {list_file} names"
                raise missing(path, expected, f"{_AGAIN[:-1]}, or remove it from the list.")
        pairs[frame.stem] = files[frame.parent][frame.stem], files[mask.parent][mask.stem]
    return pairs


def by_stem(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """Return the files of `folder` with one of `suffixes` by stem, sorted; {} for no folder.

    Raises `DataError` for two files of one stem, or a folder that cannot be read.
    """
    allowed = tuple(suffixes)
    files: dict[str, Path] = {}
    try:
        names = sorted(os.listdir(folder) if folder.is_dir() else ())
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    for name in names:
        if name.startswith(".") or not name.lower().endswith(allowed):
            continue
        stem = name.rpartition(".")[0]
        if stem in files:
            raise DataError(
                f"{folder / name} has the same name as {files[stem].name}; expected: one picture "
                "of that name. Remove or rename one of them."
            )
        files[stem] = folder / name
    return files


def subfolders(folder: Path, at_most: int | None = None) -> list[Path]:
    """Return the folders in `folder`, sorted, any `at_most` of them; none where it is no folder."""
    try:
        with os.scandir(folder) as entries:
            found = (e.name for e in entries if e.name[0] != "." and e.is_dir())
            return [folder / name for name in sorted(itertools.islice(found, at_most))]
    except OSError:
        return []


def _share_of(name: str) -> float:
    """Return a pseudo-random number in [0, 1) that depends on `name` alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def mixed(names: Iterable[str]) -> list[str]:
    """Return `names` in a pseudo-random order, of which the first n are a fair sample."""
    return sorted(names, key=lambda name: (_share_of(f"order/{name}"), name))


def names_of_split(names: Iterable[str], split: Split, val_share: float) -> list[str]:
    """Return the names of `split`, sorted; with two names or more, no split is empty."""
    ranked = sorted(names, key=lambda name: (_share_of(name), name))
    count = sum(_share_of(name) < val_share for name in ranked)
    count = min(max(count, 1), max(1, len(ranked) - 1))
    return sorted(ranked[:count] if split == "val" else ranked[count:])
