"""What a network makes of the frames of one clip, each thing computed when it is first asked for.

What is shown on a frame depends on two frames alone: the one whose details are seen, and the
keyframe whose memory they are decoded with. So every policy shows masks out of one table, and a
second policy runs the network only where the first one did not. Masks are kept compressed, 200 to
500 bytes each; memories and frames live only as long as the clip is being walked.
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jejunet_nas.records import Clip
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.video.graphs import Frame, Mask, Memory, NetworkGraphs, Thumbnail

_FAST = 1  # zlib's level: 16 kB of class map in 50 us


class Shown(NamedTuple):
    """A mask by the frame whose details it has and the keyframe whose memory; equal for a key."""

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
        self._memories: dict[int, Memory] = {}

    def __len__(self) -> int:
        return len(self._clip)

    def mask(self, shown: Shown) -> Mask:
        """Return a mask, uint8 [height, width], class indices at the graphs' own resolution."""
        if shown not in self._masks:
            if shown.frame == shown.keyframe:
                self._memory(shown.frame)  # comes with the mask
            else:
                memory = self._memory(shown.keyframe)
                self._keep(shown, self._graphs.propagate(self._frame(shown.frame), memory))
        values = np.frombuffer(zlib.decompress(self._masks[shown]), np.uint8)
        return values.reshape(self._graphs.mask_size)

    def gate(self, frame: int, keyframe: int) -> float:
        """Return the gate's score of `frame` against `keyframe`, in [0, 1]."""
        pair = Shown(frame, keyframe)
        if pair not in self._scores:
            self._scores[pair] = self._graphs.gate(self.thumbnail(frame), self.thumbnail(keyframe))
        return self._scores[pair]

    def thumbnail(self, frame: int) -> Thumbnail:
        """Return what the gate sees of a frame."""
        if frame not in self._thumbnails:
            self._thumbnails[frame] = thumbnails(self._frame(frame))
        return self._thumbnails[frame]

    def forget_frames(self) -> None:
        """Let go of what takes much memory and can be had anew; masks, scores, thumbnails stay."""
        for kept in (self._frames, self._memories):
            kept.clear()

    @property
    def size(self) -> int:
        """How many masks and scores are known."""
        return len(self._masks) + len(self._scores)

    def stored(self) -> tuple[dict[Shown, bytes], dict[Shown, float]]:
        """Return masks, compressed, and scores, to be taken up by `take_up`."""
        return self._masks, self._scores

    def take_up(
        self, masks: Iterable[tuple[Shown, bytes]], scores: Iterable[tuple[Shown, float]]
    ) -> None:
        """Believe masks and scores that the same graphs made of the same clip."""
        self._masks.update(masks)
        self._scores.update(scores)

    def _frame(self, t: int) -> Frame:
        if t not in self._frames:
            self._frames[t] = resize_frame(
                self._clip.frames[t], self._graphs.height, self._graphs.width
            )
        return self._frames[t]

    def _memory(self, t: int) -> Memory:
        if t not in self._memories:
            mask, self._memories[t] = self._graphs.key(self._frame(t))
            self._keep(Shown(t, t), mask)
        return self._memories[t]

    def _keep(self, shown: Shown, mask: npt.NDArray[np.uint8]) -> None:
        self._masks[shown] = zlib.compress(mask.tobytes(), _FAST)
