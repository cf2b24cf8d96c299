"""Latencies: of a graph, of a network's graphs, and of a stream of frames on their paths.

Every one says where it comes from: measured on a phone, predicted for one, or taken on this host.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal, get_args

from jejunet_nas.errors import SettingError

FramePath = Literal["key", "propagate", "reuse"]
GraphName = Literal["key", "propagate", "gate"]
LatencySource = Literal["measured", "predicted", "host"]

PATHS: tuple[FramePath, ...] = get_args(FramePath)
GRAPH_NAMES: tuple[GraphName, ...] = get_args(GraphName)
_BY_LETTER: dict[str, FramePath] = {path[0]: path for path in PATHS}
# Operators of our graphs that LiteRT's default delegate never runs.
OUTSIDE_DELEGATE = ("ARG_MAX", "CAST", "QUANTIZE")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of a graph, as far as its latency depends on it.

    kind: the operator's name in the TFLite schema (`CONV_2D`, `RESIZE_BILINEAR`, ...). kernel:
    (height, width) of a convolution's or pooling window, (1, 1) otherwise. Bytes count activations
    in and out, and constant weights apart. float32: whether it reads or writes float activations.
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
    """How long one run of one graph takes, and how we know.

    `low_ms` to `high_ms` is the interval in which the median is expected: the spread of a
    measurement, the error of a prediction. `runs` is 0 for a prediction.
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
    """The latency of each graph of one network, all from one source."""

    key: Latency
    propagate: Latency
    gate: Latency

    @property
    def source(self) -> LatencySource:
        """Where the figures come from."""
        return self.key.source


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FramePaths:
    """Which path each frame of one clip took.

    letters: one a frame: k (key), p (propagate) or r (reuse); a capital where the gate ran. lag:
    the frames that a keyframe takes in the background; None where frames wait for it.
    """

    clip: str
    letters: str
    lag: int | None = None

    @classmethod
    def of(
        cls, clip: str, paths: Sequence[FramePath], gated: Sequence[bool], *, lag: int | None = None
    ) -> "FramePaths":
        """Return the paths of `clip`, and on which frames the gate ran, in short."""
        pairs = zip(paths, gated, strict=True)
        letters = "".join(p[0].upper() if gate else p[0] for p, gate in pairs)
        return cls(clip=clip, letters=letters, lag=lag)

    @property
    def paths(self) -> tuple[FramePath, ...]:
        """Each frame's path."""
        return tuple(_BY_LETTER[letter.lower()] for letter in self.letters)

    @property
    def gated(self) -> tuple[bool, ...]:
        """Whether the gate ran on each frame."""
        return tuple(letter.isupper() for letter in self.letters)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamLatency:
    """Latency over a whole stream of frames, each on the path that the policy gave it.

    `dropped_frames` is the share of camera frames that are overwritten in a one-frame buffer before
    they are read; `every_frame` tells whether no frame takes longer than the camera's period.
    `doubts` say why a measurement is unstable; none where it is stable, or nothing was measured.
    startup_ms: what the first frame of a stream waits for its keyframe where all others run in the
    background; it counts in no other figure. None where each keyframe is waited for.
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
        """1000 / mean latency of a frame in ms; infinite where no frame runs a graph."""
        return 1000.0 / self.mean_ms if self.mean_ms else math.inf
