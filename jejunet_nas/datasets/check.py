"""Looks at every file of a data set on disk, and says what is there and what is broken.

A layout that does not hold together stops at once with `DataError`, as it would stop a study: a
list, a folder, a frame or a mask that is missing. A file that is there and broken is noted, and the
rest is looked at all the same: one that cannot be read or is cut short, a frame of another size
than its clip's first, a mask of another size than its frame, colours or a value that no class has.

Masks are read whole. Of a frame only the header and the end are read: without a picture's end mark
there, it is decoded to be sure. Damage between a whole header and a whole end is not found.

Units: sizes are (height, width) in pixels; shares lie in [0, 1].
"""

import collections
import dataclasses
import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.datasets.catalog import describe_split
from jejunet_nas.datasets.clip_files import (
    ClipFiles,
    MaskCode,
    PhotoFiles,
    Size,
    SplitFiles,
    check_photo,
    check_sizes,
    read_frame,
    read_mask,
)
from jejunet_nas.datasets.options import Progress, Split
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

SPLITS: tuple[Split, ...] = get_args(Split)
_END_MARKS = (b"\xff\xd9", b"IEND")  # of JPEG, of PNG
_END_BYTES = 1024  # in which the mark is looked for: some cameras add a little behind it
_AT_ONCE = 1024  # files that wait for a thread


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A file that is broken, and the sentence that names it and says why."""

    path: Path
    sentence: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """How often one class occurs. share: of the pixels that have a class."""

    name: str
    share: float
    frames: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitCheck:
    """What a split holds.

    frames: files of clips and photos. sizes: how many frames have each, the smallest first. fps: of
    clips. void_share: of the masks' pixels.
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
    faults: tuple[Fault, ...]

    @property
    def never(self) -> tuple[str, ...]:
        """The classes that no readable mask holds."""
        return tuple(each.name for each in self.classes if not each.frames)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """What a data set holds, its splits in the order train, val. seconds: that looking took."""

    dataset: str
    root: Path
    files: tuple[SplitFiles, ...]
    splits: tuple[SplitCheck, ...]
    seconds: float

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that is broken, each file once: a file may serve both splits."""
        return _each_once([fault for split in self.splits for fault in split.faults])


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A frame's file, its mask's, and what that mask's values mean; None where it has no mask."""

    frame: Path
    mask: Path | None
    code: MaskCode | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """What one pair of files holds; None where it cannot be known."""

    size: Size | None
    pixels: npt.NDArray[np.int64] | None  # [256] of each class
    faults: tuple[Fault, ...]


def check_data(
    dataset: str,
    root: Path,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> DataCheck:
    """Return what both splits of the data set hold, after looking at every file.

    Raises `SettingError` for a name or an option that does not exist, `DataError` where the layout
    does not hold together.
    """
    began = time.monotonic()
    files = tuple(describe_split(dataset, split, root, options) for split in SPLITS)
    pairs = [[pair for clip in clip_pairs(split) for pair in clip] for split in files]
    total = sum(len(of_split) for of_split in pairs)
    seen: list[_Seen] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        for number, each in enumerate(_looked_at([*itertools.chain(*pairs)], pool), start=1):
            seen.append(each)
            if progress:
                progress(f"reading {dataset}", number, total)
    train = len(pairs[0])
    splits = [_summary(f, s) for f, s in zip(files, (seen[:train], seen[train:]), strict=True)]
    return DataCheck(
        dataset=dataset,
        root=root,
        files=files,
        splits=tuple(splits),
        seconds=time.monotonic() - began,
    )


def clip_pairs(files: SplitFiles) -> Iterator[list[Pair]]:
    """Yield the files of each clip, then those of each photo."""
    for clip in files.clips:
        both = zip(clip.frames, clip.masks, strict=True)
        yield [Pair(frame, mask, clip.mask_code) for frame, mask in both]
    for photo in files.photos:
        yield [Pair(photo.frame, photo.mask, files.photo_code)]


def _looked_at(pairs: Sequence[Pair], pool: ThreadPoolExecutor) -> Iterator[_Seen]:
    for first in range(0, len(pairs), _AT_ONCE):
        yield from pool.map(_look, pairs[first : first + _AT_ONCE])


def _look(pair: Pair) -> _Seen:
    """Return what the frame's header and the whole mask say."""
    faults, size, pixels = [], None, None
    try:
        size = check_photo(PhotoFiles(name="", frame=pair.frame, mask=pair.frame))
        if not _has_end(pair.frame):
            read_frame(pair.frame, size)
    except DataError as error:
        faults.append(Fault(path=pair.frame, sentence=str(error)))
    if pair.mask is not None and pair.code is not None:
        try:
            mask = read_mask(pair.mask, pair.code)
            if size and mask.shape != size:
                _compare(pair.code, (pair.frame,), (pair.mask,))
            pixels = np.array(Image.fromarray(mask).histogram(), np.int64)
        except DataError as error:
            faults.append(Fault(path=pair.mask, sentence=str(error)))
    return _Seen(size, pixels, tuple(faults))


def _has_end(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _END_BYTES))
            end = file.read()
    except OSError:
        return False  # who decodes the file will say why
    return any(mark in end for mark in _END_MARKS)


def _summary(files: SplitFiles, seen: Sequence[_Seen]) -> SplitCheck:
    pixels, frames = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for each in seen:
        if each.pixels is not None:
            pixels += each.pixels
            frames += each.pixels > 0
    known = max(1, int(pixels.sum() - pixels[IGNORE]))
    sizes = collections.Counter(each.size for each in seen if each.size)
    return SplitCheck(
        split=files.split,
        clips=len(files.clips),
        photos=len(files.photos),
        frames=len(seen),
        annotated_frames=sum(p.mask is not None for pairs in clip_pairs(files) for p in pairs),
        sizes={size: sizes[size] for size in sorted(sizes, key=lambda s: (s[0] * s[1], s))},
        fps=tuple(sorted({clip.fps for clip in files.clips})),
        classes=tuple(
            ClassCount(name=name, share=int(pixels[i]) / known, frames=int(frames[i]))
            for i, name in enumerate(files.class_names)
        ),
        void_share=int(pixels[IGNORE]) / max(1, int(pixels.sum())),
        faults=_each_once([*(f for each in seen for f in each.faults), *_odd_frames(files, seen)]),
    )


def _each_once(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    return tuple({fault.path: fault for fault in faults}.values())


def _odd_frames(files: SplitFiles, seen: Sequence[_Seen]) -> Iterator[Fault]:
    """Yield the frames that have another size than their clip's first readable one."""
    rest = iter(seen)
    for clip in files.clips:
        sizes = [each.size for each in itertools.islice(rest, len(clip.frames))]
        known = [(path, size) for path, size in zip(clip.frames, sizes, strict=True) if size]
        for path, size in known[1:]:
            if size != known[0][1]:
                try:
                    _compare(clip.mask_code, (known[0][0], path), (None, None))
                except DataError as error:
                    yield Fault(path=path, sentence=str(error))


def _compare(code: MaskCode, frames: tuple[Path, ...], masks: tuple[Path | None, ...]) -> None:
    """Raise what the readers raise where sizes differ."""
    check_sizes(ClipFiles(name="", frames=frames, masks=masks, mask_code=code, fps=1.0))
