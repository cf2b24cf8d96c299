"""Clips and photos on disk: which files, what their masks' values mean, how one file is read.

A reader such as `davis` makes a `SplitFiles` without opening a picture; `cache` checks the
pictures' headers, decodes them once, and returns clips. Sizes are (height, width) in pixels.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jejunet_nas.datasets.camera import FPS, Motion
from jejunet_nas.datasets.options import Split
from jejunet_nas.datasets.pictures import Picture
from jejunet_nas.errors import DataError
from jejunet_nas.images.listing import plain
from jejunet_nas.images.read import Size as Size
from jejunet_nas.images.read import picture_size as picture_size
from jejunet_nas.images.read import read_rgb, read_values
from jejunet_nas.resize import resize_frame

NO_CLASS = 254  # in `MaskCode.classes`: a value that must not occur
SHORTER_SIDE_PX = 480  # of stored frames, at most: no network here has a larger input

_AGAIN = "Copy or download this file again."
_MOST_NAMED = 6  # values of a mask in an error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MaskCode:
    """The meaning of the values of a mask file.

    classes: 256 bytes: each value's class index, `IGNORE`, or `NO_CLASS` where it must not occur.
    colours_as_grey: use the grey of a mask stored in colours, instead of refusing the file.
    fix: what to do about a value that must not occur.
    """

    classes: bytes
    colours_as_grey: bool = False
    fix: str = _AGAIN


def mask_code(values: dict[int, int], fix: str = _AGAIN) -> MaskCode:
    """Return the code of masks whose values are the keys of `values`, and classes its values."""
    classes = bytes(values.get(value, NO_CLASS) for value in range(256))
    return MaskCode(classes=classes, fix=fix)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipFiles:
    """The files of one clip in time order, or the two files of a photo, which becomes a clip.

    masks: one file a frame, None where a frame is not annotated.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    mask_code: MaskCode
    fps: float

    def __post_init__(self) -> None:
        assert len(self.frames) == len(self.masks) > 0, self.name


def photo_files(photo: Path, mask: Path, code: MaskCode) -> ClipFiles:
    """Return the files of an annotated photo, which `camera` turns into a clip."""
    return ClipFiles(
        name=plain(photo.stem), frames=(photo,), masks=(mask,), mask_code=code, fps=FPS
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How pictures are stored: frames (and masks, with `shrink_masks`) shrunk to a shorter side."""

    shorter_side_px: int = SHORTER_SIDE_PX
    shrink_masks: bool = False

    def frame_size(self, size: Size) -> Size:
        """Return the stored size of a frame of `size`."""
        shrink = min(1.0, self.shorter_side_px / min(size))
        return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))

    def mask_size(self, size: Size) -> Size:
        """Return the stored size of a mask of `size`."""
        return self.frame_size(size) if self.shrink_masks else size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitFiles:
    """The clips and photos of one split on disk; a file's path below `root` identifies it.

    motion: of the camera over photos, whose masks share one code. notes: what was assumed or
    left out, a sentence each.
    """

    dataset: str
    split: Split
    class_names: tuple[str, ...]
    root: Path
    clips: tuple[ClipFiles, ...] = ()
    photos: tuple[ClipFiles, ...] = ()
    motion: Motion = dataclasses.field(default_factory=Motion)
    storage: Storage = dataclasses.field(default_factory=Storage)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.clips or self.photos, self.dataset


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """The files of a frame and its mask (None: not annotated), and the code of the mask."""

    frame: Path
    mask: Path | None
    code: MaskCode


def clip_pairs(files: SplitFiles) -> Iterator[list[Pair]]:
    """Yield the files of each clip, then those of each photo."""
    for clip in (*files.clips, *files.photos):
        both = zip(clip.frames, clip.masks, strict=True)
        yield [Pair(frame, mask, clip.mask_code) for frame, mask in both]


def check_sizes(clip: ClipFiles) -> Size:
    """Return the size of a clip's frames; only headers are read.

    Raises `DataError`, naming the file, unless all frames and masks have that size.
    """
    expected = picture_size(clip.frames[0])
    for frame, mask in zip(clip.frames, clip.masks, strict=True):
        if (size := picture_size(frame)) != expected:
            first = clip.frames[0].name
            raise wrong_size(frame, size, expected, f"as the clip's first frame {first}")
        if mask is not None and (size := picture_size(mask)) != expected:
            raise wrong_size(mask, size, expected, f"as its frame {frame}")
    return expected


def read_frame(path: Path, size: Size) -> Picture:
    """Return the picture in `path`, shrunk to `size`, as uint8 [height, width, 3], RGB."""
    return resize_frame(read_rgb(path, at_least=size), *size)


def read_mask(path: Path, code: MaskCode) -> Picture:
    """Return the mask in `path` as class indices, uint8 [height, width].

    The value of a pixel is its palette index or its grey. Raises `DataError` for a mask in colours,
    unless the code takes their grey, and for a value without a class.
    """
    values = read_values(path, colours_as_grey=code.colours_as_grey)
    classes = np.take(np.frombuffer(code.classes, np.uint8), values)
    if (classes == NO_CLASS).any():
        wrong = np.unique(values[classes == NO_CLASS]).tolist()
        raise DataError(
            f"{path} holds the value{'s' * (len(wrong) > 1)} {_few(wrong)}; expected: "
            f"{_allowed(code.classes)}. {code.fix}"
        )
    return classes


def _few(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:_MOST_NAMED]))
    more = len(values) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _allowed(classes: bytes) -> str:
    """Return the values that may occur, as in '0 to 20, 255'."""
    known = [value for value in range(256) if classes[value] != NO_CLASS]
    runs = itertools.groupby(known, key=lambda value: value - known.index(value))
    ends = [(run[0], run[-1]) for run in (list(values) for _, values in runs)]
    return ", ".join(f"{low}" if low == high else f"{low} to {high}" for low, high in ends)


def wrong_size(path: Path, size: Size, expected: Size, why: str) -> DataError:
    """Return the error for a picture of another size than `expected`."""
    return DataError(
        f"{path} is {size[0]}x{size[1]} pixels (height x width); expected: "
        f"{expected[0]}x{expected[1]}, {why}. "
        "Copy or download this file again, at the resolution of the others."
    )
