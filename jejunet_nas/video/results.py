"""The masks and gate scores of one clip, each computed when it is first asked for.

A frame's mask depends on two frames alone: the one whose details are seen, and the keyframe whose
context is decoded with them. So all policies take their masks from one table, and a second policy
runs the network only where the first did not. Masks are kept compressed, 200 to 500 bytes each.
A mask that moves with the picture is computed from a keyframe's each time; the motions between
frames, contexts and frames are kept until `forget_frames`.

Their cache file is an .npz beside the network's graphs, with the compressed masks concatenated. It
is bound to the graphs by a hash of them: a file of other graphs is ignored, as is one that is
missing or cut short.
"""

import bisect
import functools
import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jejunet_nas.documents.arrays import read_arrays, require_finite
from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_whole
from jejunet_nas.records import Clip, FramePath
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.space.architecture import FOLLOWING
from jejunet_nas.video.graphs import Context, Frame, Mask, NetworkGraphs, Thumbnail
from jejunet_nas.video.motion import Index, grey_of, joined, motion, moved, warped

_FAST = 1  # zlib's level: 16 kB of class map in 50 us


class Shown(NamedTuple):
    """A mask by the frame of its details and the keyframe of its context; equal for a keyframe.

    moved: the frames over which the keyframe's mask, or its context, has moved with the picture, in
    their order; the last is the one that it is shown on. Empty if it stands still.
    ahead: the frame whose motion moves the mask on to the next, and the frame before it; or empty.
    """

    frame: int
    keyframe: int
    moved: tuple[int, ...] = ()
    ahead: tuple[int, ...] = ()


def shown_on(path: FramePath, frame: int, keyframe: int, taken: Sequence[int]) -> Shown:
    """Return the mask of `frame` on `path` with the last `keyframe`.

    taken: the frames of the clip that were taken up to `frame`, in their order.
    """
    over = taken[bisect.bisect(taken, keyframe) :] if path in FOLLOWING else ()
    # On reuse it is the keyframe's mask, which the gate has compared.
    return Shown(frame if path in ("propagate", "warp") else keyframe, keyframe, tuple(over))


class ClipResults:
    """The masks and gate scores of one clip, computed at most once.

    compressed: the known masks. scores: the known scores of the gate.
    """

    def __init__(self, clip: Clip, graphs: NetworkGraphs) -> None:
        self._clip, self._graphs = clip, graphs
        self.compressed: dict[Shown, bytes] = {}
        self.scores: dict[Shown, float] = {}
        self._frames: dict[int, Frame] = {}
        self._thumbnails: dict[int, Thumbnail] = {}
        self._contexts: dict[int, Context] = {}
        self._motions: dict[tuple[int, int], Index] = {}  # of a frame, since another

    def __len__(self) -> int:
        return len(self._clip)

    def mask(self, shown: Shown) -> Mask:
        """Return a mask, uint8 [height, width], class indices at the graphs' own resolution."""
        if shown.ahead:
            still = self.mask(shown._replace(ahead=()))
            mask = moved(still, self._motion(*shown.ahead))
            mask.setflags(write=False)
            return mask
        if shown.moved and shown.frame == shown.keyframe:
            mask = moved(self.mask(Shown(shown.frame, shown.keyframe)), self._index(shown))
            mask.setflags(write=False)
            return mask
        if shown not in self.compressed:
            if shown.frame == shown.keyframe:
                self._context(shown.frame)  # comes with the mask
            else:
                context = self._context(shown.keyframe)
                if shown.moved:
                    context = warped(context, self._index(shown))
                self._keep(shown, self._graphs.propagate(self._frame(shown.frame), context))
        values = np.frombuffer(zlib.decompress(self.compressed[shown]), np.uint8)
        return values.reshape(self._graphs.mask_size)

    def gate(self, frame: int, keyframe: int) -> float:
        """Return the gate's score of `frame` against `keyframe`, in [0, 1]."""
        pair = Shown(frame, keyframe)
        if pair not in self.scores:
            self.scores[pair] = self._graphs.gate(self.thumbnail(frame), self.thumbnail(keyframe))
        return self.scores[pair]

    def thumbnail(self, frame: int) -> Thumbnail:
        """Return a frame at the size of the gate's inputs."""
        if frame not in self._thumbnails:
            self._thumbnails[frame] = thumbnails(self._frame(frame))
        return self._thumbnails[frame]

    def forget_frames(self) -> None:
        """Free frames, contexts and motions, which are large; masks, scores, thumbnails stay."""
        self._frames.clear()
        self._contexts.clear()
        self._motions.clear()

    @property
    def frame_bytes(self) -> int:
        """The bytes of the frames, contexts and motions that `forget_frames` would free."""
        kept = (self._frames, self._contexts, self._motions)
        return sum(each.nbytes for arrays in kept for each in arrays.values())

    @property
    def size(self) -> int:
        """The number of masks and scores that are known, and that `write_results` writes."""
        return sum(not shown.moved for shown in self.compressed) + len(self.scores)

    def require_mask(self, compressed: bytes) -> None:
        """Raise ValueError or `zlib.error` unless `compressed` is a mask of the graphs' size."""
        height, width = self._graphs.mask_size
        if len(zlib.decompressobj().decompress(compressed, height * width + 1)) != height * width:
            raise ValueError("a mask has another size")

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

    def _index(self, shown: Shown) -> Index:
        """Return where each pixel of the frame that a mask has moved to was in the mask's."""
        pairs = itertools.pairwise((shown.keyframe, *shown.moved))
        return functools.reduce(joined, (self._motion(now, before) for before, now in pairs))

    def _motion(self, now: int, before: int) -> Index:
        if (now, before) not in self._motions:
            pair = (grey_of(self._frame(t)) for t in (now, before))
            self._motions[now, before] = motion(*pair)
        return self._motions[now, before]

    def _keep(self, shown: Shown, mask: npt.NDArray[np.uint8]) -> None:
        self.compressed[shown] = zlib.compress(mask.tobytes(), _FAST)


