"""Frames, and the sources that yield them.

Units: times in seconds from the source's first frame; sizes are (height, width) in pixels.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height, width


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame: uint8 [height, width, 3], RGB, upright, square pixels.

    The picture may share the decoder's buffer, which later frames depend on: draw on a copy. name:
    of its file, without the suffix; "" where it has none.
    """

    time_s: float
    picture: Picture
    name: str = ""


class ReadingEndedError(Exception):
    """A source ends too soon; the message is the reason, in words that follow its name."""


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Source:
    """Frames of one size in the order of time, to be iterated once; a context manager.

    fps: the mean rate that the source states; `time_s` of a frame is exact. frame_count: an
    estimate, None where it is unknown. frames_read: the number of frames yielded so far. trouble:
    why iteration ended too soon or skipped frames, in one line; complete after the iteration.
    notes: what was not read, a sentence each.
    """

    name: str
    fps: float
    frame_count: int | None
    size: Size
    frames: Iterator[Frame]
    close: Callable[[], None]
    frames_read: int = 0
    trouble: str | None = None
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Frame]:
        try:
            for frame in self.frames:
                self.frames_read += 1
                yield frame
        except ReadingEndedError as end:
            frames = "1 frame was" if self.frames_read == 1 else f"{self.frames_read} frames were"
            self.trouble = f"{self.name} {end} {frames} read."

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
