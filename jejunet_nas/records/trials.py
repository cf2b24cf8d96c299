"""Trials: the results of a study's trials, and its history as all of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

from jejunet_nas.records.clips import DataFacts
from jejunet_nas.records.latencies import (
    PATHS,
    FeasibleRule,
    FramePath,
    FramePaths,
    LatencySource,
    PathLatencies,
    StreamLatency,
)
from jejunet_nas.records.networks import NetworkRecord
from jejunet_nas.records.scores import Score, Streamed, TemporalScore
from jejunet_nas.space.architecture import Architecture

ValidationRule = Literal["all", "half"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """The result of one architecture.

    own_frame_score, temporal: of each mask against its own frame, none dropped. on_prediction: the
    screen with predicted latencies; on_measurement: with those of `measured_graphs`, None until a
    phone has measured them and the masks are scored with them.
    """

    number: int
    architecture: Architecture
    network: NetworkRecord
    own_frame_score: Score
    temporal: TemporalScore
    on_prediction: Streamed
    on_measurement: Streamed | None = None
    measured_graphs: PathLatencies | None = None
    stage_s: dict[str, float]
    network_reused: bool  # its trained network existed already
    added: bool = False  # another policy of a drawn network; no sampler drew it

    @property
    def streamed(self) -> Streamed:
        """The screen that ranks the trial: with measured latencies if available, else predicted."""
        return self.on_measurement or self.on_prediction

    @property
    def score(self) -> Score:
        """The score that ranks the trial: the mIoU of what the screen shows, streaming mIoU."""
        return self.streamed.score

    @property
    def latency(self) -> StreamLatency:
        """The latency that ranks the trial: measured if available, else predicted."""
        return self.streamed.latency

    @property
    def walks(self) -> tuple[FramePaths, ...]:
        """The path of each frame of the validation clips on that screen."""
        return self.streamed.walks

    @property
    def predicted(self) -> StreamLatency:
        """The stream's predicted latency."""
        return self.on_prediction.latency

    @property
    def measured(self) -> StreamLatency | None:
        """The stream's latency by measured graphs; None before it is known."""
        return self.on_measurement.latency if self.on_measurement else None

    @property
    def motion_predicted(self) -> bool:
        """Whether the graphs are measured but not the motion that the policy follows."""
        return self.measured is not None and self.measured.source == "predicted"

    @property
    def graph_latencies(self) -> PathLatencies:
        """The latency of each graph that `latency` is computed from."""
        return self.measured_graphs or self.network.latencies

    @property
    def paths(self) -> dict[FramePath, float]:
        """Share of the frames that are not dropped on each path."""
        letters = "".join(walk.taken for walk in self.walks).lower()
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


def as_added(result: TrialResult) -> TrialResult:
    """Return `result` as that of a trial that no sampler drew, of a network that another made."""
    return dataclasses.replace(result, stage_s={}, network_reused=True, added=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The network of trial `number`, trained again with another seed, under the trial's policy.

    seed: of the training. network_id: of the new network. streamed: its screen, at the study's
    target, with latencies of the trial's source.
    """

    number: int
    seed: int
    network_id: str
    streamed: Streamed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTrial:
    """A network whose latency cannot meet the target under any policy: it was not trained.

    architecture: with the policy that comes nearest to the target.

    mean_ms, worst_ms, dropped_frames: lower bounds, as in `StreamLatency`.
    """

    number: int
    architecture: Architecture
    mean_ms: float
    worst_ms: float
    dropped_frames: float
    source: LatencySource
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FailedTrial:
    """A trial that failed, with the reason."""

    number: int
    architecture: Architecture | None  # None: it failed before one was sampled
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchedFor:
    """What a search aimed at, where its trials were scored again for something else.

    target_fps, device: of the search. asked: the options of a command that ask for the new score.
    """

    target_fps: float
    device: str
    asked: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastRoundPlan:
    """What a study's last round trains again: at most so many `contenders` at the target.

    above_steps: networks trained for no more steps are left out. until: see `LastRoundSettings`.
    """

    contenders: int
    above_steps: int = 0
    until: Literal["told_apart", "seeds"] = "told_apart"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyHistory:
    """All trials of a study so far, in the order of their numbers.

    feasible_rule: which trials meet the target. unscored: trials whose network was measured, but
    whose masks were not scored with the measured latencies yet: they count as predicted.
    spent_s: working seconds of each ended trial by its number, refused and failed trials included;
    empty where unknown. searched_for: None where the trials are scored as in the search. data: what
    was found out about the data before the first trial. repeats: further trainings of a trial's
    network, by the trial's number, in the order of their seeds. failed_repeats: why further
    trainings failed, by the trial's number and the seed. last_round: None without one.
    validation: the clips that the figure of the pick comes from: all, those of the pick too, or the
    half that it was not picked on.
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
    duplicates: int  # draws of a known network
    wanted: int = 0  # drawn trials that the study's file asks for
    feasible_rule: FeasibleRule = "no_drops"
    unscored: tuple[int, ...] = ()
    phone: str | None = None  # that measured trials; None before a measurement
    data: DataFacts = dataclasses.field(default_factory=DataFacts)
    spent_s: Mapping[int, float] = dataclasses.field(default_factory=dict)
    searched_for: SearchedFor | None = None
    repeats: Mapping[int, Sequence[Repeat]] = dataclasses.field(default_factory=dict)
    failed_repeats: Mapping[tuple[int, int], str] = dataclasses.field(default_factory=dict)
    last_round: LastRoundPlan | None = None
    validation: ValidationRule = "all"

    @property
    def drawn(self) -> tuple[TrialResult, ...]:
        """The complete trials that a sampler drew or the study starts with: one a network."""
        return tuple(trial for trial in self.complete if not trial.added)

    def __hash__(self) -> int:
        """Return a hash that is cheap for thousands of trials, for caches."""
        counts = len(self.complete), len(self.refused), len(self.failed)
        return hash((self.study, *counts, self.duplicates, self.target_fps, self.feasible_rule))
