"""Clips: frames of videos, their known masks, and the splits of a data set."""

import dataclasses
from collections.abc import Iterator
from typing import Literal, Protocol, SupportsIndex

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]  # [time, height, width, 3], RGB
Masks = npt.NDArray[np.uint8]  # [time, height, width], class indices

Origin = Literal["video", "photo"]
IGNORE = 255  # value of unknown pixels in a mask; they count in no score and no loss


class Pictures(Protocol):
    """Pictures in temporal order: an array, or an object that reads them on access.

    uint8 [time, height, width] or [time, height, width, 3]. An index gives one picture, a slice a
    stack, both as arrays; an index past the end raises `IndexError`.
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
    """Consecutive frames of one video, with their known masks.

    frames: uint8 [time, height, width, 3], RGB. masks: uint8 [time, height, width] at the
    annotation's resolution, class indices, `IGNORE` where unknown. annotated: bool [time], true for
    annotated frames. fps: frames a second of the camera. Frames and masks may be arrays, or read on
    access: only `Pictures` is promised, and each access may read a picture again. origin: of a
    `photo` that a simulated camera moves over, or a `video`; scores of the two say different
    things. classes: that occur in the masks; None: not counted.
    """

    name: str
    frames: Pictures
    masks: Pictures
    annotated: npt.NDArray[np.bool_]
    fps: float
    origin: Origin = "video"
    classes: frozenset[int] | None = None

    def __post_init__(self) -> None:
        assert self.frames.shape[1:] == (*self.frames.shape[1:3], 3), self.frames.shape
        assert (len(self.masks.shape), self.annotated.ndim) == (3, 1), self.masks.shape
        assert len(self.frames) == len(self.masks) == len(self.annotated) > 0, self.name
        assert self.frames.dtype == self.masks.dtype == np.uint8, self.name

    def __len__(self) -> int:
        return len(self.frames)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSplit:
    """The clips of one split of a data set, and its classes."""

    dataset: str
    split: Literal["train", "val"]
    class_names: tuple[str, ...]
    clips: tuple[Clip, ...]
    fingerprint: str  # changes with every file of the split

    @property
    def frame_count(self) -> int:
        """Number of frames in all clips."""
        return sum(len(clip) for clip in self.clips)

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes that occur in no mask; none where a clip's classes are not counted."""
        counted = [clip.classes for clip in self.clips]
        if None in counted:
            return ()
        seen = frozenset[int]().union(*(each for each in counted if each))
        return tuple(name for i, name in enumerate(self.class_names) if i not in seen)
