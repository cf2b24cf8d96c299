"""Latencies: of a graph, of a network's graphs, and of a stream of frames on their paths.

Each names its source: measured on a phone, predicted for one, or timed on this computer.
"""

import dataclasses
import math
from collections.abc import Collection, Sequence
from typing import Literal, get_args

from jejunet_nas.errors import SettingError

FramePath = Literal["key", "propagate", "warp", "move", "reuse"]
GraphName = Literal["key", "propagate", "gate"]
LatencySource = Literal["measured", "predicted", "host"]
# Which trials are feasible: no frame dropped, no frame late, or the mean latency within a frame's.
FeasibleRule = Literal["no_drops", "every_frame", "mean"]

PATHS: tuple[FramePath, ...] = get_args(FramePath)
GRAPH_NAMES: tuple[GraphName, ...] = get_args(GraphName)
DROPPED = "-"  # the letter of a camera frame that the processor never takes
_BY_LETTER: dict[str, FramePath] = {path[0]: path for path in PATHS}
# Operators of our graphs that LiteRT's default delegate never runs.
OUTSIDE_DELEGATE = ("ARG_MAX", "CAST", "QUANTIZE")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """The properties of one operator of a graph that its latency depends on.

    kind: the operator's name in the TFLite schema (`CONV_2D`, `RESIZE_BILINEAR`, ...). kernel:
    (height, width) of a convolution's or pooling window, (1, 1) otherwise. Bytes are activations in
    and out; constant weights are separate. float32: whether it reads or writes float activations.
    """

    kind: str
    kernel: tuple[int, int] = (1, 1)
    macs: int = 0
    bytes_in: int
    bytes_out: int
    weight_bytes: int = 0
    elements_out: int
    float32: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The latency of one run of one graph, and its source.

    `low_ms` to `high_ms` is the interval of the median: the spread of a measurement, or the error
    of a prediction. `runs` is 0 for a prediction.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    source: LatencySource
    threads: int
    runs: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.low_ms <= self.median_ms <= self.high_ms < math.inf:
            raise SettingError(
                f"median_ms is {self.median_ms} in [{self.low_ms}, {self.high_ms}]; "
                "allowed: 0 <= low_ms <= median_ms <= high_ms. Order the three figures."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PathLatencies:
    """The latency of each graph of one network, all from one source, and of moving a mask.

    move: of `video.motion` on one frame, to move a mask or to warp a context; predicted where
    graphs are measured, since no graph does it. None in records of earlier versions, whose studies
    have no policy that follows motion.
    """

    key: Latency
    propagate: Latency
    gate: Latency
    move: Latency | None = None

    @property
    def source(self) -> LatencySource:
        """The source of the graphs' figures."""
        return self.key.source

    @property
    def medians(self) -> list[float]:
        """The medians in milliseconds, by which scores that depend on them are told apart."""
        graphs = [self.key, self.propagate, self.gate]
        return [each.median_ms for each in (*graphs, self.move) if each is not None]

    def of_path(self, path: FramePath) -> float:
        """Return the milliseconds of a frame on `path`, without the gate; 0 where nothing runs."""
        if path == "reuse":
            return 0.0
        if path == "warp":
            return self.of_path("propagate") + self.of_path("move")
        latency: Latency | None = getattr(self, path)
        assert latency is not None, f"the latency of {path} is not known"
        return latency.median_ms

    def source_of(self, paths: Collection[FramePath]) -> LatencySource:
        """Return the source of a figure over frames on `paths`: predicted if a part of it is."""
        follows = self.move is not None and not {"move", "warp"}.isdisjoint(paths)
        return "predicted" if follows and self.source == "measured" else self.source


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FramePaths:
    """The path of each frame of one clip.

    letters: one a frame, the first of its path (key, propagate, warp, move, reuse), a capital if
    the gate ran; `DROPPED` for a frame that no graph sees. lag: the frames that a keyframe takes in
    the background; None if frames wait for it.
    """

    clip: str
    letters: str
    lag: int | None = None

    def __post_init__(self) -> None:
        wrong = {*self.letters.lower()} - {*_BY_LETTER, DROPPED}
        if wrong:
            raise SettingError(
                f"letters of {self.clip} hold {min(wrong)!r}; allowed: {', '.join(_BY_LETTER)}, "
                f"their capitals, or {DROPPED}. Restore the record."
            )

    @classmethod
    def of(
        cls, clip: str, paths: Sequence[FramePath], gated: Sequence[bool], *, lag: int | None = None
    ) -> "FramePaths":
        """Return the record of `paths` and of the frames on which the gate ran."""
        pairs = zip(paths, gated, strict=True)
        letters = "".join(p[0].upper() if gate else p[0] for p, gate in pairs)
        return cls(clip=clip, letters=letters, lag=lag)

    @property
    def taken(self) -> str:
        """The letters of the frames that are not dropped."""
        return self.letters.replace(DROPPED, "")

    @property
    def paths(self) -> tuple[FramePath, ...]:
        """The path of each frame that is not dropped."""
        return tuple(_BY_LETTER[letter.lower()] for letter in self.taken)

    @property
    def gated(self) -> tuple[bool, ...]:
        """Whether the gate ran on each frame that is not dropped."""
        return tuple(letter.isupper() for letter in self.taken)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamLatency:
    """Latency over a stream of frames, each on the path chosen by the policy.

    mean_ms, worst_ms: of the frames that are not dropped. dropped_frames: share of camera frames
    that are overwritten in a one-frame buffer before they are read. every_frame: whether no frame
    takes longer than the camera's period. doubts: why a measurement is unstable. startup_ms: how
    long the first frame waits for its keyframe if the other keyframes run in the background; it
    counts in no other figure. None if frames wait for every keyframe.
    """

    mean_ms: float
    worst_ms: float
    every_frame: bool
    dropped_frames: float
    source: LatencySource
    doubts: tuple[str, ...] = ()
    startup_ms: float | None = None

    @property
    def sustained_fps(self) -> float:
        """1000 / mean latency of a frame in ms; infinite if no frame runs a graph."""
        return 1000.0 / self.mean_ms if self.mean_ms else math.inf
