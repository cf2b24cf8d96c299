"""Clips: frames of videos, the masks that are known of them, and the splits of a data set."""

import dataclasses
from collections.abc import Iterator
from typing import Literal, Protocol, SupportsIndex

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]  # [time, height, width, 3], RGB
Masks = npt.NDArray[np.uint8]  # [time, height, width], class indices

IGNORE = 255  # a mask's value where nothing is known; it counts in no score and no loss


class Pictures(Protocol):
    """Pictures in the order of time: an array, or what makes them when they are asked for.

    uint8 [time, height, width] or [time, height, width, 3]. An index gives one picture, a slice a
    stack of them, both as arrays; one picture more than there are raises `IndexError`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pictures, height, width, and 3 for frames."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: SupportsIndex | slice, /) -> npt.NDArray[np.uint8]: ...

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """Consecutive frames of one video, with the masks that are known.

    frames: uint8 [time, height, width, 3], RGB. masks: uint8 [time, height, width] at the
    annotation's own resolution, class indices, `IGNORE` where unknown. annotated: bool [time], true
    where the mask was drawn. fps: frames a second of the camera. Frames and masks may be arrays, or
    read or made on access: beyond `Pictures` nothing is promised, and a picture asked for twice may
    be made twice.
    """

    name: str
    frames: Pictures
    masks: Pictures
    annotated: npt.NDArray[np.bool_]
    fps: float

    def __post_init__(self) -> None:
        assert self.frames.shape[1:] == (*self.frames.shape[1:3], 3), self.frames.shape
        assert (len(self.masks.shape), self.annotated.ndim) == (3, 1), self.masks.shape
        assert len(self.frames) == len(self.masks) == len(self.annotated) > 0, self.name
        assert self.frames.dtype == self.masks.dtype == np.uint8, self.name

    def __len__(self) -> int:
        return len(self.frames)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSplit:
    """The clips of one split of a data set, and what their masks' values mean."""

    dataset: str
    split: Literal["train", "val"]
    class_names: tuple[str, ...]
    clips: tuple[Clip, ...]
    fingerprint: str  # changes when a file of the split does

    @property
    def frame_count(self) -> int:
        """Number of frames in all clips."""
        return sum(len(clip) for clip in self.clips)
