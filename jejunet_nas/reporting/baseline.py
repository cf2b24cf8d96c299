"""Baseline: a study's front compared with a reference design.

A baseline is a study too, such as `davis_seed_baseline`: the design at several resolutions, trained
with the same steps on the same data. Each of its complete trials is compared with the front of the
study at its target, whether or not the baseline trial meets a target.

Units: mIoU in [0, 1], in per cent and points within sentences; ms a frame; frames a second.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal

from jejunet_nas.records import LatencySource, StudyHistory, TrialResult, ValidationRule
from jejunet_nas.records.words import input_words, latency_words, per_cent, points
from jejunet_nas.reporting.attainment import require_comparable
from jejunet_nas.reporting.held_out import TURN_ON
from jejunet_nas.scoring.bootstrap import (
    Difference,
    Interval,
    miou_difference,
    miou_interval,
    trainings_difference,
)
from jejunet_nas.scoring.held_out import cross_where_possible, matched
from jejunet_nas.scoring.noise import pooled, seed_noise
from jejunet_nas.scoring.ranking import front_of

HeldOutBy = Literal["clips", "trainings"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The figures of one trial. interval: of its mIoU; None where there is only one clip."""

    trial: int
    name: str  # its input, such as `256 px`
    miou: float
    interval: Interval | None
    mean_ms: float
    sustained_fps: float
    dropped_frames: float
    source: LatencySource


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The front compared with one baseline trial.

    best: the front's best mIoU minus the baseline's, held out where the answer says so. as_good:
    the fastest front trial with at least the baseline's mIoU; surely: the fastest with a
    significant gain. None where there is no such trial.
    """

    baseline: Standing
    best: Difference | None
    as_good: Standing | None
    surely: Standing | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaselineAnswer:
    """The front compared with each trial of a baseline, the baseline's fastest first.

    best: the front's best mIoU; None where no trial meets the target. held_out: how the differences
    of the best were made; None where they come from what it was picked by. validation: of the
    study. seeds: whether their intervals hold training seeds.
    """

    study: str
    baseline: str
    target_fps: float
    latency: str  # its source in words
    best: Standing | None
    against: tuple[Against, ...]
    held_out: HeldOutBy | None
    validation: ValidationRule
    seeds: bool


@functools.lru_cache(maxsize=2)  # page, tables and summary use the same one
def answer(history: StudyHistory, baseline: StudyHistory) -> BaselineAnswer:
    """Return the comparison of the front of `history` with every complete trial of `baseline`.

    Raises `SettingError` where data, device or scored clips differ. Latency sources may differ.
    """
    require_comparable([history, baseline], one_source=False)
    front = front_of(history)
    trials = sorted(baseline.complete, key=lambda trial: (trial.latency.mean_ms, trial.number))
    crossed = cross_where_possible(history)
    noise = pooled(*(seed_noise(each.complete, each.repeats) for each in (history, baseline)))

    def minus(trial: TrialResult) -> Difference | None:
        if crossed is None:
            return miou_difference(front[0].score.clips, trial.score.clips) if front else None
        return trainings_difference(crossed.trainings, matched(trial, baseline, crossed), noise)

    return BaselineAnswer(
        study=history.study,
        baseline=baseline.study,
        target_fps=history.target_fps,
        latency=latency_words(history),
        best=_standing(front[0]) if front else None,
        against=tuple(_against(trial, front, minus(trial)) for trial in trials),
        held_out=None if crossed is None else "clips" if crossed.split else "trainings",
        validation=history.validation,
        seeds=crossed is not None and noise.freedom > 0,
    )


def _against(trial: TrialResult, front: Sequence[TrialResult], best: Difference | None) -> Against:
    differences = [miou_difference(each.score.clips, trial.score.clips) for each in front]
    # The front is ordered from the best to the fastest.
    as_good = [each for each in front if each.score.miou >= trial.score.miou]
    surely = [
        each
        for each, difference in zip(front, differences, strict=True)
        if difference.is_significant_gain
    ]
    return Against(
        baseline=_standing(trial),
        best=best,
        as_good=_standing(as_good[-1]) if as_good else None,
        surely=_standing(surely[-1]) if surely else None,
    )


def _standing(trial: TrialResult) -> Standing:
    return Standing(
        trial=trial.number,
        name=input_words(trial.architecture.network),
        miou=trial.score.miou,
        interval=miou_interval(trial.score.clips),
        mean_ms=trial.latency.mean_ms,
        sustained_fps=trial.latency.sustained_fps,
        dropped_frames=trial.latency.dropped_frames,
        source=trial.latency.source,
    )


def caveat(answer: BaselineAnswer) -> str:
    """Return how the differences were tested, and what their intervals leave out."""
    over = "the validation clips and training seeds" if answer.seeds else "the validation clips"
    said = f"Differences are tested with a paired bootstrap over {over} (95 % confidence intervals)"
    if answer.held_out is None:
        said = (
            f"{said}. The front was picked on the same clips: this selection bias favours the "
            "front, and the intervals do not account for it, nor for other training seeds."
        )
        if answer.validation == "half":
            return said
        return (
            f"{said} With {TURN_ON} in the study's file, the difference comes from clips that the "
            "front was not picked on."
        )
    by = "on the other half of the clips" if answer.held_out == "clips" else "by other trainings"
    seeds = "" if answer.seeds else " The intervals do not hold training seeds."
    return (
        f"{said}. Differences marked as held out are of what was picked {by}.{seeds} The fastest "
        "front trials are not held out: selection bias favours them."
    )


def sentences(answer: BaselineAnswer) -> list[str]:
    """Return the comparison in words: the front's best, then one line a baseline trial."""
    target = f"{answer.target_fps:g} fps"
    if answer.best is None:
        return [f"No trial of {answer.study} meets {target}, so there is nothing to compare."]
    first = (
        f"At {target} ({answer.latency}), the best of {answer.study} is "
        f"trial {answer.best.trial} with {_words(answer.best)}."
    )
    if not answer.against:
        return [first, f"{answer.baseline} has no complete trial yet."]
    return [first, *(_sentence(against, answer) for against in answer.against)]


