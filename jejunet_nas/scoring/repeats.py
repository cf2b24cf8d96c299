"""Repeats: the mIoU of networks that were trained several times, with different seeds.

Two trainings of one network differ by chance, and the best of many trials had good luck. A trial's
first training is the one that entered the study; repeats are further ones. Repeats count only
where their latencies have the source of the trial's: another source may show other masks.

Units: mIoU in [0, 1].
"""

from collections.abc import Mapping, Sequence

from jejunet_nas.records import Repeat, TrialResult
from jejunet_nas.records.scores import Streamed

Repeats = Mapping[int, Sequence[Repeat]]  # by the number of the trial


def trainings(trial: TrialResult, repeats: Repeats) -> tuple[Streamed, ...]:
    """Return the screens of all trainings of a trial's network, the first training first."""
    source = trial.latency.source
    further = [repeat.streamed for repeat in repeats.get(trial.number, ())]
    return (trial.streamed, *(each for each in further if each.latency.source == source))


def mean_miou(trial: TrialResult, repeats: Repeats) -> float:
    """Return the mean mIoU of all trainings of a trial's network."""
    mious = [each.score.miou for each in trainings(trial, repeats)]
    return sum(mious) / len(mious)


def contenders(trials: Sequence[TrialResult], repeats: Repeats) -> list[TrialResult]:
    """Return those of `trials` that were trained several times; all of them where none was."""
    return [each for each in trials if len(trainings(each, repeats)) > 1] or [*trials]


def pick_of(trials: Sequence[TrialResult], repeats: Repeats) -> TrialResult | None:
    """Return the pick among feasible `trials`: the contender with the best mean mIoU.

    Of equal ones the faster wins; None where there is no trial.
    """
    return max(
        contenders(trials, repeats),
        key=lambda trial: (mean_miou(trial, repeats), -trial.latency.mean_ms, -trial.number),
        default=None,
    )
