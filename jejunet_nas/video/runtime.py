"""Segments a video frame by frame as a phone would, with a trial's graphs under its policy.

    with VideoSegmenter(bundle) as segmenter:
        for frame in frames:  # uint8 [height, width, 3], RGB, any size and aspect
            shown = segmenter.segment(frame)

It follows the same rules as `video.policy.walk`, for frames that arrive one at a time. A thread
runs the key graph of keyframes in the background; LiteRT releases Python's lock meanwhile.

Units: milliseconds of this computer, not of a phone; ages in frames.
"""

import dataclasses
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.records import FramePath
from jejunet_nas.resize import resize_frame, resize_mask, thumbnails
from jejunet_nas.space.architecture import FOLLOWING
from jejunet_nas.video.bundle import Bundle, read_bundle
from jejunet_nas.video.graphs import Context, Frame, Mask, NetworkGraphs, Thumbnail
from jejunet_nas.video.motion import Motions
from jejunet_nas.video.policy import PathChooser

Pace = Literal["scored", "live"]
MOST_THREADS = 256  # LiteRT starts all that it is asked for: a million take hours and all memory


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """The mask of one frame, and how it was computed.

    mask: uint8 [height, width], class indices, read-only; at the graphs' resolution, or with
    `full_size` at the frame's. gate_score: None where the gate did not run. age_frames: of the
    keyframe that the frame uses, 0 on a keyframe. keyframe_began: whether a keyframe started in the
    background on this frame. resize_ms: to resize the frame for the graphs. latency_ms: from there
    to the mask at the graphs' resolution.
    """

    mask: Mask
    path: FramePath
    gate_score: float | None
    age_frames: int
    keyframe_began: bool
    resize_ms: float
    latency_ms: float

    def at(self, height: int, width: int) -> Mask:
        """Return the mask at another size, by nearest neighbour."""
        return resize_mask(self.mask, height, width)


class _Keyframe(NamedTuple):
    """A keyframe that is ready; `thumbnail` is None where there is no gate."""

    number: int
    mask: Mask
    context: Context
    thumbnail: Thumbnail | None


class _Begun(NamedTuple):
    """A keyframe in the background."""

    number: int
    result: Future[tuple[Mask, Context]]
    thumbnail: Thumbnail | None


