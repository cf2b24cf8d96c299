"""How a picture is brought to a network's input size, one rule for training, scoring and the phone.

Frames are resized bilinearly with the filter as wide as the reduction (Pillow's `BILINEAR`), masks
to the nearest pixel. The aspect is not kept: the network sees the whole picture.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]
THUMBNAIL_STRIDE = 8  # frame pixels per thumbnail pixel, both ways: what the gate looks at

Box = tuple[float, float, float, float]  # left, top, right, bottom; each in [0, 1] of the picture


def resize_frame(frame: Picture, height: int, width: int, box: Box | None = None) -> Picture:
    """Return the part `box` of `frame` (uint8 [h, w, 3]) as uint8 [height, width, 3]."""
    return _resize(frame, height, width, box, Image.Resampling.BILINEAR)


def resize_mask(mask: Picture, height: int, width: int, box: Box | None = None) -> Picture:
    """Return the part `box` of `mask` (uint8 [h, w]) as uint8 [height, width], nearest pixels."""
    return _resize(mask, height, width, box, Image.Resampling.NEAREST)


def _resize(
    picture: Picture, height: int, width: int, box: Box | None, rule: Image.Resampling
) -> Picture:
    rows, columns = picture.shape[:2]
    if (rows, columns) == (height, width) and box is None:
        return np.asarray(picture)
    left, top, right, bottom = box or (0.0, 0.0, 1.0, 1.0)
    pixels = (left * columns, top * rows, right * columns, bottom * rows)
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((width, height), rule, box=pixels))


def thumbnails(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return uint8 [..., h, w, 3] with each square of `THUMBNAIL_STRIDE` pixels averaged to one.

    Heights and widths are whole multiples of `THUMBNAIL_STRIDE`; means are rounded down.
    """
    *rest, height, width, channels = frames.shape
    step = THUMBNAIL_STRIDE
    squares = frames.reshape(*rest, height // step, step, width // step, step, channels)
    sums = squares.sum(axis=(-4, -2), dtype=np.uint32)
    return np.asarray(sums // (step * step), np.uint8)
