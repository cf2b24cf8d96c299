"""Trials: how each of a study ended, and the study's history as all of them."""

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
    """What is known about one architecture in the end.

    walks: the paths of the validation clips, from which any graphs' latencies make a stream's.
    predicted: the stream's latency before anything was measured; measured: on the phone, once it
    was, as `measured_graphs` make it.
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
    network_reused: bool  # its network was found trained

    @property
    def latency(self) -> StreamLatency:
        """What the trial is ranked by: measured where it was, predicted where it was not."""
        return self.measured or self.predicted

    @property
    def graph_latencies(self) -> PathLatencies:
        """What `latency` is made of: of each graph, from the same source."""
        return self.measured_graphs or self.network.latencies

    @property
    def paths(self) -> dict[FramePath, float]:
        """Share of frames on each path."""
        letters = "".join(walk.letters for walk in self.walks).lower()
        return {path: letters.count(path[0]) / len(letters) for path in PATHS}

    @property
    def network_id(self) -> str:
        """The name of the network under which its files are kept."""
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
    mean_ms: float  # the least it can take a frame
    source: LatencySource
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FailedTrial:
    """A trial that broke, with the reason."""

    number: int
    architecture: Architecture | None  # None: it broke before one was drawn
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyHistory:
    """All that a study has found so far, trials in the order of their numbers.

    spent_s: the working seconds of each trial that ended, refused and failed ones too, by its
    number; empty where nobody noted them.
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
    duplicates: int  # draws of an architecture that was known already
    phone: str | None = None  # on which trials were measured; None: none was
    spent_s: Mapping[int, float] = dataclasses.field(default_factory=dict)

    def __hash__(self) -> int:
        """Return a hash that costs nothing with thousands of trials: what is found out is kept."""
        counts = len(self.complete), len(self.refused), len(self.failed)
        return hash((self.study, *counts, self.duplicates, self.target_fps))
