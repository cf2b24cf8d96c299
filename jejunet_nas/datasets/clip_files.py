"""Clips as they lie on disk: which files, what their masks' values mean, how one file is read.

A reader such as `davis` writes a `SplitFiles` without opening a single picture; `cache` checks the
pictures' headers, decodes them once, and hands out clips. Sizes are (height, width) in pixels.
"""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError

Picture = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height, width

# What Pillow raises on a broken file, depending on the format and on where it breaks.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipFiles:
    """The files of one clip, in the order of time.

    masks: one file a frame, None where a frame is not annotated. mask_classes: 256 bytes, the class
    index (or `IGNORE`) that each value of a mask file stands for.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    mask_classes: bytes
    fps: float

    def __post_init__(self) -> None:
        assert len(self.frames) == len(self.masks) > 0, self.name
        assert len(self.mask_classes) == 256, self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitFiles:
    """The clips of one split on disk; files are told apart by their path below `root`."""

    dataset: str
    split: Split
    class_names: tuple[str, ...]
    root: Path
    clips: tuple[ClipFiles, ...]


def check_sizes(clip: ClipFiles) -> Size:
    """Return the size of a clip's frames; only headers are read.

    Raises `DataError`, naming the file, unless all frames and masks have that size.
    """
    expected = _size(clip.frames[0])
    for frame, mask in zip(clip.frames, clip.masks, strict=True):
        if _size(frame) != expected:
            raise _wrong_size(frame, expected, f"as the clip's first frame {clip.frames[0].name}")
        if mask is not None and _size(mask) != expected:
            raise _wrong_size(mask, expected, f"as its frame {frame}")
    return expected


def read_frame(path: Path) -> Picture:
    """Return the picture in `path` as uint8 [height, width, 3], RGB."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_mask(path: Path, mask_classes: bytes) -> Picture:
    """Return the mask in `path` as class indices, uint8 [height, width].

    Palette files count by their index, grey ones by their grey. A few official DAVIS masks are
    stored as RGBA; their grey is taken.
    """
    try:
        with Image.open(path) as image:
            values = np.asarray(image if image.mode in ("L", "P") else image.convert("L"))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return np.take(np.frombuffer(mask_classes, np.uint8), values)


def _size(path: Path) -> Size:
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> DataError:
    reason = str(error) or type(error).__name__
    return DataError(
        f"{path} cannot be read ({reason}); expected: a complete {path.suffix[1:].upper()} "
        "picture. Copy or download this file again."
    )


def _wrong_size(path: Path, expected: Size, why: str) -> DataError:
    height, width = _size(path)
    return DataError(
        f"{path} is {width}x{height} pixels; expected: {expected[1]}x{expected[0]}, {why}. "
        "Copy or download this file again, at the resolution of the others."
    )