def difference_words(difference: Difference) -> str:
    """Return, say, `+0.6 points, not significant (95 %: -1.8 to +2.7)`."""
    amount = f"{points(difference.miou)} points"
    if difference.interval is None:
        return f"{amount} (one clip gives no confidence interval)"
    low, high = points(difference.interval.low), points(difference.interval.high)
    verdict = "significant" if difference.is_significant else "not significant"
    return f"{amount}, {verdict} (95 %: {low} to {high})"


def _sentence(against: Against, answer: BaselineAnswer) -> str:
    assert against.best is not None, "the front has a best trial"
    as_good, surely = against.as_good, against.surely
    how = ", held out," if answer.held_out else ""
    words = [
        f"Trial {against.baseline.trial} of {answer.baseline}, at {against.baseline.name}, has "
        f"{_words(against.baseline)}.",
        f"The best of the front{how} differs by {difference_words(against.best)}.",
    ]
    if as_good is None:
        return " ".join([*words, "No front trial reaches this mIoU."])
    speed = times_as_fast(as_good, against.baseline)
    words.append(
        f"The fastest front trial with at least this mIoU is {_short(as_good)}"
        f"{f', {speed}' if speed else ''}."
    )
    if surely is None:
        words.append("No front trial has a significant gain.")
    elif surely.trial == as_good.trial:
        words.append("Its gain is significant.")
    else:
        words.append(f"The fastest with a significant gain is {_short(surely)}.")
    return " ".join(words)


def times_as_fast(ours: Standing, theirs: Standing) -> str:
    """Return the ratio of the latencies in words; empty where their sources differ."""
    if ours.source != theirs.source or not ours.mean_ms:
        return ""
    times = theirs.mean_ms / ours.mean_ms
    return f"{times:.1f} times as fast" if times >= 1 else f"{1 / times:.1f} times as slow"


def _short(standing: Standing) -> str:
    return (
        f"trial {standing.trial} ({per_cent(standing.miou)} % in {standing.mean_ms:.1f} ms, "
        f"{standing.source})"
    )


def _words(standing: Standing) -> str:
    interval = " (one clip gives no confidence interval)"
    if standing.interval:
        low, high = standing.interval.low, standing.interval.high
        interval = f" (95 %: {per_cent(low)} to {per_cent(high)})"
    return (
        f"{per_cent(standing.miou)} % mIoU{interval} in "
        f"{standing.mean_ms:.1f} ms a frame, {standing.sustained_fps:.1f} fps ({standing.source}), "
        f"{per_cent(standing.dropped_frames)} % of frames dropped"
    )
