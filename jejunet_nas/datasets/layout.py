"""Layouts on disk: listing folders, reading lists, splitting names, and naming what is missing.

A fault is a `DataError`; those that are found together are raised as one (see `all_of`). Which
files are pictures, and their order, says `images.listing`. Names are in its Unicode form (NFC)
everywhere.

A data set without its own train/val split is divided by a hash of each name. A name keeps its split
when other names are added or removed, on any machine.
"""

import hashlib
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError
from jejunet_nas.images.listing import EXACT_SUFFIXES, SUFFIXES, folders_in, pictures_in, plain

Result = TypeVar("Result")
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
    near = [root.parent, *folders_in(root)[:_MOST_FOLDERS]]
    near += [folder for child in near[1:] for folder in folders_in(child)[:_MOST_FOLDERS]]
    for folder in near:
        if all((folder / part).exists() for part in parts):
            return f"Use --data-root {folder}."
    return None


def missing(path: Path, expected: str, fix: str) -> DataError:
    """Return the error for a file or folder that is missing or empty."""
    state = "is empty" if os.path.isdir(path) else "is missing"  # never raises for a long name
    return DataError(f"{path} {state}; expected: {expected}. {fix}")


def check_partners(
    files: Mapping[str, Path], partners: Container[str], folder: Path, suffix: str, fix: str
) -> None:
    """Raise `DataError` unless each of `files` has a mask (.png) or frame of its stem."""
    alone = [(file, f"{stem}{suffix}") for stem, file in files.items() if stem not in partners]
    raise_any(missing_partner(f, folder / name, suffix == ".png", fix) for f, name in alone)


def missing_partner(file: Path, path: Path, is_mask: bool, fix: str) -> DataError:
    """Return the error for the mask, or the frame, of `file` that is missing at `path`."""
    if is_mask:
        for suffix in SUFFIXES:
            inexact = path.with_suffix(suffix)
            if suffix not in EXACT_SUFFIXES and inexact.is_file():
                return DataError(
                    f"{inexact} is no exact picture, its values may have changed; expected: the "
                    f"mask of {file} as PNG. Make {path.name} from the annotation again."
                )
    return missing(path, f"the {'mask' if is_mask else 'frame'} of {file}", fix)


def raise_any(errors: Iterable[DataError]) -> None:
    """Raise the first of `errors`, if there is one, with the messages of the others."""
    found = list(errors)
    if found:
        messages = dict.fromkeys(words for error in found for words in (str(error), *error.others))
        found[0].others = tuple(messages)[1:]
        raise found[0]


def all_of(calls: Iterable[Callable[[], Result]]) -> tuple[Result, ...]:
    """Return the results of `calls`; raises the `DataError`s of all of them as one."""
    results, errors = list[Result](), list[DataError]()
    for call in calls:
        try:
            results.append(call())
        except DataError as error:
            errors.append(error)
    raise_any(errors)
    return tuple(results)


def by_stem(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> dict[str, Path]:
    """Return the pictures of `folder` with one of `suffixes` by stem, in order; {} for no folder.

    Raises `DataError` for two files of one stem, or a folder that cannot be read.
    """
    files: dict[str, Path] = {}
    for file in pictures_in(folder, suffixes):
        stem = plain(file.stem)
        if stem in files:
            raise DataError(
                f"{file} has the same name as {files[stem].name}; expected: one picture "
                "of that name. Remove or rename one of them."
            )
        files[stem] = file
    return files


def masks_in(folder: Path) -> dict[str, Path]:
    """Return the masks of `folder` by stem; raises as `by_stem` does."""
    return by_stem(folder, EXACT_SUFFIXES)


def folders_by_name(folder: Path) -> dict[str, Path]:
    """Return the folders in `folder` by name, sorted."""
    return {plain(found.name): found for found in folders_in(folder)}


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


def stratified_split(
    clips: Iterable[str], photos: Iterable[str], split: Split, val_share: float
) -> list[str]:
    """Return the names of `split`, clips and photos divided apart, so val has some of each kind.

    Of two clips or more, at least one is in val; the only clip is in val beside photos, because
    real video says most about video. With two names or more, no split is empty.
    """
    kinds = [sorted(clips), sorted(photos)]
    names = []
    for kind, other, single in zip(kinds, kinds[::-1], ("val", "train"), strict=True):
        if len(kind) == 1 and other:
            names += kind if split == single else []
        elif kind:
            names += names_of_split(kind, split, val_share)
    return sorted(names)
