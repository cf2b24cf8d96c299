"""Resizes frames and masks to a network's input size, alike in training, scoring and on the phone.

Frames: bilinear with antialiasing (Pillow's `BILINEAR`). Masks: nearest neighbour. The aspect ratio
is not kept: the network sees the whole picture.
"""

import functools

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]
THUMBNAIL_STRIDE = 8  # frame pixels per thumbnail pixel, both ways; the gate reads thumbnails

Box = tuple[float, float, float, float]  # left, top, right, bottom; each in [0, 1] of the picture
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def resize_frame(frame: Picture, height: int, width: int) -> Picture:
    """Return `frame` (uint8 [h, w, 3]) as uint8 [height, width, 3]."""
    same = frame.shape[:2] == (height, width)
    return np.asarray(frame if same else resized_part(frame, height, width, WHOLE))


def resize_mask(mask: Picture, height: int, width: int) -> Picture:
    """Return `mask` (uint8 [h, w]) as uint8 [height, width]."""
    return resize_frame(mask, height, width)


def resized_part(picture: Picture, height: int, width: int, box: Box) -> Image.Image:
    """Return the part `box` of a frame or mask as a Pillow image of `height` x `width`."""
    rows, columns = picture.shape[:2]
    left, top, right, bottom = box
    pixels = (left * columns, top * rows, right * columns, bottom * rows)
    rule = Image.Resampling.BILINEAR if picture.ndim == 3 else Image.Resampling.NEAREST
    image = Image.fromarray(np.ascontiguousarray(picture))
    return image.resize((width, height), rule, box=pixels)


def thumbnails(frames: Picture) -> Picture:
    """Return the mean of each square of `THUMBNAIL_STRIDE` pixels, rounded down.

    frames: uint8 [..., h, w, 3], h and w multiples of `THUMBNAIL_STRIDE`.
    """
    *rest, height, width, channels = frames.shape
    step = THUMBNAIL_STRIDE
    # Rows are summed as integers, columns by a matrix product. It is exact, because sums are below
    # 2^24 and are divided by a power of two. One sum over both axes takes 20 times as long.
    rows = np.add.reduce(frames.reshape(-1, step, width * channels), axis=1, dtype=np.uint16)
    means = rows.reshape(-1, step * channels).astype(np.float32) @ _column_means(channels)
    small = means.astype(np.uint8).reshape(*rest, height // step, width // step, channels)
    return np.asarray(small)


@functools.cache
def _column_means(channels: int) -> npt.NDArray[np.float32]:
    one = np.eye(channels, dtype=np.float32) / THUMBNAIL_STRIDE**2
    return np.tile(one, (THUMBNAIL_STRIDE, 1))
