"""Reads one image file: its size from the header, its upright RGB pixels, a mask's values.

Every reader of pictures in this package goes through here, so a frame looks alike in training,
scoring and `segment`. The EXIF orientation is applied to frames and masks. Of 16-bit grey, a frame
gets the upper eight bits, a mask its values. Bounds are checked before a pixel is decoded.

Sizes are (height, width) in pixels, upright.
"""

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from jejunet_nas.errors import DataError, MachineError
from jejunet_nas.faults import fault_of

Picture = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height, width

MOST_PIXELS = 50_000_000  # decoding takes 8 bytes a pixel, on each core at once
LONGEST_ASPECT = 32  # a network's square input would show nothing of a longer strip
_ORIENTATION, _TURNED = 0x0112, range(5, 9)  # EXIF; the orientations that swap height and width
_SPREAD = {"L;2": 85, "L;4": 17}  # Pillow multiplies the values of 2-bit and 4-bit grey

# Pillow's warnings name no file. Our own bound on the size is lower, and broken files raise.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", r"(Possibly corrupt EXIF|Corrupt EXIF|Truncated|Metadata)")


def picture_size(path: Path) -> Size:
    """Return the upright size of a picture, from its header.

    Raises `DataError` for a broken file, and for a size beyond the bounds.
    """
    with _opened(path) as image:
        turned = _orientation(image) in _TURNED
        return (image.width, image.height) if turned else (image.height, image.width)


def read_rgb(path: Path, at_least: Size | None = None) -> Picture:
    """Return the upright picture in `path`, uint8 [height, width, 3].

    Of a JPEG of at least twice the size `at_least`, half of it, which is four times as fast at
    720p, with a mean error of 0.7 grey levels. Raises `DataError`.
    """
    with _opened(path) as image:
        if at_least is not None:
            turned = _orientation(image) in _TURNED
            image.draft("RGB", at_least if turned else at_least[::-1])
        upright = _upright(image)
        if upright.mode.startswith("I") or upright.mode == "F":
            grey = _upper_bits(np.asarray(upright), path)
            return np.repeat(grey[..., None], 3, axis=2)
        if "transparency" in upright.info:  # Pillow warns of palettes with alpha otherwise
            upright = upright.convert("RGBA")
        return np.array(upright.convert("RGB"))


def read_values(path: Path, *, colours_as_grey: bool = False) -> Picture:
    """Return the values of a mask, upright, uint8 [height, width]: palette indices or grey levels.

    colours_as_grey: use the grey of a mask in colours. Raises `DataError` for one in colours
    otherwise, and for values over 255.
    """
    with _opened(path) as image:
        spread = _spread(image)
        upright = _upright(image)
        mode = upright.mode
        grey = colours_as_grey and mode not in ("P", "L", "1") and not mode.startswith("I")
        values = np.asarray(upright.convert("L") if grey else upright)
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise DataError(
            f"{path} is stored in colours (mode {mode}); expected: class indices, in a palette or "
            "grey PNG. Copy the original file again: this one was converted."
        )
    if values.size and not 0 <= (largest := int(values.max())) <= 255:
        raise DataError(
            f"{path} holds the 16-bit value {largest}; expected: values from 0 to 255. Write the "
            "classes' numbers as an 8-bit PNG."
        )
    return (values // spread).astype(np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if _orientation(image) != 1 else image


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none, or its EXIF is broken."""
    # Pillow turns a TIFF itself. For a PNG without EXIF, it would decode all pixels to look for it
    # after them.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # of broken EXIF, of any kind
        return 1
    return found if found in range(1, 9) else 1


def _upper_bits(values: npt.NDArray[np.generic], path: Path) -> Picture:
    if values.dtype.kind not in "ui" or int(values.max()) > 0xFFFF or int(values.min()) < 0:
        raise DataError(
            f"{path} stores numbers of 32 bits; expected: 8 or 16 bits. Convert it to an 8-bit PNG."
        )
    return (values.astype(np.int64) >> 8).astype(np.uint8)


def _spread(image: Image.Image) -> int:
    """Return the factor by which Pillow multiplies the values of the picture."""
    for tile in getattr(image, "tile", None) or ():
        raw = tile[3]
        return _SPREAD.get(raw[0] if isinstance(raw, tuple) else raw, 1)
    return 1


class _File(io.BufferedReader):
    """A file that is asked for no more than it has, whatever the lengths in it say.

    Python makes room for all bytes that it is asked for, gigabytes for the wrong length of a chunk.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        # From a path, Pillow 13 maps an uncompressed TIFF into memory and does not turn it.
        with _File(io.FileIO(path)) as file, Image.open(file) as image:
            _check_bounds(image, path)
            yield image
    except (DataError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        number = re.search(r"[0-9]+", str(error))
        raise _too_large(path, number.group() if number else "too many") from error
    except Exception as error:  # what Pillow raises depends on the format and on the damage
        if isinstance(fault_of(error), MachineError):
            raise
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        if isinstance(error, UnidentifiedImageError):
            reason = "it is no picture"
        raise DataError(
            f"{path} cannot be read ({reason or type(error).__name__}); expected: a complete "
            f"{path.suffix[1:].upper()} picture. Copy or download this file again."
        ) from error


def _check_bounds(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        shrink = (MOST_PIXELS / (width * height)) ** 0.5
        fits = f", to {int(height * shrink)}x{int(width * shrink)} or less"
        raise _too_large(path, f"{height}x{width}", fits)
    if max(width, height) > LONGEST_ASPECT * min(width, height):
        raise DataError(
            f"{path} is {height}x{width} pixels (height x width); expected: a longer side of at "
            f"most {LONGEST_ASPECT} times the shorter one. Cut it, or remove it."
        )


def _too_large(path: Path, has: str, fits: str = "") -> DataError:
    return DataError(
        f"{path} has {has} pixels; expected: at most {MOST_PIXELS // 10**6} million. "
        f"Shrink it{fits}."
    )
