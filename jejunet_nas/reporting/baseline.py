"""Baseline: is a study's front at least as good as a design that was there before, and how surely.

A baseline is a study of its own, such as `davis_seed_baseline`: the design at several resolutions,
trained with the same steps on the same data. Each of its complete trials is asked about, whether or
not it meets a target; of the study, the front at its target answers.

Differences are paired over the clips that both were scored on, with a bootstrap interval over clips
(`scoring.bootstrap`). What another training seed would change is not in it, nor that the front is
the best of many trials on the same clips.

Units: mIoU in [0, 1], in per cent and points within sentences; ms a frame; frames a second.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

from jejunet_nas.records import LatencySource, StudyHistory, TrialResult
from jejunet_nas.records.words import latency_words, per_cent
from jejunet_nas.reporting.attainment import require_comparable
from jejunet_nas.scoring.bootstrap import Difference, Interval, miou_difference, miou_interval
from jejunet_nas.scoring.ranking import front_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one trial reaches. interval: of its mIoU; None where there is one clip only."""

    trial: int
    name: str  # its input, such as `256 px`
    miou: float
    interval: Interval | None
    mean_ms: float
    sustained_fps: float
    source: LatencySource


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One baseline trial, and how the front stands to it.

    best: by how much the front's best mIoU is above it. as_good: the fastest front trial whose mIoU
    is at least its own; surely: the fastest that is better by the whole interval. None where no
    front trial is.
    """

    baseline: Standing
    best: Difference | None
    as_good: Standing | None
    surely: Standing | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaselineAnswer:
    """How a front stands to each trial of a baseline, the baseline's fastest first.

    best: the front's best mIoU; None where nothing meets the target.
    """

    study: str
    baseline: str
    target_fps: float
    latency: str  # where latencies come from, in words
    best: Standing | None
    against: tuple[Against, ...]


@functools.lru_cache(maxsize=2)  # page, tables and summary ask for the same one
def answer(history: StudyHistory, baseline: StudyHistory) -> BaselineAnswer:
    """Return how the front of `history` stands to every complete trial of `baseline`.

    Raises `SettingError` where data or device differ, or the clips that were scored. Latencies may
    be known in different ways: each says in which.
    """
    require_comparable([history, baseline], one_source=False)
    front = front_of(history)
    trials = sorted(baseline.complete, key=lambda trial: (trial.latency.mean_ms, trial.number))
    return BaselineAnswer(
        study=history.study,
        baseline=baseline.study,
        target_fps=history.target_fps,
        latency=latency_words(history),
        best=_standing(front[0]) if front else None,
        against=tuple(_against(trial, front) for trial in trials),
    )


def _against(trial: TrialResult, front: Sequence[TrialResult]) -> Against:
    fastest_first = sorted(front, key=lambda each: each.latency.mean_ms)
    as_good = (each for each in fastest_first if each.score.miou >= trial.score.miou)
    surely = (each for each in fastest_first if _difference(each, trial).is_surely_positive)
    return Against(
        baseline=_standing(trial),
        best=_difference(front[0], trial) if front else None,
        as_good=_first(as_good),
        surely=_first(surely),
    )


def _difference(ours: TrialResult, theirs: TrialResult) -> Difference:
    return miou_difference(ours.score.clips, theirs.score.clips)


def _first(trials: Iterator[TrialResult]) -> Standing | None:
    found = next(trials, None)
    return _standing(found) if found else None


def _standing(trial: TrialResult) -> Standing:
    network = trial.architecture.network
    height, width = network.input_height, network.input_width
    return Standing(
        trial=trial.number,
        name=f"{width} px" if height == width else f"{width}x{height} px",
        miou=trial.score.miou,
        interval=miou_interval(trial.score.clips),
        mean_ms=trial.latency.mean_ms,
        sustained_fps=trial.latency.sustained_fps,
        source=trial.latency.source,
    )


CAVEAT = (
    "Differences are paired over the validation clips; the interval holds 95 of 100 redraws of "
    "them. Another training seed is not in it, nor that the front was picked on these clips."
)


def sentences(answer: BaselineAnswer) -> list[str]:
    """Return the answer in plain English: the front's best, then one line a baseline trial."""
    target = f"{answer.target_fps:g} fps"
    if answer.best is None:
        return [f"No trial of {answer.study} meets {target}: nothing stands against the baseline."]
    first = f"At {target} ({answer.latency}), the best of {answer.study} is {_words(answer.best)}."
    if not answer.against:
        return [first, f"{answer.baseline} has no complete trial yet."]
    return [first, *map(_sentence, answer.against)]


def _sentence(against: Against) -> str:
    assert against.best is not None, "the front has a best trial"
    words = [
        f"The baseline at {against.baseline.name} is {_words(against.baseline)}: "
        f"the front's best is {_verdict(against.best)}."
    ]
    as_good, surely = against.as_good, against.surely
    if as_good:
        words.append(
            f"The fastest front trial at least as good is {as_good.trial}, with "
            f"{per_cent(as_good.miou)} % in {as_good.mean_ms:.1f} ms ({as_good.source})"
            f"{_times_as_fast(as_good, against.baseline)}."
        )
    if surely and as_good and surely.trial == as_good.trial:
        words.append("It is surely better.")
    elif surely:
        words.append(
            f"The fastest that is surely better is {surely.trial}, with "
            f"{per_cent(surely.miou)} % in {surely.mean_ms:.1f} ms ({surely.source})."
        )
    elif as_good:
        words.append("None is surely better.")
    else:
        words.append("No front trial is as good.")
    return " ".join(words)


def _times_as_fast(ours: Standing, theirs: Standing) -> str:
    """Return how much faster ours is, where both latencies are known in one way."""
    if ours.source != theirs.source or not ours.mean_ms:
        return ""
    times = theirs.mean_ms / ours.mean_ms
    return f", {times:.1f} times as fast" if times >= 1 else f", {1 / times:.1f} times as slow"


def _words(standing: Standing) -> str:
    """Return, say, `trial 12 with 76.1 % mIoU (70.2 to 81.5) in 38.2 ms a frame, 26.2 fps`."""
    interval = ""
    if standing.interval:
        low, high = standing.interval.low, standing.interval.high
        interval = f" (95 %: {per_cent(low)} to {per_cent(high)})"
    return (
        f"trial {standing.trial} with {per_cent(standing.miou)} % mIoU{interval} in "
        f"{standing.mean_ms:.1f} ms a frame, {standing.sustained_fps:.1f} fps ({standing.source})"
    )


def _verdict(difference: Difference) -> str:
    """Return whether a difference is one, either way, with its figures."""
    points = 100 * difference.miou
    amount = f"{abs(points):.1f} points {'above' if points >= 0 else 'below'} it"
    if difference.interval is None:
        return f"{amount}, and how surely one clip cannot tell"
    low, high = 100 * difference.interval.low, 100 * difference.interval.high
    span = f"{low:+.1f} to {high:+.1f}"
    if difference.is_surely_positive:
        return f"better, {amount} ({span})"
    if difference.is_surely_negative:
        return f"not as good, {amount} ({span})"
    return f"{amount}, which cannot be told from none ({span})"
