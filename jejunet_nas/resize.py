"""How a picture is brought to a network's input size, one rule for training, scoring and the phone.

Frames are resized bilinearly with the filter as wide as the reduction (Pillow's `BILINEAR`), masks
to the nearest pixel. The aspect is not kept: the network sees the whole picture.
"""

import functools

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]
THUMBNAIL_STRIDE = 8  # frame pixels per thumbnail pixel, both ways: what the gate looks at

Box = tuple[float, float, float, float]  # left, top, right, bottom; each in [0, 1] of the picture


def resize_frame(frame: Picture, height: int, width: int, box: Box | None = None) -> Picture:
    """Return the part `box` of `frame` (uint8 [h, w, 3]) as uint8 [height, width, 3]."""
    if frame.shape[:2] == (height, width) and box is None:
        return np.asarray(frame)
    return np.asarray(frame_image(frame, height, width, box))


def resize_mask(mask: Picture, height: int, width: int, box: Box | None = None) -> Picture:
    """Return the part `box` of `mask` (uint8 [h, w]) as uint8 [height, width], nearest pixels."""
    if mask.shape == (height, width) and box is None:
        return np.asarray(mask)
    return np.asarray(mask_image(mask, height, width, box))


def frame_image(frame: Picture, height: int, width: int, box: Box | None) -> Image.Image:
    """Return what `resize_frame` does as Pillow's image, for those who go on with that."""
    return _resize(frame, height, width, box, Image.Resampling.BILINEAR)


def mask_image(mask: Picture, height: int, width: int, box: Box | None) -> Image.Image:
    """Return what `resize_mask` does as Pillow's image."""
    return _resize(mask, height, width, box, Image.Resampling.NEAREST)


def _resize(
    picture: Picture, height: int, width: int, box: Box | None, rule: Image.Resampling
) -> Image.Image:
    rows, columns = picture.shape[:2]
    left, top, right, bottom = box or (0.0, 0.0, 1.0, 1.0)
    pixels = (left * columns, top * rows, right * columns, bottom * rows)
    image = Image.fromarray(np.ascontiguousarray(picture))
    return image.resize((width, height), rule, box=pixels)


def thumbnails(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return uint8 [..., h, w, 3] with each square of `THUMBNAIL_STRIDE` pixels averaged to one.

    Heights and widths are whole multiples of `THUMBNAIL_STRIDE`; means are rounded down.
    """
    *rest, height, width, channels = frames.shape
    step = THUMBNAIL_STRIDE
    # Eight rows are added in whole numbers, then eight columns as a matrix product, which is exact:
    # sums stay below 2^24, and are divided by a power of two. One sum over both axes takes twenty
    # times as long.
    rows = np.add.reduce(frames.reshape(-1, step, width * channels), axis=1, dtype=np.uint16)
    means = rows.reshape(-1, step * channels).astype(np.float32) @ _column_means(channels)
    small = means.astype(np.uint8).reshape(*rest, height // step, width // step, channels)
    return np.asarray(small)


@functools.cache
def _column_means(channels: int) -> npt.NDArray[np.float32]:
    one = np.eye(channels, dtype=np.float32) / THUMBNAIL_STRIDE**2
    return np.tile(one, (THUMBNAIL_STRIDE, 1))
