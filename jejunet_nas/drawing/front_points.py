"""Front points: what a chart of the front shows, for `front` (PNG) and for the report's page.

Units: mIoU in per cent; ms a frame; frames a second.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.scoring.ranking import State, deadline_ms, front_of, states

_LOG_FROM_RATIO = 5.0  # a linear axis would crowd its left end
_DECADES = tuple(10.0**power for power in range(-3, 6))
_ROUNDEST_FIRST = (1, 5, 2, 3, 7, 1.5, 4, 6, 2.5, 8, 9, 3.5, 4.5)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Trials as points, one item a trial in each list. whole: every frame is a keyframe."""

    numbers: list[int]
    ms: list[float]
    miou_pct: list[float]
    whole: list[bool]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoints:
    """All that is drawn of one study.

    by_state: complete trials; those of the front fastest first. stairs: the front as (ms, mIoU)
    corners that end at the target. predictions: (predicted ms, measured ms, mIoU) of the front's
    measured trials. refused: number and least ms. latencies: all that the axis must hold.
    """

    by_state: dict[State, Points]
    stairs: list[tuple[float, float]]
    predictions: list[tuple[float, float, float]]
    refused: list[tuple[int, float]]
    latencies: list[float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LatencyAxis:
    """An axis from `low` to `high` ms, with a margin on both sides; logarithmic or linear."""

    low: float
    high: float
    logarithmic: bool

    def place(self, ms: float) -> float:
        """Return the position of a latency between the left end (0) and the right end (1)."""
        if self.logarithmic:
            return math.log(ms / self.low) / math.log(self.high / self.low)
        return (ms - self.low) / (self.high - self.low)

    def ticks_ms(self, gap: float) -> list[float]:
        """Return round latencies that are at least `gap` of the axis apart."""
        return _spread(self.low, self.high, self.place, gap)

    def ticks_fps(self, gap: float) -> list[float]:
        """Return round rates that are at least `gap` of the axis apart."""
        return _spread(1000 / self.high, 1000 / self.low, lambda fps: self.place(1000 / fps), gap)


def points_of(trials: Sequence[TrialResult]) -> Points:
    """Return `trials` as points, in their order."""
    return Points(
        numbers=[trial.number for trial in trials],
        ms=[trial.latency.mean_ms for trial in trials],
        miou_pct=[100 * trial.score.miou for trial in trials],
        whole=[not trial.architecture.policy.spares_frames for trial in trials],
    )


def front_points(history: StudyHistory) -> FrontPoints:
    """Return the content of a chart of the front of `history`."""
    deadline, state, front = deadline_ms(history), states(history), front_of(history)[::-1]
    trials: dict[State, list[TrialResult]] = {"front": front, "dominated": [], "over target": []}
    for trial in history.complete:
        if state[trial.number] != "front":
            trials[state[trial.number]].append(trial)
    by_state = {name: points_of(found) for name, found in trials.items()}
    corners = [(trial.latency.mean_ms, 100 * trial.score.miou) for trial in front]
    return FrontPoints(
        by_state=by_state,
        stairs=[*corners, *((deadline, miou) for _, miou in corners[-1:])],
        predictions=[
            (trial.predicted.mean_ms, *corner)
            for trial, corner in zip(front, corners, strict=True)
            if trial.measured
        ],
        refused=[(trial.number, trial.mean_ms) for trial in history.refused],
        latencies=[
            deadline,
            *(trial.latency.mean_ms for trial in history.complete),
            *(trial.mean_ms for trial in history.refused),
            *(trial.predicted.mean_ms for trial in front),
        ],
    )


def axis_of(latencies: Sequence[float]) -> LatencyAxis:
    """Return the axis that holds all `latencies`, logarithmic where they differ much."""
    low, high = min(latencies), max(latencies)
    if high > _LOG_FROM_RATIO * low:
        margin = (high / low) ** 0.08
        return LatencyAxis(low=low / margin, high=high * margin, logarithmic=True)
    margin = max(0.1 * (high - low), 0.2 * low)
    return LatencyAxis(low=low - margin, high=high + margin, logarithmic=False)


def _spread(low: float, high: float, place: Callable[[float], float], gap: float) -> list[float]:
    kept: dict[float, float] = {}
    for lead, decade in itertools.product(_ROUNDEST_FIRST, _DECADES):
        tick = lead * decade
        if low <= tick <= high and all(abs(place(tick) - at) > gap for at in kept.values()):
            kept[tick] = place(tick)
    return sorted(kept)
