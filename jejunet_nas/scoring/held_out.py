"""Held out: the mIoU of a study's pick on clips, and with seeds, that it was not picked by.

The best of many noisy figures is too high: its trial had luck with the clips, and its network with
its training. So the pick is made on one half of the clips and scored on the other, and the other
way round; both halves together, each scored by the pick of the other, give one figure of all clips.
Where the contenders were trained several times, each further training is held out in turn: the pick
is made by the others, and that one is scored.

Networks that the search proposes are not held out: a sampler learns from all clips.

Units: mIoU in [0, 1].
"""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.bootstrap import Figures, Interval, mious, trainings_interval
from jejunet_nas.scoring.halves import Halves, halves
from jejunet_nas.scoring.noise import SeedNoise, seed_noise
from jejunet_nas.scoring.ranking import feasible
from jejunet_nas.scoring.repeats import contenders, mean_miou, pick_of, trainings

Clips: TypeAlias = tuple[ClipScore, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """The scores of what was picked by other clips and trainings.

    trainings: the clips of each training that was held out. further: how many of these trainings
    are not the first one. picked: the numbers of the trials that were picked on the first half and
    on the second; on all clips where `split` is None.
    """

    trainings: tuple[Clips, ...]
    further: int
    picked: tuple[tuple[int, ...], ...]
    split: Halves | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The held-out figure of a pick.

    trial: picked by all clips and trainings, with `in_sample_miou` on those. picked: as in
    `Crossed`. clips: in each half. in_time: whether clips were cut in time. trainings: further ones
    that the figure is the mean of; 0 where it is of the first, which the search made. noise: of a
    training. interval: over clips, and over seeds if `noise` was measured; None where there are too
    few clips.
    """

    trial: int
    in_sample_miou: float
    miou: float
    interval: Interval | None
    picked: tuple[tuple[int, ...], ...]
    clips: tuple[int, ...]
    in_time: bool
    trainings: int
    noise: SeedNoise


def held_out(history: StudyHistory) -> HeldOut | None:
    """Return the held-out figure of the pick at the target.

    None where no trial meets the target, or the study holds out neither clips nor seeds. Raises
    `SettingError` where its clips cannot be split.
    """
    crossed = cross(history)
    pick = pick_of(feasible(history), history.repeats)
    if crossed is None or pick is None:
        return None
    noise, split = seed_noise(history.complete, history.repeats), crossed.split
    clips = len(crossed.trainings[0])
    return HeldOut(
        trial=pick.number,
        in_sample_miou=mean_miou(pick, history.repeats),
        miou=float(np.mean([mious(each, np.ones((1, clips))) for each in crossed.trainings])),
        interval=trainings_interval(crossed.trainings, noise),
        picked=crossed.picked,
        clips=(len(split.first), len(split.second)) if split else (clips,),
        in_time=split.in_time if split else False,
        trainings=crossed.further,
        noise=noise,
    )


def cross_where_possible(history: StudyHistory) -> Crossed | None:
    """Return the scores of `cross`; None also where the clips cannot be split."""
    with contextlib.suppress(SettingError):
        return cross(history)
    return None


@functools.lru_cache(maxsize=4)  # page, tables and summary use the same one
def cross(history: StudyHistory) -> Crossed | None:
    """Return the scores of the pick on other clips and trainings; None and errors: as above."""
    trials = contenders(feasible(history), history.repeats)
    count = min((len(trainings(trial, history.repeats)) for trial in trials), default=0)
    if not count or (count == 1 and history.validation == "all"):
        return None
    split = halves(trials[0].score.clips) if history.validation == "half" else None
    scored = {trial.number: _scored(trial, history, split) for trial in trials}
    names = [clip.name for clip in scored[trials[0].number][0]]
    groups = [split.first, split.second] if split else [frozenset(names)]
    member = np.array([[name in group for name in names] for group in groups], np.float64)
    figures = {
        number: np.array([mious(clips, member) for clips in each])
        for number, each in scored.items()
    }
    # The first training made its trial a contender, so it had luck: it is never held out.
    folds = range(1, count) if count > 1 else range(1)
    picks = [
        [_pick(trials, figures, fold, group) for group in range(len(groups))] for fold in folds
    ]
    return Crossed(
        trainings=tuple(
            tuple(
                clip
                for group, pick in zip(groups, reversed(of_fold), strict=True)
                for clip in scored[pick][fold]
                if clip.name in group
            )
            for fold, of_fold in zip(folds, picks, strict=True)
        ),
        further=count - 1,
        picked=tuple(tuple(sorted({*of_group})) for of_group in zip(*picks, strict=True)),
        split=split,
    )


def matched(trial: TrialResult, history: StudyHistory, crossed: Crossed) -> list[Clips]:
    """Return the clips of each training of a trial that are scored in `crossed`.

    Raises `SettingError` where they lack one.
    """
    return _scored(trial, history, crossed.split)


def _scored(trial: TrialResult, history: StudyHistory, split: Halves | None) -> list[Clips]:
    """Return the clips, or their stretches, of each training of a trial's network."""
    found = [each.score.clips for each in trainings(trial, history.repeats)]
    return [split.clips_of(clips) for clips in found] if split else found


def _pick(trials: Sequence[TrialResult], figures: dict[int, Figures], fold: int, group: int) -> int:
    """Return the number of the best trial by one group of clips, without training `fold`."""

    def rank(trial: TrialResult) -> tuple[float, float, int]:
        known = figures[trial.number][:, group]
        others = np.delete(known, fold) if len(known) > 1 else known
        return float(others.mean()), -trial.latency.mean_ms, -trial.number

    return max(trials, key=rank).number
