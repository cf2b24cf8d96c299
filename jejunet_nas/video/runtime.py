"""Segments a video frame by frame as a phone would, with a trial's graphs under its policy.

    with VideoSegmenter(bundle) as segmenter:
        for frame in frames:  # uint8 [height, width, 3], RGB, any size and aspect
            shown = segmenter.segment(frame)

What each frame shows is what `video.walk` says: the same rules, over frames that come one at a
time. Where keyframes run in the background, a thread runs the key graph (LiteRT lets Python go on
meanwhile), and its keyframe is taken up before the first frame that finds it there.

Units: milliseconds of this computer, which are no phone's; ages in frames.
"""

import dataclasses
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.records import FramePath
from jejunet_nas.resize import resize_frame, resize_mask, thumbnails
from jejunet_nas.video.bundle import Bundle, read_bundle
from jejunet_nas.video.graphs import Frame, Mask, Memory, NetworkGraphs, Thumbnail
from jejunet_nas.video.policy import PathChooser

Pace = Literal["scored", "live"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """What one frame shows.

    mask: uint8 [height, width], class indices, read-only; at the graphs' own resolution, unless it
    was asked for at the frame's. gate_score: None where the gate did not run. age_frames: of the
    keyframe that the frame makes do with, 0 on a keyframe. keyframe_began: in the background, on
    this frame. resize_ms: to bring the frame to the graphs' size; latency_ms: all that follows, up
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
        """Return the mask at another size, each pixel that of the nearest one."""
        return resize_mask(self.mask, height, width)


class _Keyframe(NamedTuple):
    """A keyframe that is done; `thumbnail` is None where no gate will ask for it."""

    number: int
    mask: Mask
    memory: Memory
    thumbnail: Thumbnail | None


class _Begun(NamedTuple):
    """A keyframe that is being computed."""

    number: int
    result: Future[tuple[Mask, Memory]]
    thumbnail: Thumbnail | None


class VideoSegmenter:
    """Segments frames in the order of time; one for each video, or `reset` between two.

    bundle: a `Bundle`, or its folder or `.zip`. threads: of each graph; where keyframes run in the
    background, that one runs beside the others with as many of its own.

    pace: when a keyframe is there that runs in the background. "scored", the default: exactly
    `keyframe_lag` frames after it began, waited for if need be, so that masks are those that the
    trial was scored with, on any computer, however fast frames come. "live": before the first frame
    that comes once it is done, so that no frame but the first waits; for a camera. Without a
    background the two are one.

    Raises `SettingError` where the bundle is none, or its graphs do not load.
    """

    def __init__(
        self, bundle: Bundle | Path | str, *, threads: int = 1, pace: Pace = "scored"
    ) -> None:
        if pace not in get_args(Pace):
            raise SettingError(f"pace is {pace}; allowed: {', '.join(get_args(Pace))}.")
        if threads < 1:
            raise SettingError(f"threads is {threads}; allowed: 1 or more. Use 1.")
        self.bundle = bundle if isinstance(bundle, Bundle) else read_bundle(Path(bundle))
        self._graphs = NetworkGraphs(self.bundle.graphs, threads=threads)
        self._pace = pace
        self._policy = self.bundle.policy
        self._background: ThreadPoolExecutor | None = None
        if self._policy.asynchronous:  # the key graph runs in this thread and nowhere else
            self._background = ThreadPoolExecutor(1, thread_name_prefix="keyframe")
        self._open = True
        self._begun: _Begun | None = None
        self.reset()

    def reset(self) -> None:
        """Begin anew, as at a cut: the next frame is a keyframe.

        A keyframe in the background is dropped; one that runs already cannot be stopped, and the
        next frame's waits for it too.
        """
        self._chooser = PathChooser(self._policy)
        self._number = 0
        self._keyframe: _Keyframe | None = None
        if self._begun is not None:
            self._begun.result.cancel()
            self._begun = None

    def segment(self, frame: npt.NDArray[np.uint8], *, full_size: bool = False) -> Segmentation:
        """Return what `frame`, uint8 [height, width, 3] in RGB, shows; with its mask at its size.

        An error of a keyframe in the background is raised here, and the next frame begins anew.
        Raises `SettingError` for what is no frame, and once the segmenter is closed.
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

    def close(self) -> None:
        """Let go of the graphs; waits for a keyframe that is being computed."""
        self._open = False
        self.reset()
        if self._background is not None:
            self._background.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _segment(
        self, given: npt.NDArray[np.uint8], frame: Frame, start: float, resized: float
    ) -> Segmentation:
        number, chooser = self._number, self._chooser
        self._take_up()
        small: Thumbnail | None = None
        score: float | None = None
        if chooser.wants_gate():
            assert self._keyframe is not None, "the first frame has nothing to be compared with"
            assert self._keyframe.thumbnail is not None, "kept wherever there is a gate"
            small = thumbnails(frame)
            score = self._graphs.gate(small, self._keyframe.thumbnail)
        path = chooser.choose(score)
        if small is None and self._policy.gated and (path == "key" or chooser.begins_keyframe):
            small = thumbnails(frame)
        if chooser.begins_keyframe:
            # The caller may use the same array for the next frame.
            kept = frame.copy() if np.may_share_memory(frame, given) else frame
            self._begun = _Begun(number, self._submit(kept), small)
        mask = self._show(path, frame, small)
        mask.setflags(write=False)  # a mask that is reused is one array
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

    def _take_up(self) -> None:
        """Make the keyframe in the background the one that frames make do with, if it is there."""
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

    def _show(self, path: FramePath, frame: Frame, small: Thumbnail | None) -> Mask:
        if path == "key":
            mask, memory = self._key(frame)
            self._keyframe = _Keyframe(self._number, mask, memory, small)
            return mask
        assert self._keyframe is not None, "the first frame is a keyframe"
        if path == "propagate":
            return self._graphs.propagate(frame, self._keyframe.memory)
        return self._keyframe.mask

    def _key(self, frame: Frame) -> tuple[Mask, Memory]:
        if self._background is None:
            return self._graphs.key(frame)
        return self._submit(frame).result()

    def _submit(self, frame: Frame) -> Future[tuple[Mask, Memory]]:
        assert self._background is not None, "keyframes are waited for under this policy"
        return self._background.submit(self._graphs.key, frame)


def _check(frame: Any, is_open: bool) -> None:
    if not is_open:
        raise SettingError("the segmenter is closed; allowed: an open one. Make another.")
    kind = (getattr(frame, "dtype", None), getattr(frame, "ndim", 0))
    if kind != (np.uint8, 3) or frame.shape[2] != 3 or not frame.size:
        shape = list(getattr(frame, "shape", []))
        raise SettingError(
            f"the frame is {kind[0] or type(frame).__name__} {shape}; allowed: uint8 [height, "
            "width, 3], RGB. Convert it."
        )
