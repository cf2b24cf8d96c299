"""Short clips from single photos: a simulated camera drifts, zooms and turns over the photo.

Position, zoom and angle each oscillate smoothly, with a period of 16 to 48 frames. The first frame
is the photo's middle, upright; no frame shows anything outside of the photo. Frames and masks (by
the nearest pixel) are made on access, from the stored photo.

Units: positions in shares of the photo's width and height, angles in radians, time in frames.
"""

import dataclasses
import functools
import hashlib
import math
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.datasets.options import check_at_most, check_whole
from jejunet_nas.datasets.pictures import LazyPictures, Picture, StoredPictures

FPS = 24.0  # at this rate the drift looks like that of a hand-held camera
LONGEST = 240  # frames of a clip; the views of a longer clip begin with those of a shorter one
SIDE = 0.75  # of a frame over the photo's, in pixels: about the share that a view covers
_LARGEST_VIEW = 0.8  # of the photo's sides
_PERIOD_FRAMES = (16.0, 48.0)
# The largest amplitudes of x, y, the logarithm of the zoom, and the angle.
_SWINGS = np.array([0.05, 0.05, 0.06, math.radians(2.5)])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """The camera's motion: the number of frames of a photo's clip, and the seed of its path.

    A clip of one frame is the whole photo, unchanged.
    """

    frames: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("frames", self.frames, 1, LONGEST)
        check_whole("seed", self.seed, 0, 2**32 - 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhotoSettings(Motion):
    """The motion over the photos of a data set, and how many photos are used (None: all)."""

    photos: int | None = None

    def __post_init__(self) -> None:
        Motion.__post_init__(self)
        check_at_most("photos", self.photos, 100_000)

    @property
    def motion(self) -> Motion:
        """The motion alone, which is a part of a split's fingerprint."""
        return Motion(frames=self.frames, seed=self.seed)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """The part of the photo that one frame shows.

    x, y: the centre; scale: the view's sides over the photo's; angle: clockwise.
    """

    x: float
    y: float
    scale: float
    angle: float

    def warp(self, photo: Picture, aspect: float, height: int, width: int) -> Picture:
        """Return the view of `photo`, a frame (bilinear) or a mask (nearest pixels).

        aspect: the photo's width over its height, the same for a frame and its mask: their stored
        sizes may be rounded differently.
        """
        rows, columns = photo.shape[:2]
        cos, sin = self.scale * math.cos(self.angle), self.scale * math.sin(self.angle)
        across = np.array([cos / width, -sin / (aspect * height)])
        down = np.array([sin * aspect / width, cos / height])
        x, y = self.x - across @ (width / 2, height / 2), self.y - down @ (width / 2, height / 2)
        matrix = (*(columns * across), columns * x, *(rows * down), rows * y)
        rule = Image.Resampling.BILINEAR if photo.ndim == 3 else Image.Resampling.NEAREST
        image = Image.fromarray(np.ascontiguousarray(photo))
        size = (width, height)
        return np.asarray(image.transform(size, Image.Transform.AFFINE, matrix, resample=rule))


@functools.lru_cache(maxsize=4096)  # a frame and its mask ask for the same view
def view_at(name: str, seed: int, aspect: float, t: int) -> CameraView:
    """Return the view of frame `t` of the photo `name`, whose width over height is `aspect`."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    amplitude = _SWINGS * rng.uniform(0.3, 1, 4)
    period = rng.uniform(*_PERIOD_FRAMES, 4)
    phase = rng.uniform(0, 2 * math.pi, 4)
    turns = 2 * math.pi * np.arange(LONGEST)[:, None] / period
    swing = amplitude * (np.sin(turns + phase) - np.sin(phase))
    scale = _scale(swing, aspect) * np.exp(swing[:, 2])
    return CameraView(
        x=0.5 + float(swing[t, 0]),
        y=0.5 + float(swing[t, 1]),
        scale=float(scale[t]),
        angle=float(swing[t, 3]),
    )


def _scale(swing: npt.NDArray[np.float64], aspect: float) -> float:
    """Return the largest scale at zoom 1 that keeps all views inside the photo."""
    x, y, zoom, angle = swing.T
    cos, sin = np.cos(angle), np.abs(np.sin(angle))
    wide = (1 - 2 * np.abs(x)) / (cos + sin / aspect)
    high = (1 - 2 * np.abs(y)) / (cos + sin * aspect)
    return min(_LARGEST_VIEW, float((np.minimum(wide, high) / np.exp(zoom)).min()))


@dataclasses.dataclass(frozen=True)
class MovingPictures(LazyPictures):
    """The frames, or the masks, of a photo's clip. photo: one picture [1, height, width, ...]."""

    photo: StoredPictures
    name: str
    aspect: float
    motion: Motion

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """[time, height, width, ...]; each frame has `SIDE` of the photo's pixels a side."""
        _, height, width, *channels = self.photo.shape
        return (self.motion.frames, _side(height), _side(width), *channels)

    def __getitem__(self, index: SupportsIndex | slice, /) -> Picture:
        photo, times = self.photo[0], range(len(self))[index]
        if isinstance(times, int):
            return self._frame(photo, times)
        pictures = [self._frame(photo, t) for t in times]
        return np.stack(pictures) if pictures else np.empty((0, *self.shape[1:]), np.uint8)

    def _frame(self, photo: Picture, t: int) -> Picture:
        height, width = self.shape[1:3]
        view = view_at(self.name, self.motion.seed, self.aspect, t)
        return view.warp(photo, self.aspect, height, width)


def _side(pixels: int) -> int:
    return max(1, round(SIDE * pixels))