class VideoSegmenter:
    """Segments the frames of one video in the order of time; call `reset` before another video.

    bundle: a `Bundle`, or its folder or `.zip`. threads: of each graph; a key graph in the
    background uses as many threads in addition.

    pace: when a keyframe in the background is used. "scored", the default: exactly `keyframe_lag`
    frames after it started, waiting if necessary; the masks are then those of the trial's score on
    any computer. "live", for a camera: as soon as it is ready; only the first frame waits.

    Raises `SettingError` where the bundle cannot be read or its graphs do not load.
    """

    def __init__(
        self, bundle: Bundle | Path | str, *, threads: int = 1, pace: Pace = "scored"
    ) -> None:
        if pace not in get_args(Pace):
            raise SettingError(f"pace is {pace}; allowed: {', '.join(get_args(Pace))}.")
        if not 1 <= threads <= MOST_THREADS:
            nearest = 1 if threads < 1 else MOST_THREADS
            raise SettingError(
                f"threads is {threads}; allowed: 1 to {MOST_THREADS}. The nearest is {nearest}."
            )
        self.bundle = bundle if isinstance(bundle, Bundle) else read_bundle(Path(bundle))
        self._graphs = NetworkGraphs(self.bundle.graphs, threads=threads)
        self._pace = pace
        self._policy = self.bundle.policy
        self._background: ThreadPoolExecutor | None = None
        self._motions = Motions() if self._policy.follows_motion else None
        if self._policy.asynchronous:  # it alone runs the key graph
            self._background = ThreadPoolExecutor(1, thread_name_prefix="keyframe")
        self._open = True
        self._begun: _Begun | None = None
        self.reset()

    def reset(self) -> None:
        """Start again, as at a cut: the next frame is a keyframe.

        A keyframe in the background is dropped. If it runs already, it cannot be stopped, and the
        next frame waits for it.
        """
        self._chooser = PathChooser(self._policy)
        self._number = 0
        self._keyframe: _Keyframe | None = None
        if self._motions is not None:
            self._motions = Motions()
        if self._begun is not None:
            self._begun.result.cancel()
            self._begun = None

    def segment(self, frame: npt.NDArray[np.uint8], *, full_size: bool = False) -> Segmentation:
        """Segment `frame`, uint8 [height, width, 3] in RGB; `full_size` resizes the mask to it.

        An error of a keyframe in the background is raised here; the segmenter is then reset. Raises
        `SettingError` for another type or shape, and after `close`.
        """
        _check(frame, self._open)
        start = time.perf_counter()
        small = resize_frame(frame, self._graphs.height, self._graphs.width)
        resized = time.perf_counter()
        try:
            segmentation = self._segment(frame, small, start, resized)
        except BaseException:
            self.reset()
            raise
        if not full_size:
            return segmentation
        return dataclasses.replace(segmentation, mask=segmentation.at(*frame.shape[:2]))

    def ahead(self, mask: Mask) -> Mask:
        """Return the newest frame's `mask`, of the graphs' size, as the next frame should look.

        Raises `SettingError` where the policy has `ahead` off.
        """
        if not self._policy.ahead:
            raise SettingError("ahead is off in the bundle's policy; allowed: on. Export another.")
        assert self._motions is not None, "the policy follows motion"
        return self._motions.ahead(mask)

    def close(self) -> None:
        """Close the segmenter; waits for a keyframe in the background."""
        self._open = False
        self.reset()
        if self._background is not None:
            self._background.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _segment(
        self, given: npt.NDArray[np.uint8], frame: Frame, start: float, resized: float
    ) -> Segmentation:
        number, chooser = self._number, self._chooser
        self._take_finished_keyframe()
        small: Thumbnail | None = None
        score: float | None = None
        if chooser.wants_gate():
            assert self._keyframe is not None, "no gate before the first keyframe"
            assert self._keyframe.thumbnail is not None, "kept where there is a gate"
            small = thumbnails(frame)
            score = self._graphs.gate(small, self._keyframe.thumbnail)
        path = chooser.choose(score)
        if self._motions is not None:
            self._motions.see(frame, keyframe=path == "key")
        if small is None and self._policy.gated and (path == "key" or chooser.begins_keyframe):
            small = thumbnails(frame)
        if chooser.begins_keyframe:
            # The caller may use the same array for the next frame.
            kept = frame.copy() if np.may_share_memory(frame, given) else frame
            self._begun = _Begun(number, self._submit(kept), small)
            if self._motions is not None:
                self._motions.begun()
        mask = self._show(path, frame, small)
        mask.setflags(write=False)  # reused frames share it
        self._number += 1
        assert self._keyframe is not None, "the first frame is a keyframe"
        return Segmentation(
            mask=mask,
            path=path,
            gate_score=score,
            age_frames=number - self._keyframe.number,
            keyframe_began=chooser.begins_keyframe,
            resize_ms=1000.0 * (resized - start),
            latency_ms=1000.0 * (time.perf_counter() - resized),
        )

    def _take_finished_keyframe(self) -> None:
        begun = self._begun
        if begun is None:
            return
        if self._pace == "live":
            if not begun.result.done():
                return
        elif self._number - begun.number < self.bundle.keyframe_lag:
            return
        self._begun = None
        self._keyframe = _Keyframe(begun.number, *begun.result.result(), begun.thumbnail)
        self._chooser.keyframe_arrived()
        if self._motions is not None:
            self._motions.arrived()

    def _show(self, path: FramePath, frame: Frame, small: Thumbnail | None) -> Mask:
        if path == "key":
            background = self._background is not None
            mask, context = self._submit(frame).result() if background else self._graphs.key(frame)
            self._keyframe = _Keyframe(self._number, mask, context, small)
            return mask
        assert self._keyframe is not None, "the first frame is a keyframe"
        if path == "propagate":
            return self._graphs.propagate(frame, self._keyframe.context)
        if path in FOLLOWING:
            assert self._motions is not None, "the policy follows motion"
            if path == "move":
                return self._motions.move(self._keyframe.mask)
            return self._graphs.propagate(frame, self._motions.warp(self._keyframe.context))
        return self._keyframe.mask

    def _submit(self, frame: Frame) -> Future[tuple[Mask, Context]]:
        assert self._background is not None, "the policy is synchronous"
        return self._background.submit(self._graphs.key, frame)


def _check(frame: Any, is_open: bool) -> None:
    if not is_open:
        raise SettingError("the segmenter is closed. Create another.")
    kind = (getattr(frame, "dtype", None), getattr(frame, "ndim", 0))
    if kind != (np.uint8, 3) or frame.shape[2] != 3 or not frame.size:
        shape = list(getattr(frame, "shape", []))
        raise SettingError(
            f"the frame is {kind[0] or type(frame).__name__} {shape}; allowed: uint8 [height, "
            "width, 3] in RGB. Convert it."
        )
