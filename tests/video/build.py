"""Policies drawn by hypothesis, graphs that count their runs or fake their outputs, and clips."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from jejunet_nas.records import Clip
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import Context, Frame, Mask, NetworkGraphs, Thumbnail
from jejunet_nas.video.policy import Walk
from jejunet_nas.video.results import Shown


@st.composite
def policies(draw: st.DrawFn, gated: bool | None = None) -> Policy:
    gated = draw(st.booleans()) if gated is None else gated
    if not gated:
        between = draw(st.sampled_from(["propagate", "warp", "move", "reuse"]))
        return Policy(keyframe_interval=draw(st.integers(1, 12)), between_keyframes=between)
    low, high = draw(st.sampled_from([(None, 0.6), (0.3, None), (0.3, 0.6), (0.0, 1.0)]))
    others = ["propagate", "warp", "move", "reuse"]
    between = draw(st.sampled_from(others)) if low is None else "propagate"
    return Policy(
        keyframe_interval=draw(st.integers(2, 12)),
        between_keyframes=between,
        reuse_below=low,
        refresh_above=high,
    )


def moved_on(taken: Walk) -> list[Shown]:
    """Return the masks of `taken` with `ahead`: moved on by the last motion that was found."""
    ahead, found = (), []
    for t, (path, shown) in enumerate(zip(taken.paths, taken.shown, strict=True)):
        ahead = ahead if path == "key" else (t, t - 1)
        found.append(shown._replace(ahead=ahead))
    return found


@st.composite
def policies_in_the_background(draw: st.DrawFn) -> Policy:
    interval = draw(st.integers(1, 12))
    low, high = draw(st.sampled_from([(None, None), (None, 0.6), (0.3, None), (0.3, 0.6)]))
    between = draw(st.sampled_from(["propagate", "warp", "move"])) if low is None else "propagate"
    return Policy(
        keyframe_interval=interval,
        between_keyframes=between,
        reuse_below=low,
        refresh_above=high if interval > 1 else None,
        asynchronous=True,
    )


class CountedGraphs(NetworkGraphs):
    """Hands everything on to `graphs`, and counts the runs of each."""

    def __init__(self, graphs: NetworkGraphs) -> None:
        self._counted = graphs
        self.height, self.width = graphs.height, graphs.width
        self.mask_size = graphs.mask_size
        self.runs: Counter[str] = Counter()

    def key(self, frame: Frame) -> tuple[Mask, Context]:
        self.runs["key"] += 1
        return self._counted.key(frame)

    def propagate(self, frame: Frame, context: Context) -> Mask:
        self.runs["propagate"] += 1
        return self._counted.propagate(frame, context)

    def gate(self, now: Thumbnail, keyframe: Thumbnail) -> float:
        self.runs["gate"] += 1
        return self._counted.gate(now, keyframe)


class MadeUpGraphs(NetworkGraphs):
    """Graphs made of arithmetic: every mask and score tells what it was made of.

    Frames are of one value each, see `numbered_clip`. A key mask holds the frame's value; a
    propagated one that and, in its first row, the keyframe's. The score is how far the values lie
    apart.
    """

    height, width = 16, 24
    mask_size = (8, 12)

    def __init__(self) -> None:
        pass

    def key(self, frame: Frame) -> tuple[Mask, Context]:
        value = frame[0, 0, 0]
        context = np.full((1, 1, 1, 1), value, np.uint8).view("i1")
        return np.full(self.mask_size, value, np.uint8), context

    def propagate(self, frame: Frame, context: Context) -> Mask:
        mask = np.full(self.mask_size, frame[0, 0, 0], np.uint8)
        mask[0] = context.view(np.uint8).item()
        return mask

    def gate(self, now: Thumbnail, keyframe: Thumbnail) -> float:
        return abs(int(now[0, 0, 0]) - int(keyframe[0, 0, 0])) / 255


def numbered_clip(*values: int, name: str = "bear") -> Clip:
    """Return a clip of 16 x 24 whose frames have these values, with masks of class 0."""
    numbers = np.array(values, np.uint8)[:, None, None, None]
    return Clip(
        name=name,
        frames=np.broadcast_to(numbers, (len(values), 16, 24, 3)),
        masks=np.zeros((len(values), 16, 24), np.uint8),
        annotated=np.ones(len(values), np.bool_),
        fps=24.0,
    )


class Once:
    """Frames that tell how often each was read."""

    def __init__(self, frames: npt.NDArray[np.uint8]) -> None:
        self._frames = frames
        self.shape, self.dtype = frames.shape, frames.dtype
        self.read: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        self.read[index] += 1
        return self._frames[index]

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        return iter(self._frames)
