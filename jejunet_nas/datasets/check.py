"""The check of a data set on disk: its contents, and every broken file.

A layout with a missing list, folder, frame or mask raises `DataError`, as it would in a study.
Broken files are collected: unreadable or truncated files, a frame of another size than its clip's
first, a mask of another size than its frame, and masks in colours or with a value without a class.

Masks are read whole. Of a frame only the header and the end are read; one without an end mark is
decoded. Damage between an intact header and an intact end is not found.

Units: sizes are (height, width) in pixels; shares are in [0, 1].
"""

import collections
import dataclasses
import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.datasets.catalog import describe_splits
from jejunet_nas.datasets.clip_files import (
    Pair,
    Size,
    SplitFiles,
    clip_pairs,
    picture_size,
    read_frame,
    read_mask,
    wrong_size,
)
from jejunet_nas.datasets.learnable import (
    Labels,
    check_learnable,
    label_warnings,
    lost_labels,
    origin_warning,
)
from jejunet_nas.datasets.options import Split
from jejunet_nas.datasets.shared import shared_files, shared_warning
from jejunet_nas.errors import DataError
from jejunet_nas.progress import Tell
from jejunet_nas.records import IGNORE

_END_MARKS = (b"\xff\xd9", b"IEND")  # of JPEG, of PNG
_END_BYTES = 1024  # searched for the mark: some cameras append a few bytes
_QUEUED = 1024  # files at most, so that an interrupt does not wait long


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """Frequency of a class. share: of the pixels that are not void. frames: with the class."""

    name: str
    share: float
    frames: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitCheck:
    """Contents of a split.

    frames: files of clips and photos. sizes: the number of frames of each, smallest size first.
    fps: of clips. void_share: of the masks' pixels. labels: for what can be learnt from them. lost:
    see `lost_labels`. faults: for each broken file, a sentence that names it and the reason.
    """

    split: Split
    clips: int
    photos: int
    frames: int
    annotated_frames: int
    sizes: Mapping[Size, int]
    fps: tuple[float, ...]
    classes: tuple[ClassCount, ...]
    void_share: float
    labels: Labels
    lost: tuple[str, ...]
    faults: Mapping[Path, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """Contents of a data set, its splits in the order train, val.

    refusals: why a search refuses it. warnings: what a search says before it trains. seconds: time
    of the check.
    """

    dataset: str
    root: Path
    files: tuple[SplitFiles, ...]
    splits: tuple[SplitCheck, ...]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float

    @property
    def faults(self) -> dict[Path, str]:
        """The faults of both splits; a file may be in both."""
        return {file: fault for split in self.splits for file, fault in split.faults.items()}


@dataclasses.dataclass(slots=True)
class _Seen:
    """Contents of one pair of files; None where a file cannot be read."""

    size: Size | None = None
    pixels: npt.NDArray[np.int64] | None = None  # [256], of each class
    faults: dict[Path, str] = dataclasses.field(default_factory=dict)


def check_data(
    dataset: str,
    root: Path,
    options: Mapping[str, Any] | None = None,
    progress: Tell | None = None,
) -> DataCheck:
    """Return the contents of both splits of the data set, after reading every file.

    Raises `SettingError` for an unknown name or option, `DataError` for a missing file.
    """
    began = time.monotonic()
    files = describe_splits(dataset, root, options)
    pairs = [pair for split in files for clip in clip_pairs(split) for pair in clip]
    seen: list[_Seen] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        for first in range(0, len(pairs), _QUEUED):
            for each in pool.map(_look, pairs[first : first + _QUEUED]):
                seen.append(each)
                if progress:
                    progress(f"reading {dataset}", len(seen), len(pairs))
    in_order = iter(seen)
    splits = tuple(_summary(split, in_order) for split in files)
    train, val = (split.labels for split in splits)
    return DataCheck(
        dataset=dataset,
        root=root,
        files=files,
        splits=splits,
        refusals=tuple(itertools.chain(*map(_refusal, splits, files))),
        warnings=(
            *itertools.chain(*(split.lost for split in splits)),
            *label_warnings(train, val),
            *origin_warning(val.videos, val.photos),
            *shared_warning(shared_files(*files)),
        ),
        seconds=time.monotonic() - began,
    )


def _look(pair: Pair) -> _Seen:
    seen = _Seen()
    try:
        seen.size = picture_size(pair.frame)
        if not _has_end(pair.frame):
            read_frame(pair.frame, seen.size)
    except DataError as error:
        seen.faults[pair.frame] = str(error)
    if pair.mask is None:
        return seen
    try:
        mask = read_mask(pair.mask, pair.code)
        if seen.size and mask.shape != seen.size:
            raise wrong_size(pair.mask, mask.shape, seen.size, f"as its frame {pair.frame}")
        seen.pixels = np.bincount(mask.ravel(), minlength=256)
    except DataError as error:
        seen.faults[pair.mask] = str(error)
    return seen


def _has_end(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _END_BYTES))
            end = file.read()
    except OSError:
        return False  # decoding the file will raise the reason
    return any(mark in end for mark in _END_MARKS)


