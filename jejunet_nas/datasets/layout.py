"""What readers of layouts share: listing folders, reading lists, and naming what is not there.

Every fault stops the reader with one `DataError`; nothing is skipped in silence, but for files
whose name begins with a dot, which systems leave behind (`.DS_Store`, `._00000.jpg`).
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from jejunet_nas.errors import DataError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
_MOST_FOLDERS = 50  # that are looked into for a data set that lies deeper than it should


def root_hint(root: Path, marks: Sequence[str], otherwise: str) -> str:
    """Return the fix for a root that is not one: the folder near it that holds all `marks`."""
    near = [root.parent, *subfolders(root, _MOST_FOLDERS)]
    near += [folder for child in near[1:] for folder in subfolders(child, _MOST_FOLDERS)]
    for folder in near:
        if all((folder / mark).exists() for mark in marks):
            return f"Use --data-root {folder}."
    return otherwise


def missing(path: Path, expected: str, fix: str) -> DataError:
    """Return the error for a file or folder that is not there, or is empty."""
    state = "is empty" if path.is_dir() else "is missing"
    return DataError(f"{path} {state}; expected: {expected}. {fix}")


def read_list(path: Path, what: str, fix: str) -> list[list[str]]:
    """Return the words of each line of a list, at least one line; `what` says what a line names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise missing(path, f"a list, {what} a line", fix) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); expected: a list, {what} a line. "
            "Copy or download this file again."
        ) from error
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(
            f"{path} is empty; expected: {what} a line. Copy or download this file again."
        )
    return lines


def by_stem(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """Return the files of `folder` with one of `suffixes` by stem, sorted; {} for no folder.

    Raises `DataError` for two files of one stem: which of them is meant, nobody can tell.
    """
    allowed = tuple(suffixes)
    files: dict[str, Path] = {}
    for name in sorted(_names(folder)):
        if name.startswith(".") or not name.lower().endswith(allowed):
            continue
        stem = name.rpartition(".")[0]
        if stem in files:
            raise DataError(
                f"{folder / name} has the name of {files[stem].name}; expected: one picture of "
                "that name. Remove or rename one of them."
            )
        files[stem] = folder / name
    return files


def subfolders(folder: Path, at_most: int | None = None) -> list[Path]:
    """Return the folders in `folder`, sorted; none if it is no folder. `at_most`: of any order."""
    try:
        with os.scandir(folder) as entries:
            found = (e.name for e in entries if e.name[0] != "." and e.is_dir())
            return [folder / name for name in sorted(itertools.islice(found, at_most))]
    except OSError:
        return []


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
