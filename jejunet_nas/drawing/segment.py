"""Segments a video with a trial's graphs: frames from a source, masks to sinks.

Units: milliseconds of this computer, reported as `host`; they say nothing about a phone.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.drawing.live import LiveView
from jejunet_nas.drawing.overlay import class_colours
from jejunet_nas.errors import SettingError
from jejunet_nas.media.containers import is_same, undisturbed
from jejunet_nas.media.frames import Frame, Source
from jejunet_nas.media.sink import MaskSink, VideoSink
from jejunet_nas.records import PATHS, FramePath
from jejunet_nas.video.bundle import Bundle
from jejunet_nas.video.runtime import Segmentation, VideoSegmenter

_TAIL_PCT = 95


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """Counts and latencies of the frames whose outputs are all written."""

    latencies_ms: dict[FramePath, list[float]] = dataclasses.field(
        default_factory=lambda: {path: [] for path in PATHS}
    )
    resize_ms: list[float] = dataclasses.field(default_factory=list)
    draw_ms: list[float] = dataclasses.field(default_factory=list)
    began: int = 0  # keyframes in the background
    seconds: float = 0.0
    interrupted: bool = False
    trouble: str | None = None  # of the source
    notes: list[str] = dataclasses.field(default_factory=list)  # of the source and the video sink

    @property
    def frames(self) -> int:
        """The number of segmented frames."""
        return len(self.resize_ms)

    @property
    def fps(self) -> float:
        """Frames per second, with reading, segmenting, drawing and writing."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def shares(self) -> dict[FramePath, float]:
        """The share of frames on each path, in [0, 1]."""
        return {path: len(ms) / max(1, self.frames) for path, ms in self.latencies_ms.items()}

    def add(self, shown: Segmentation) -> None:
        """Add one frame."""
        self.latencies_ms[shown.path].append(shown.latency_ms)
        self.resize_ms.append(shown.resize_ms)
        self.began += shown.keyframe_began

    def host_ms(self) -> dict[str, dict[str, float] | None]:
        """Return mean, median and 95th percentile of each path and of all; None without frames."""
        every = [ms for path in PATHS for ms in self.latencies_ms[path]]
        return {path: _figures(ms) for path, ms in [*self.latencies_ms.items(), ("all", every)]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The outputs of a segmented video; at least one.

    video: a file for the drawn video. masks: a folder for masks as PNGs, in the video's size with
    `full_size`, else in the graphs' size.
    """

    video: Path | None
    masks: Path | None
    full_size: bool = True

    def __post_init__(self) -> None:
        if self.video is None and self.masks is None:
            raise SettingError(
                "neither --out nor --masks is given. Add --out segmented.mp4, --masks FOLDER, or "
                "both."
            )


def segment_video(
    source: Source,
    segmenter: VideoSegmenter,
    outputs: Outputs,
    *,
    path: Path | None,
    most: int | None = None,
    tell: Callable[[int], None] = lambda frames: None,
) -> Tally:
    """Segment the frames of `source`, `most` at most; Ctrl-C ends it like the video's end.

    path: the source's file or folder, whose sound is copied and which no output may replace; None
    for a camera. tell: is called with the number of frames done. An error removes the new video;
    masks stay. Raises `SettingError` where an output cannot be written.
    """
    tally = Tally(notes=[*source.notes])
    began = time.perf_counter()
    try:
        with _opened(source, segmenter.bundle, outputs, path, tally) as writers:
            for frame in source:
                shown = segmenter.segment(frame.picture)
                with undisturbed():  # a frame is in all outputs and in the tally, or in none
                    for write in writers:
                        write(frame, shown)
                    tally.add(shown)
                tell(tally.frames)
                if tally.frames == most:
                    break
    except KeyboardInterrupt:  # the outputs are closed by now
        tally.interrupted = True
    tally.seconds = time.perf_counter() - began
    tally.trouble = source.trouble
    return tally


Writer = Callable[[Frame, Segmentation], None]


@contextlib.contextmanager
def _opened(
    source: Source, bundle: Bundle, outputs: Outputs, path: Path | None, tally: Tally
) -> Iterator[Sequence[Writer]]:
    """Open the sinks, and yield a writer for each."""
    writers: list[Writer] = []
    video = outputs.video
    if video is not None and video.is_file() and not (path and is_same(video, path)):
        other = video.with_stem(f"{video.stem}-2")
        raise SettingError(f"--out is {video}, which exists. Remove it, or use {other}.")
    if outputs.masks is not None:
        writers.append(_mask_writer(outputs.masks, bundle, source, path, outputs.full_size))
    if outputs.video is None:
        yield writers
        return
    view = LiveView(source.size, bundle.class_names, bundle.policy)
    sound = path if path is not None and path.is_file() else None

    def write(frame: Frame, shown: Segmentation) -> None:
        began = time.perf_counter()
        drawn = view.draw(frame.picture, shown)
        tally.draw_ms.append(1000.0 * (time.perf_counter() - began))
        sink.write(drawn, frame.time_s)

    sink = VideoSink(outputs.video, view.size, source.fps, sound)
    try:
        with sink:
            yield [*writers, write]
    finally:
        tally.notes += sink.notes


def _mask_writer(
    folder: Path, bundle: Bundle, source: Source, path: Path | None, full_size: bool
) -> Writer:
    if path is not None and is_same(folder, path):
        other = folder.with_name(f"{folder.name}-masks")
        raise SettingError(f"--masks is {folder}, which contains the input frames. Use {other}.")
    colours = [colour or (0, 0, 0) for colour in class_colours(bundle.class_names)]
    sink = MaskSink(folder, np.array(colours, np.uint8))

    def write(frame: Frame, shown: Segmentation) -> None:
        sink.write(shown.at(*source.size) if full_size else shown.mask, frame.name)

    return write


def summary(
    tally: Tally, *, bundle: Bundle, pace: str, video: str, outputs: Outputs
) -> dict[str, Any]:
    """Return the tally as plain values; all ms are of this computer."""
    return {
        "study": bundle.source.study,
        "trial": bundle.source.trial,
        "network_id": bundle.source.network_id,
        "video": video,
        "out": str(outputs.video) if outputs.video and tally.frames else None,
        "masks": str(outputs.masks) if outputs.masks else None,
        "frames": tally.frames,
        "seconds": round(tally.seconds, 3),
        "fps": round(tally.fps, 2),
        "paths": {path: round(share, 4) for path, share in tally.shares.items()},
        "background_keyframes": tally.began,
        "pace": pace,
        "host_ms": tally.host_ms(),
        "host_resize_ms": _figures(tally.resize_ms),
        "host_draw_ms": _figures(tally.draw_ms),
        "notes": tally.notes,
        "trouble": tally.trouble,
        "interrupted": tally.interrupted,
    }


def _figures(values_ms: Sequence[float]) -> dict[str, float] | None:
    if not values_ms:
        return None
    return {
        "mean": round(float(np.mean(values_ms)), 3),
        "median": round(float(np.median(values_ms)), 3),
        "p95": round(float(np.percentile(values_ms, _TAIL_PCT)), 3),
    }
