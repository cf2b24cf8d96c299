"""Clips: frames of videos, their known masks, and the splits of a data set."""

import dataclasses
from collections.abc import Iterator, Mapping
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
    things. pixels: of each value in the annotated masks, for a photo in its own mask; None: not
    counted.
    """

    name: str
    frames: Pictures
    masks: Pictures
    annotated: npt.NDArray[np.bool_]
    fps: float
    origin: Origin = "video"
    pixels: Mapping[int, int] | None = None

    def __post_init__(self) -> None:
        assert self.frames.shape[1:] == (*self.frames.shape[1:3], 3), self.frames.shape
        assert (len(self.masks.shape), self.annotated.ndim) == (3, 1), self.masks.shape
        assert len(self.frames) == len(self.masks) == len(self.annotated) > 0, self.name
        assert self.frames.dtype == self.masks.dtype == np.uint8, self.name

    def __len__(self) -> int:
        return len(self.frames)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSplit:
    """The clips of one split of a data set, and its classes.

    fingerprint: changes with every file of the split. notes: what was assumed or left out, a
    sentence each.
    """

    dataset: str
    split: Literal["train", "val", "test"]
    class_names: tuple[str, ...]
    clips: tuple[Clip, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()

    @property
    def frame_count(self) -> int:
        """Number of frames in all clips."""
        return sum(len(clip) for clip in self.clips)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """A validation clip that is a video. fps: at which its frames were recorded."""

    name: str
    frames: int
    annotated_frames: int
    fps: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a study keeps of its data, so that its report needs none.

    videos: the validation clips that are videos; the others are simulated pans over `photos`
    photos, of `photo_frames` frames at `photo_fps`. warnings: of the search, before it
    trained. Empty in studies of earlier versions.
    """

    videos: tuple[VideoFacts, ...] = ()
    photos: int = 0
    photo_frames: int = 0
    photo_fps: float | None = None
    warnings: tuple[str, ...] = ()
