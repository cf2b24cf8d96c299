"""Front points: what a chart of the front shows, for `front` (PNG) and for the report's page.

Units: mIoU in per cent; ms a frame; frames a second.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.scoring.ranking import State, deadline_ms, front_of, states

_LOG_FROM_RATIO = 5.0  # a linear axis would crowd its left end
_DECADES = tuple(10.0**power for power in range(-3, 6))
_ROUNDEST_FIRST = (1, 5, 2, 3, 7, 1.5, 4, 6, 2.5, 8, 9, 3.5, 4.5)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Trials as points, one item a trial in each tuple. whole: every frame is a keyframe."""

    numbers: tuple[int, ...]
    ms: tuple[float, ...]
    miou_pct: tuple[float, ...]
    whole: tuple[bool, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoints:
    """All that is drawn of one study.

    by_state: complete trials; those of the front fastest first. stairs: the front as (ms, mIoU)
    corners that end at the target. predictions: (predicted ms, measured ms, mIoU) of the front's
    measured trials. refused: number and least ms. latencies: all that the axis must hold.
    """

    by_state: dict[State, Points]
    stairs: tuple[tuple[float, float], ...]
    predictions: tuple[tuple[float, float, float], ...]
    refused: tuple[tuple[int, float], ...]
    latencies: tuple[float, ...]


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


def points_of(trials: Iterable[TrialResult]) -> Points:
    """Return `trials` as points, in their order."""
    known = tuple(trials)
    return Points(
        numbers=tuple(trial.number for trial in known),
        ms=tuple(trial.latency.mean_ms for trial in known),
        miou_pct=tuple(100 * trial.score.miou for trial in known),
        whole=tuple(not trial.architecture.policy.spares_frames for trial in known),
    )


def front_points(history: StudyHistory) -> FrontPoints:
    """Return what a chart of the front of `history` shows."""
    deadline, state, front = deadline_ms(history), states(history), front_of(history)[::-1]
    trials: dict[State, list[TrialResult]] = {"front": front, "dominated": [], "over target": []}
    for trial in history.complete:
        if state[trial.number] != "front":
            trials[state[trial.number]].append(trial)
    by_state = {name: points_of(found) for name, found in trials.items() if found}
    corners = [(trial.latency.mean_ms, 100 * trial.score.miou) for trial in front]
    refused = tuple((trial.number, trial.mean_ms) for trial in history.refused)
    return FrontPoints(
        by_state=by_state,
        stairs=(*corners, (deadline, corners[-1][1])) if corners else (),
        predictions=tuple(
            (trial.predicted.mean_ms, *corner)
            for trial, corner in zip(front, corners, strict=True)
            if trial.measured
        ),
        refused=refused,
        latencies=(
            deadline,
            *(ms for points in by_state.values() for ms in points.ms),
            *(ms for _, ms in refused),
            *(trial.predicted.mean_ms for trial in front),
        ),
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
