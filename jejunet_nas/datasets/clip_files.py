"""Clips and photos on disk: which files, what their masks' values mean, how one file is read.

A reader such as `davis` writes a `SplitFiles` without opening a single picture; `cache` checks the
pictures' headers, decodes them once, and hands out clips. Sizes are (height, width) in pixels.
"""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from jejunet_nas.datasets.camera import Motion
from jejunet_nas.datasets.options import Split
from jejunet_nas.datasets.pictures import Picture
from jejunet_nas.errors import DataError
from jejunet_nas.resize import resize_frame

Size = tuple[int, int]  # height, width
NO_CLASS = 254  # in `MaskCode.classes`: a value that no mask may hold
SHORTER_SIDE_PX = 480  # of stored frames at most: no network here sees more of a picture

# What Pillow raises on a broken file, depending on the format and on where it breaks.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MaskCode:
    """What the values of a mask file stand for.

    classes: 256 bytes: each value's class index, `IGNORE`, or `NO_CLASS` where it must not occur.
    colours_as_grey: whether a mask that is stored in colours counts by its grey; it is refused
    otherwise, as colours are no indices. fix: what to do about a value that must not occur.
    """

    classes: bytes
    colours_as_grey: bool = False
    fix: str = "Copy or download this file again."

    def __post_init__(self) -> None:
        assert len(self.classes) == 256, len(self.classes)


def mask_code(values: dict[int, int], fix: str = "Copy or download this file again.") -> MaskCode:
    """Return the code of masks that hold the keys of `values`, each standing for its class."""
    classes = bytes(values.get(value, NO_CLASS) for value in range(256))
    return MaskCode(classes=classes, fix=fix)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipFiles:
    """The files of one clip, in the order of time.

    masks: one file a frame, None where a frame is not annotated.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    mask_code: MaskCode
    fps: float

    def __post_init__(self) -> None:
        assert len(self.frames) == len(self.masks) > 0, self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFiles:
    """The two files of one annotated photo, which `camera` makes a clip of."""

    name: str
    frame: Path
    mask: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How pictures are kept: frames, and masks too if asked for, shrunk to this shorter side."""

    shorter_side_px: int = SHORTER_SIDE_PX
    shrink_masks: bool = False

    def frame_size(self, size: Size) -> Size:
        """Return the size in which a frame of `size` is kept."""
        shrink = min(1.0, self.shorter_side_px / min(size))
        return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))

    def mask_size(self, size: Size) -> Size:
        """Return the size in which a mask of `size` is kept."""
        return self.frame_size(size) if self.shrink_masks else size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitFiles:
    """The clips and photos of one split on disk; files are told apart by their path below `root`.

    photo_code: what the masks of all photos hold.
    """

    dataset: str
    split: Split
    class_names: tuple[str, ...]
    root: Path
    clips: tuple[ClipFiles, ...] = ()
    photos: tuple[PhotoFiles, ...] = ()
    photo_code: MaskCode | None = None
    motion: Motion = dataclasses.field(default_factory=Motion)
    storage: Storage = dataclasses.field(default_factory=Storage)

    def __post_init__(self) -> None:
        assert self.clips or self.photos, self.dataset
        assert self.photo_code or not self.photos, self.dataset


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


def check_photo(photo: PhotoFiles) -> Size:
    """Return the size of a photo and its mask; raises `DataError` where they differ."""
    expected = _size(photo.frame)
    if _size(photo.mask) != expected:
        raise _wrong_size(photo.mask, expected, f"as its photo {photo.frame}")
    return expected


def read_frame(path: Path, size: Size) -> Picture:
    """Return the picture in `path`, shrunk to `size`, as uint8 [height, width, 3], RGB.

    A JPEG of at least twice that size is halved while it is decoded: four times as fast at 720p,
    and 0.7 grey levels off on average.
    """
    try:
        with Image.open(path) as image:
            image.draft("RGB", size[::-1])
            picture = np.asarray(image.convert("RGB"))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return resize_frame(picture, *size)


def read_mask(path: Path, code: MaskCode) -> Picture:
    """Return the mask in `path` as class indices, uint8 [height, width].

    Palette files count by their index, grey ones by their grey. Raises `DataError` for colours that
    the code does not take, and for a value that stands for no class.
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            values = np.asarray(
                image.convert("L") if code.colours_as_grey and mode != "P" else image
            )
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    if values.ndim != 2 or values.dtype not in (np.uint8, np.bool_):
        raise DataError(
            f"{path} is stored in colours or 16 bits (mode {mode}); expected: class indices, in a "
            "palette or 8-bit grey PNG. Copy the original file again: it was converted on the way."
        )
    classes = np.take(np.frombuffer(code.classes, np.uint8), values.astype(np.uint8, copy=False))
    if (classes == NO_CLASS).any():
        wrong = int(values[classes == NO_CLASS].max())
        raise DataError(
            f"{path} holds the value {wrong}; expected: {_allowed(code.classes)}. {code.fix}"
        )
    return classes


def _allowed(classes: bytes) -> str:
    """Return the values that may occur in words: '0 to 20, 255'."""
    words, first = [], None
    for value in range(257):
        known = value < 256 and classes[value] != NO_CLASS
        if known and first is None:
            first = value
        elif not known and first is not None:
            words.append(f"{first}" if first == value - 1 else f"{first} to {value - 1}")
            first = None
    return ", ".join(words)


def _size(path: Path) -> Size:
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
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
