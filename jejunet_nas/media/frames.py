"""What every source of frames hands out, and how one says that its reading ended too soon.

Units: times in seconds from the source's first frame; sizes are (height, width) in pixels.
"""

import dataclasses
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height, width


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as it is to be seen: uint8 [height, width, 3], RGB, upright, square pixels.

    The picture may be the decoder's own memory, which later frames build on: draw on a copy.
    """

    time_s: float
    picture: Picture


class ReadingEndedError(Exception):
    """A reader stops before its end; the message says why, in words that follow the name."""


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Source:
    """Frames of one size in the order of time, to be iterated once; leaving it closes it.

    fps: the mean rate as the source states it; where frames come unevenly, `time_s` is what counts.
    frame_count: None where it is not known beforehand, else the best guess. frames_read: how many
    were handed out so far. trouble: None, or one line on why iteration ended too soon or skipped
    something; it is final when iteration has ended.
    """

    name: str
    fps: float
    frame_count: int | None
    size: Size
    has_sound: bool
    frames: Iterator[Frame]
    close: Callable[[], None]
    frames_read: int = 0
    trouble: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        try:
            for frame in self.frames:
                self.frames_read += 1
                yield frame
        except ReadingEndedError as end:
            self.trouble = f"{self.name} {end} {_read_words(self.frames_read)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _read_words(read: int) -> str:
    return f"{read} frame{' was' if read == 1 else 's were'} read."
