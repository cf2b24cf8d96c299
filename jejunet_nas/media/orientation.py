"""How a decoded picture is turned upright: the display matrix of its container.

A phone films in its sensor's orientation and notes how to turn the picture. The matrix maps a
stored pixel (x, y) to (a x + c y, b x + d y); all that occur in practice are the eight made of
quarter turns and mirrors, and any other is taken for the nearest of them.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame

from jejunet_nas.media.frames import Picture

_WIDEST_PIXEL = 4.0  # beyond it, a pixel's aspect is a writer's mistake


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a, b, c, d of the frame's display matrix, in 1/65536; the identity if it has none."""
    notes = cast("Mapping[Type, SideData]", frame.side_data)  # typed as if it held vectors alone
    note = notes.get(Type.DISPLAYMATRIX)
    if note is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(note), np.int32)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])


def turned(picture: Picture, matrix: tuple[int, int, int, int]) -> Picture:
    """Return a picture [height, width, 3] as `matrix` says that it is to be seen."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, across, down = picture.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def square_size(height: int, width: int, pixel_aspect: float | None) -> tuple[int, int]:
    """Return the (height, width) at which pixels are square; the side that is short grows."""
    aspect = pixel_aspect or 1.0
    if not 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL:
        aspect = 1.0
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)