def _summary(files: SplitFiles, in_order: Iterator[_Seen]) -> SplitCheck:
    clips = [[(pair, next(in_order)) for pair in clip] for clip in clip_pairs(files)]
    seen = [each for clip in clips for _, each in clip]
    masks = np.array([each.pixels for each in seen if each.pixels is not None]).reshape(-1, 256)
    pixels, frames = masks.sum(axis=0), (masks > 0).sum(axis=0)
    known = max(1, int(pixels.sum() - pixels[IGNORE]))
    sizes = collections.Counter(each.size for each in seen if each.size)
    faults = [fault for each in seen for fault in each.faults.items()]
    faults += [fault for clip in clips for fault in _odd(clip)]
    return SplitCheck(
        split=files.split,
        clips=len(files.clips),
        photos=len(files.photos),
        frames=len(seen),
        annotated_frames=sum(pair.mask is not None for clip in clips for pair, _ in clip),
        sizes={size: sizes[size] for size in sorted(sizes, key=lambda s: (s[0] * s[1], s))},
        fps=tuple(sorted({clip.fps for clip in files.clips})),
        classes=tuple(
            ClassCount(name=name, share=int(pixels[i]) / known, frames=int(frames[i]))
            for i, name in enumerate(files.class_names)
        ),
        void_share=int(pixels[IGNORE]) / max(1, int(pixels.sum())),
        labels=_labels(files, pixels),
        lost=lost_labels(files, [_classes(clip) for clip in clips]),
        faults=dict(faults),
    )


def _classes(clip: Sequence[tuple[Pair, _Seen]]) -> set[int]:
    """Return the class indices that occur in a clip's masks."""
    held = (np.flatnonzero(each.pixels) for _, each in clip if each.pixels is not None)
    return {index for indices in held for index in indices.tolist()}


def _labels(files: SplitFiles, pixels: npt.NDArray[np.int64]) -> Labels:
    masks = [mask for clip in files.clips for mask in clip.masks if mask is not None]
    return Labels(
        split=files.split,
        class_names=files.class_names,
        pixels={value: int(pixels[value]) for value in np.flatnonzero(pixels).tolist()},
        videos=len(files.clips),
        photos=len(files.photos),
        annotated_frames=len(masks) + len(files.photos),
    )


def _refusal(split: SplitCheck, files: SplitFiles) -> Iterator[str]:
    """Yield why a search would refuse the split, if any mask can be read."""
    try:
        if split.labels.pixels:
            check_learnable(split.labels, files)
    except DataError as error:
        yield str(error)


def _odd(clip: Sequence[tuple[Pair, _Seen]]) -> Iterator[tuple[Path, str]]:
    """Yield the frames of another size than the clip's first readable one."""
    known = [(pair.frame, seen.size) for pair, seen in clip if seen.size]
    for path, size in known[1:]:
        first, expected = known[0]
        if size != expected:
            why = f"as the clip's first frame {first.name}"
            yield path, str(wrong_size(path, size, expected, why))