def read_results(file: Path, clips: Sequence[ClipResults], *, graphs: str) -> int:
    """Add the masks and scores in `file` to `clips`; return the number of those known.

    graphs: a hash of the graphs that compute them. A file that is damaged, or of other graphs or
    clips, adds nothing.
    """
    try:
        stored = dict(read_arrays(file))
        if stored.pop("graphs").item() != graphs:
            return 0
        require_finite(stored)
        masks, scored = (_rows(stored[name], clips) for name in ("masks", "scored"))
        scores = stored["scores"].astype(np.float64, casting="same_kind").tolist()
        lengths = stored["lengths"].tolist()
        blob, ends = stored["blob"].tobytes(), np.cumsum(stored["lengths"]).tolist()
        blobs = [blob[end - size : end] for end, size in zip(ends, lengths, strict=True)]
        for (number, _), compressed in zip(masks, blobs, strict=True):
            clips[number].require_mask(compressed)
        known = [list(zip(*pair, strict=True)) for pair in ((masks, blobs), (scored, scores))]
    except (SettingError, OSError, ValueError, KeyError, TypeError, IndexError, zlib.error):
        return 0
    for (number, shown), compressed in known[0]:
        clips[number].compressed[shown] = compressed
    for (number, pair), score in known[1]:
        clips[number].scores[pair] = score
    return sum(clip.size for clip in clips)


def _rows(stored: npt.NDArray[Any], clips: Sequence[ClipResults]) -> list[tuple[int, Shown]]:
    """Return clip, frame and keyframe of each row. Raises ValueError if there is no such frame."""
    rows = [(int(number), Shown(int(frame), int(key))) for number, frame, key in stored]
    for number, shown in rows:
        if number < 0 or not 0 <= shown.keyframe <= shown.frame < len(clips[number]):
            raise ValueError(f"clip {number} has no frame {shown.frame}")
    return rows


def write_results(file: Path, clips: Sequence[ClipResults], *, graphs: str) -> None:
    """Write the masks and scores of `clips`, computed by `graphs`, to `file`.

    Not those of warped contexts, which depend on the frames that a policy drops.
    """
    still = [
        (n, shown, blob)
        for n, clip in enumerate(clips)
        for shown, blob in clip.compressed.items()
        if not shown.moved
    ]
    masks = [(n, *shown[:2]) for n, shown, _ in still]
    scored = [(n, *pair[:2]) for n, clip in enumerate(clips) for pair in clip.scores]
    blobs = [blob for _, _, blob in still]
    scores = [score for clip in clips for score in clip.scores.values()]

    def write(beside: Path) -> None:
        np.savez(
            beside,
            graphs=np.array(graphs),
            masks=np.array(masks, np.int32).reshape(-1, 3),
            lengths=np.array([len(blob) for blob in blobs], np.int64),
            blob=np.frombuffer(b"".join(blobs), np.uint8),
            scored=np.array(scored, np.int32).reshape(-1, 3),
            scores=np.array(scores, np.float64),
        )

    write_whole(file, write)
