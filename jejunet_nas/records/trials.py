"""Trials: the results of a study's trials, and its history as all of them."""

import dataclasses
from collections.abc import Mapping

from jejunet_nas.records.latencies import (
    PATHS,
    FramePath,
    FramePaths,
    LatencySource,
    PathLatencies,
    StreamLatency,
)
from jejunet_nas.records.networks import NetworkRecord
from jejunet_nas.records.scores import Score, TemporalScore
from jejunet_nas.space.architecture import Architecture


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """The result of one architecture.

    walks: the paths of the validation clips; with latencies of graphs they give that of the stream.
    predicted: the stream's latency before a measurement; measured: from `measured_graphs`, None
    until the phone has measured them.
    """

    number: int
    architecture: Architecture
    network: NetworkRecord
    score: Score
    temporal: TemporalScore
    walks: tuple[FramePaths, ...]
    predicted: StreamLatency
    measured: StreamLatency | None = None
    measured_graphs: PathLatencies | None = None
    stage_s: dict[str, float]
    network_reused: bool  # its trained network existed already

    @property
    def latency(self) -> StreamLatency:
        """The latency that ranks the trial: measured if available, else predicted."""
        return self.measured or self.predicted

    @property
    def graph_latencies(self) -> PathLatencies:
        """The latency of each graph that `latency` is computed from."""
        return self.measured_graphs or self.network.latencies

    @property
    def paths(self) -> dict[FramePath, float]:
        """Share of frames on each path."""
        letters = "".join(walk.letters for walk in self.walks).lower()
        return {path: letters.count(path[0]) / max(1, len(letters)) for path in PATHS}

    @property
    def network_id(self) -> str:
        """The id of the network, which names its folder."""
        return self.network.network_id

    @property
    def float_miou(self) -> float:
        """The float network's mIoU on the checked frames, each a keyframe."""
        return self.network.float_miou

    @property
    def int8_miou(self) -> float:
        """The int8 network's mIoU on the same frames."""
        return self.network.int8_miou


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTrial:
    """An architecture whose latency cannot meet the target: no training was spent on it."""

    number: int
    architecture: Architecture
    mean_ms: float  # lower bound
    source: LatencySource
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FailedTrial:
    """A trial that failed, with the reason."""

    number: int
    architecture: Architecture | None  # None: it failed before one was sampled
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyHistory:
    """All trials of a study so far, in the order of their numbers.

    spent_s: working seconds of each ended trial by its number, refused and failed trials included;
    empty where unknown.
    """

    study: str
    dataset: str
    class_names: tuple[str, ...]
    target_fps: float
    device: str  # the phone whose latency counts
    latency_source: LatencySource
    threads: int
    complete: tuple[TrialResult, ...]
    refused: tuple[RefusedTrial, ...]
    failed: tuple[FailedTrial, ...]
    duplicates: int  # samples of a known architecture
    phone: str | None = None  # that measured trials; None before a measurement
    spent_s: Mapping[int, float] = dataclasses.field(default_factory=dict)

    def __hash__(self) -> int:
        """Return a hash that is cheap for thousands of trials, for caches."""
        counts = len(self.complete), len(self.refused), len(self.failed)
        return hash((self.study, *counts, self.duplicates, self.target_fps))
