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
from jejunet_nas.records.words import input_words, latency_words
from jejunet_nas.reporting.attainment import require_comparable
from jejunet_nas.scoring.bootstrap import (
    Difference,
    Interval,
    miou_difference,
    trainings_difference,
    trainings_interval,
)
from jejunet_nas.scoring.held_out import cross_where_possible, matched
from jejunet_nas.scoring.noise import SeedNoise, pooled, seed_noise
from jejunet_nas.scoring.ranking import front_of, picks
from jejunet_nas.scoring.repeats import mean_miou, trainings

HeldOutBy = Literal["clips", "trainings"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The figures of one trial. miou: the mean of its network's `trainings`.

    interval: of its mIoU, over clips, and over seeds where there are several trainings; None where
    there are too few clips.
    """

    trial: int
    name: str  # its input, such as `256 px`
    miou: float
    trainings: int
    interval: Interval | None
    mean_ms: float
    sustained_fps: float
    dropped_frames: float
    source: LatencySource


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The front compared with one baseline trial.

    best: the pick's mIoU minus the baseline's, held out where the answer says so. as_good:
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

    best: the pick at the target; None where nothing meets it. held_out: how the differences of the
    best were made; None where they come from what it was picked by. validation: of the
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
    best, crossed = picks(history).get("best"), cross_where_possible(history)
    noise = pooled(*(seed_noise(each.complete, each.repeats) for each in (history, baseline)))

    def minus(trial: TrialResult) -> Difference | None:
        if crossed is None:
            return miou_difference(best.score.clips, trial.score.clips) if best else None
        return trainings_difference(crossed.trainings, matched(trial, baseline, crossed), noise)

    return BaselineAnswer(
        study=history.study,
        baseline=baseline.study,
        target_fps=history.target_fps,
        latency=latency_words(history),
        best=_standing(best, history, noise) if best else None,
        against=tuple(
            _against(_standing(trial, baseline, noise), trial, front, minus(trial), history, noise)
            for trial in trials
        ),
        held_out=None if crossed is None else "clips" if crossed.split else "trainings",
        validation=history.validation,
        seeds=crossed is not None and noise.freedom > 0,
    )


def _against(
    standing: Standing,
    trial: TrialResult,
    front: Sequence[TrialResult],
    best: Difference | None,
    history: StudyHistory,
    noise: SeedNoise,
) -> Against:
    differences = [miou_difference(each.score.clips, trial.score.clips) for each in front]
    # The front is ordered from the best to the fastest.
    as_good = [each for each in front if mean_miou(each, history.repeats) >= standing.miou]
    surely = [
        each
        for each, difference in zip(front, differences, strict=True)
        if difference.is_significant_gain
    ]
    return Against(
        baseline=standing,
        best=best,
        as_good=_standing(as_good[-1], history, noise) if as_good else None,
        surely=_standing(surely[-1], history, noise) if surely else None,
    )


def _standing(trial: TrialResult, history: StudyHistory, noise: SeedNoise) -> Standing:
    trained = [each.score.clips for each in trainings(trial, history.repeats)]
    return Standing(
        trial=trial.number,
        name=input_words(trial.architecture.network),
        miou=mean_miou(trial, history.repeats),
        trainings=len(trained),
        interval=trainings_interval(trained, noise if len(trained) > 1 else None),
        mean_ms=trial.latency.mean_ms,
        sustained_fps=trial.latency.sustained_fps,
        dropped_frames=trial.latency.dropped_frames,
        source=trial.latency.source,
    )
