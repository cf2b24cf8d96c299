"""Ranking: feasible trials of a study, its Pareto front, and the trial nearest to the target.

A trial is feasible if it keeps up with a camera at the target's rate, by the study's rule, see
`REQUIREMENTS`. The front is the Pareto front of the feasible trials.

Units: mIoU in [0, 1], latency in ms a frame.
"""

import functools
from typing import Literal, TypeAlias

from jejunet_nas.records import (
    FeasibleRule,
    RefusedTrial,
    StreamLatency,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.records.words import architecture_words, counted, drop_words, per_cent
from jejunet_nas.scoring.front import Point, knee, pareto_front, reference_point
from jejunet_nas.scoring.repeats import pick_of
from jejunet_nas.space.architecture import Architecture

RULES: dict[FeasibleRule, str] = {
    "no_drops": "without a dropped frame",
    "every_frame": "on every frame",
    "mean": "in the mean",
}
REQUIREMENTS: dict[FeasibleRule, str] = {
    "no_drops": "no frame is dropped, and the mean latency is at most the time between two frames",
    "every_frame": "no frame takes longer than the time between two frames",
    "mean": "the mean latency is at most the time between two frames",
}
Timed: TypeAlias = StreamLatency | PolicyRow | RefusedTrial  # figures of the last: lower bounds
Pick = Literal["best", "knee", "fastest"]
State = Literal["front", "dominated", "over target", "refused", "failed"]


def over_target_ms(timed: Timed, rule: FeasibleRule, target_fps: float) -> float:
    """Return by how many ms a frame a stream misses the target; 0 or less if it is feasible.

    With `no_drops` dropped frames count with the time of a frame, as a share of all. A mean over
    the time of a frame is infeasible too: on a longer clip frames would be dropped.
    """
    deadline = reference_point(target_fps)[1]
    match rule:
        case "mean":
            return timed.mean_ms - deadline
        case "every_frame":
            return timed.worst_ms - deadline
        case "no_drops":
            return max(timed.mean_ms - deadline, timed.dropped_frames * deadline)


def verdict_words(timed: Timed, rule: FeasibleRule, target_fps: float) -> str:
    """Return `meets the target`, or say `misses the target (mean 6.8 ms over 6.7 ms)`."""
    missed = miss_words(timed, rule, target_fps)
    return f"misses the target ({missed})" if missed else "meets the target"


def miss_words(timed: Timed, rule: FeasibleRule, target_fps: float) -> str:
    """Return why a stream misses the target, say `mean 6.8 ms over 6.7 ms`; empty if it meets it.

    Both reasons are named where frames are dropped and the mean is over the time of a frame.
    """
    if over_target_ms(timed, rule, target_fps) <= 0:
        return ""
    if rule == "every_frame":
        return _over_words("worst frame", timed.worst_ms, target_fps)
    said = []
    if rule == "no_drops" and timed.dropped_frames > 0:
        digits = 1 if timed.dropped_frames >= 0.001 else 3
        said.append(f"{per_cent(timed.dropped_frames, digits)} % of frames dropped")
    if timed.mean_ms > reference_point(target_fps)[1]:
        said.append(_over_words("mean", timed.mean_ms, target_fps))
    return ", ".join(said)


def _over_words(what: str, ms: float, target_fps: float) -> str:
    """Return, say, `mean 6.8 ms over 6.7 ms`, with as many digits as tell the two apart."""
    deadline = reference_point(target_fps)[1]
    digits = next((n for n in (1, 2, 3) if f"{ms:.{n}f}" != f"{deadline:.{n}f}"), 6)
    return f"{what} {ms:.{digits}f} ms over {deadline:.{digits}f} ms"


def deadline_ms(history: StudyHistory) -> float:
    """Return the time of one frame at the target."""
    return reference_point(history.target_fps)[1]


def feasible(history: StudyHistory) -> list[TrialResult]:
    """Return the complete trials that meet the target, by number."""
    return [*_ranked(history)[0]]


def front_of(history: StudyHistory) -> list[TrialResult]:
    """Return the Pareto front of the feasible trials, best mIoU first."""
    return [*_ranked(history)[1]]


def shown_of_front(history: StudyHistory, most: int) -> list[TrialResult]:
    """Return about `most` trials of a long front: its ends, its picks, and evenly between."""
    front = front_of(history)
    if len(front) <= most:
        return front
    step = (len(front) - 1) / (most - 1)
    shown = [*picks(history).values(), *(front[round(step * n)] for n in range(most))]
    numbers = {trial.number for trial in shown}
    return [trial for trial in front if trial.number in numbers]


def picks(history: StudyHistory) -> dict[Pick, TrialResult]:
    """Return the best, the knee and the fastest of the front; empty without a front.

    Where the contenders were trained again, the best is that with the best mean of its trainings.
    """
    front = front_of(history)
    if not front:
        return {}
    best = _pick(history) or front[0]
    return {"best": best, "knee": front[knee(list(map(point_of, front)))], "fastest": front[-1]}


def roles(trial: TrialResult, history: StudyHistory) -> list[Pick]:
    """Return which picks a trial is, for display.

    The only trial of a front is its best and no more. A knee is named only between two ends.
    """
    found = picks(history)
    own: list[Pick] = [role for role, pick in found.items() if pick is trial]
    if found.get("best") is found.get("fastest"):
        return own[:1]
    return [role for role in own if role != "knee" or len(own) == 1]


@functools.lru_cache(maxsize=2)
def _pick(history: StudyHistory) -> TrialResult | None:
    return pick_of(_ranked(history)[0], history.repeats) if history.repeats else None


@functools.lru_cache(maxsize=2)  # a report calls it some forty times
def _ranked(history: StudyHistory) -> tuple[tuple[TrialResult, ...], tuple[TrialResult, ...]]:
    trials = tuple(trial for trial in history.complete if _over_ms(trial.latency, history) <= 0)
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
    trials: list[tuple[Timed, int, Architecture, str]]
    trials = [(t.latency, t.number, t.architecture, "") for t in history.complete]
    if not trials:
        trials = [(t, t.number, t.architecture, "at least ") for t in history.refused]
    if not trials:
        return None
    timed, number, architecture, least = min(
        trials, key=lambda trial: (_over_ms(trial[0], history), trial[0].mean_ms, trial[1])
    )
    target = f"{history.target_fps:g} fps ({deadline_ms(history):.1f} ms a frame)"
    fps, over_ms, gap = 1000 / timed.mean_ms, timed.mean_ms - deadline_ms(history), ""
    if over_ms > 0:
        short_fps = history.target_fps - fps
        gap = f", which is {over_ms:.3g} ms too slow and {short_fps:.3g} fps short"
    tried = f"{len(history.drawn)} trained, {len(history.refused)} refused before training"
    return (
        f"No architecture that was tried ({tried}) meets {target} "
        f"{rule_words(history)}; trial {number} "
        f"({architecture_words(architecture)}) comes nearest: it takes {least}"
        f"{timed.mean_ms:.1f} ms, {fps:.1f} fps{gap}; {drop_words(timed)}."
    )


def searched_words(history: StudyHistory) -> str | None:
    """Return how trials that were scored again differ from the search; None for its own scores."""
    was = history.searched_for
    if was is None:
        return None
    device = "" if was.device == history.device else f" on {was.device}"
    said = (
        "Scored again without training, from the networks of a search for "
        f"{was.target_fps:g} fps{device}."
    )
    if history.refused:
        refused = counted(len(history.refused), "untrained architecture")
        now = sum(_over_ms(trial, history) <= 0 for trial in history.refused)
        said += (
            f" {refused}, refused by that search, cannot be scored; by prediction "
            f"{now or 'none'} of them may meet {history.target_fps:g} fps."
        )
    if len(history.drawn) < len(history.complete):
        said += (
            " Only policies that the search kept are scored; jejunet-nas policies compares all of "
            "a network."
        )
    return said


def _over_ms(timed: Timed, history: StudyHistory) -> float:
    return over_target_ms(timed, history.feasible_rule, history.target_fps)


def rule_words(history: StudyHistory) -> str:
    """Return how a trial meets the target, say `without a dropped frame`."""
    return RULES[history.feasible_rule]


def point_of(trial: TrialResult) -> Point:
    """Return the streaming mIoU and the mean latency of a trial."""
    return (trial.score.miou, trial.latency.mean_ms)
