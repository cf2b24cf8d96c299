"""The masks and gate scores of one clip, each computed when it is first asked for.

A frame's mask depends on two frames alone: the one whose details are seen, and the keyframe whose
context is decoded with them. So all policies take their masks from one table, and a second policy
runs the network only where the first did not. Masks are kept compressed, 200 to 500 bytes each;
contexts and frames are kept only until `forget_frames`.
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jejunet_nas.records import Clip
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.video.graphs import Context, Frame, Mask, NetworkGraphs, Thumbnail

_FAST = 1  # zlib's level: 16 kB of class map in 50 us


class Shown(NamedTuple):
    """A mask by the frame of its details and the keyframe of its context; equal for a keyframe."""

    frame: int
    keyframe: int


class ClipResults:
    """The masks and gate scores of one clip, computed at most once."""

    def __init__(self, clip: Clip, graphs: NetworkGraphs) -> None:
        self._clip, self._graphs = clip, graphs
        self._masks: dict[Shown, bytes] = {}
        self._scores: dict[Shown, float] = {}
        self._frames: dict[int, Frame] = {}
        self._thumbnails: dict[int, Thumbnail] = {}
        self._contexts: dict[int, Context] = {}

    def __len__(self) -> int:
        return len(self._clip)

    def mask(self, shown: Shown) -> Mask:
        """Return a mask, uint8 [height, width], class indices at the graphs' own resolution."""
        if shown not in self._masks:
            if shown.frame == shown.keyframe:
                self._context(shown.frame)  # comes with the mask
            else:
                context = self._context(shown.keyframe)
                self._keep(shown, self._graphs.propagate(self._frame(shown.frame), context))
        values = np.frombuffer(zlib.decompress(self._masks[shown]), np.uint8)
        return values.reshape(self._graphs.mask_size)

    def gate(self, frame: int, keyframe: int) -> float:
        """Return the gate's score of `frame` against `keyframe`, in [0, 1]."""
        pair = Shown(frame, keyframe)
        if pair not in self._scores:
            self._scores[pair] = self._graphs.gate(self.thumbnail(frame), self.thumbnail(keyframe))
        return self._scores[pair]

    def thumbnail(self, frame: int) -> Thumbnail:
        """Return a frame at the size of the gate's inputs."""
        if frame not in self._thumbnails:
            self._thumbnails[frame] = thumbnails(self._frame(frame))
        return self._thumbnails[frame]

    def forget_frames(self) -> None:
        """Free frames and contexts, which are large; masks, scores and thumbnails stay."""
        self._frames.clear()
        self._contexts.clear()

    @property
    def size(self) -> int:
        """The number of masks and scores that are known."""
        return len(self._masks) + len(self._scores)

    def stored(self) -> tuple[dict[Shown, bytes], dict[Shown, float]]:
        """Return the compressed masks and the scores, for `take_up`."""
        return self._masks, self._scores

    def take_up(
        self, masks: Iterable[tuple[Shown, bytes]], scores: Iterable[tuple[Shown, float]]
    ) -> None:
        """Add masks and scores that the same graphs made of the same clip."""
        self._masks.update(masks)
        self._scores.update(scores)

    def _frame(self, t: int) -> Frame:
        if t not in self._frames:
            self._frames[t] = resize_frame(
                self._clip.frames[t], self._graphs.height, self._graphs.width
            )
        return self._frames[t]

    def _context(self, t: int) -> Context:
        if t not in self._contexts:
            mask, self._contexts[t] = self._graphs.key(self._frame(t))
            self._keep(Shown(t, t), mask)
        return self._contexts[t]

    def _keep(self, shown: Shown, mask: npt.NDArray[np.uint8]) -> None:
        self._masks[shown] = zlib.compress(mask.tobytes(), _FAST)
