"""Augmentation of a training pair: crop, mirror, colour jitter, zooming out, motion blur.

All random numbers come from one generator in a fixed order. A disabled augmentation draws none, so
it changes no batch.
"""

import dataclasses
import math

import numpy as np
from PIL import Image

from jejunet_nas.datasets.pictures import Picture
from jejunet_nas.errors import check_range
from jejunet_nas.records import IGNORE
from jejunet_nas.resize import Box, resized_part

_WIDEST_ASPECT = 1.25  # of a crop, over the picture's
_MIDDLE_ASPECT = 1.125
_JITTER = 0.2  # of brightness, contrast and saturation, up and down
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's grey
_SURROUND = 127  # the grey around a zoomed-out picture: 0 to the network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Strengths of the augmentation.

    smallest_area: of a crop, as a share of the picture. zoom_out: the largest factor by which a
    picture shrinks in both directions, on grey without labels. motion_blur_px: the longest camera
    motion during a frame, in pixels of the network's input.
    """

    smallest_area: float = 0.5
    zoom_out: float = 1.0
    motion_blur_px: int = 0

    def __post_init__(self) -> None:
        check_range("augment.smallest_area", self.smallest_area, 0.05, 1.0)
        check_range("augment.zoom_out", self.zoom_out, 1.0, 4.0)
        check_range("augment.motion_blur_px", self.motion_blur_px, 0, 32)

    def least_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of a picture whose crops are sharp at that input size.

        The smallest crop is then as large as the input; the narrowest has 0.95 of a side. With a
        `smallest_area` of a half, that is one and a half times the input.
        """
        spare = math.sqrt(_MIDDLE_ASPECT / self.smallest_area)
        return math.ceil(height * spare), math.ceil(width * spare)


PLAIN = Augment()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The augmentation of one frame and its mask.

    shrink: size of the picture over the network's input. corner: its place, in [0, 1] of the free
    space. motion_px: the camera's motion (down, right) during a frame.
    """

    box: Box
    mirrored: bool
    colour: tuple[float, ...]  # 3x4 row by row: RGB out = 3x3 @ RGB in + offset
    shrink: float = 1.0
    corner: tuple[float, float] = (0.0, 0.0)
    motion_px: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def draw(cls, rng: np.random.Generator, augment: Augment) -> "View":
        """Return a random view, the next one of `rng`."""
        aspect = _WIDEST_ASPECT ** rng.uniform(-0.5, 0.5)
        side = math.sqrt(rng.uniform(augment.smallest_area, 1))
        width, height = min(1.0, side * aspect), min(1.0, side / aspect)
        left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        box, mirrored = (left, top, left + width, top + height), bool(rng.random() < 0.5)
        colour = _colour_matrix(*rng.uniform(1 - _JITTER, 1 + _JITTER, 3))
        view = cls(box=box, mirrored=mirrored, colour=colour)
        if augment.zoom_out > 1:
            shrink = augment.zoom_out ** -rng.random()
            corner = (float(rng.random()), float(rng.random()))
            view = dataclasses.replace(view, shrink=shrink, corner=corner)
        if augment.motion_blur_px:
            length, angle = rng.uniform(0, augment.motion_blur_px), rng.uniform(0, math.pi)
            motion = (length * math.sin(angle), length * math.cos(angle))
            view = dataclasses.replace(view, motion_px=motion)
        return view

    def frame(self, frame: Picture, height: int, width: int) -> Picture:
        """Return uint8 [height, width, 3] of a frame."""
        seen = np.asarray(self._part(frame, height, width).convert("RGB", self.colour))
        return self._placed(_moved(seen, self.motion_px), height, width, _SURROUND)

    def mask(self, mask: Picture, height: int, width: int) -> Picture:
        """Return uint8 [height, width] of a mask, `IGNORE` outside the picture."""
        return self._placed(np.asarray(self._part(mask, height, width)), height, width, IGNORE)

    def _part(self, picture: Picture, height: int, width: int) -> Image.Image:
        rows, columns = (max(1, round(pixels * self.shrink)) for pixels in (height, width))
        part = resized_part(picture, rows, columns, self.box)
        # Pillow mirrors ten times as fast as NumPy copies mirrored strides.
        return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirrored else part

    def _placed(self, seen: Picture, height: int, width: int, around: int) -> Picture:
        rows, columns = seen.shape[:2]
        if (rows, columns) == (height, width):
            return seen
        whole = np.full((height, width, *seen.shape[2:]), around, np.uint8)
        top, left = (
            round(share * room)
            for share, room in zip(self.corner, (height - rows, width - columns), strict=True)
        )
        whole[top : top + rows, left : left + columns] = seen
        return whole


def _moved(seen: Picture, motion_px: tuple[float, float]) -> Picture:
    """Return the mean of the picture over shifts along a line; the edge pixels are repeated."""
    steps = math.ceil(math.hypot(*motion_px))
    if steps == 0:
        return seen
    shares = np.linspace(-0.5, 0.5, steps + 1)
    shifts = sorted({(round(s * motion_px[0]), round(s * motion_px[1])) for s in shares})
    reach = max(max(abs(down), abs(right)) for down, right in shifts)
    padded = np.pad(seen, ((reach, reach), (reach, reach), (0, 0)), mode="edge").astype(np.uint16)
    rows, columns = seen.shape[:2]
    total = sum(
        padded[reach + down : reach + down + rows, reach + right : reach + right + columns]
        for down, right in shifts
    )
    return np.asarray((total + len(shifts) // 2) // len(shifts), np.uint8)


def _colour_matrix(brightness: float, contrast: float, saturation: float) -> tuple[float, ...]:
    """Return the 3x4 matrix of all three; contrast keeps middle grey."""
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    offset = np.full((3, 1), 128 * (1 - contrast))
    return tuple(brightness * np.hstack([contrast * mix, offset]).ravel())
