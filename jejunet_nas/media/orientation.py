"""Turns decoded pictures upright, by the display matrix of their container.

A phone films in its sensor's orientation and stores the rotation in a matrix, which maps a stored
pixel (x, y) to (a x + c y, b x + d y). In practice it is one of the eight made of quarter turns and
mirrors; any other matrix is replaced by the nearest of them.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame

from jejunet_nas.media.frames import Picture

_WIDEST_PIXEL = 4.0  # a wider pixel aspect is an error in the file


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a, b, c, d of the frame's display matrix, in 1/65536; the identity if it has none."""
    notes = cast("Mapping[Type, SideData]", frame.side_data)  # PyAV types it as a sequence
    note = notes.get(Type.DISPLAYMATRIX)
    if note is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(note), np.int32)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])


def turned(picture: Picture, matrix: tuple[int, int, int, int]) -> Picture:
    """Return a picture [height, width, 3] rotated and mirrored by `matrix`."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, across, down = picture.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def square_size(height: int, width: int, pixel_aspect: float | None) -> tuple[int, int]:
    """Return the (height, width) with square pixels; the shorter side grows."""
    aspect = pixel_aspect or 1.0
    if not 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL:
        aspect = 1.0
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)
