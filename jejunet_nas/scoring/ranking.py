"""Ranking: feasible trials of a study, its Pareto front, and the trial nearest to the target.

A trial is feasible if its mean latency is within the time of a frame at the target; the front is
the Pareto front of the feasible trials.

Units: mIoU in [0, 1], latency in ms a frame.
"""

import functools
from typing import Literal

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import architecture_words
from jejunet_nas.scoring.front import Point, knee, pareto_front, reference_point

Pick = Literal["best", "knee", "fastest"]
State = Literal["front", "dominated", "over target", "refused", "failed"]


def deadline_ms(history: StudyHistory) -> float:
    """Return the time of one frame at the target."""
    return reference_point(history.target_fps)[1]


def feasible(history: StudyHistory) -> list[TrialResult]:
    """Return the complete trials whose mean latency meets the target, by number."""
    return [*_ranked(history)[0]]


def front_of(history: StudyHistory) -> list[TrialResult]:
    """Return the Pareto front of the feasible trials, best mIoU first."""
    return [*_ranked(history)[1]]


def picks(history: StudyHistory) -> dict[Pick, TrialResult]:
    """Return the best, the knee and the fastest of the front; empty without a front."""
    front = front_of(history)
    if not front:
        return {}
    return {"best": front[0], "knee": front[knee(list(map(point_of, front)))], "fastest": front[-1]}


@functools.lru_cache(maxsize=2)  # a report calls it some forty times
def _ranked(history: StudyHistory) -> tuple[tuple[TrialResult, ...], tuple[TrialResult, ...]]:
    deadline = deadline_ms(history)
    trials = tuple(trial for trial in history.complete if trial.latency.mean_ms <= deadline)
    front = pareto_front([point_of(trial) for trial in trials])
    return trials, tuple(trials[index] for index in front)


def states(history: StudyHistory) -> dict[int, State]:
    """Return the state of each trial by its number."""
    found: dict[int, State] = {trial.number: "over target" for trial in history.complete}
    found |= {trial.number: "dominated" for trial in feasible(history)}
    found |= {trial.number: "front" for trial in front_of(history)}
    found |= {trial.number: "refused" for trial in history.refused}
    found |= {trial.number: "failed" for trial in history.failed}
    return dict(sorted(found.items()))


def best_feasible(history: StudyHistory, *, video: bool) -> TrialResult | None:
    """Return the feasible trial with the best mIoU, with or without frames between keyframes.

    Of equal mIoUs the faster trial wins; None where no such trial is feasible.
    """
    trials = [
        trial for trial in feasible(history) if trial.architecture.policy.spares_frames == video
    ]
    return max(trials, key=lambda t: (t.score.miou, -t.latency.mean_ms), default=None)


def nearest_to_target(history: StudyHistory) -> str | None:
    """Return a sentence on the trial nearest to the target, where no trial meets it.

    Refused trials are considered only if no trial is complete. None where a trial meets the target
    or no latency is known.
    """
    if front_of(history):
        return None
    trials = [(t.latency.mean_ms, t.number, t.architecture, "takes") for t in history.complete]
    if not trials:
        trials = [(t.mean_ms, t.number, t.architecture, "takes at least") for t in history.refused]
    if not trials:
        return None
    mean_ms, number, architecture, takes = min(trials, key=lambda trial: trial[:2])
    over_ms, short_fps = mean_ms - deadline_ms(history), history.target_fps - 1000 / mean_ms
    target = f"{history.target_fps:g} fps ({deadline_ms(history):.1f} ms a frame)"
    return (
        f"No architecture meets {target}; trial {number} ({architecture_words(architecture)}) "
        f"comes nearest: it {takes} {mean_ms:.1f} ms, {1000 / mean_ms:.1f} fps, which is "
        f"{over_ms:.3g} ms too slow and {short_fps:.3g} fps short."
    )


def point_of(trial: TrialResult) -> Point:
    """Return the mIoU and the mean latency of a trial."""
    return (trial.score.miou, trial.latency.mean_ms)
