"""Bootstrap: confidence intervals of a mIoU, and of a difference of two, over clips.

Clips are resampled with replacement, all pixels of a clip together, since the frames of a clip are
alike. Two networks on the same clips are compared by a paired bootstrap: the difference is taken
draw by draw: clips that are hard for both do not widen the interval.

Percentile intervals of few clips are too narrow. They are widened by the ratio of Student's t to
the normal (the expanded percentile interval of Hesterberg, "What Teachers Should Know about the
Bootstrap", The American Statistician, 2015).

Networks that were trained several times are compared by their means, and the interval holds the
seeds too: each draw of clips also gets a draw of the training noise, by Student's t with the
degrees of freedom behind it. Resampling two or three seeds instead would lose a half or a third of
their variance. Errors in the annotations are in no interval.

Units: mIoU in [0, 1]; differences in the same unit.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from jejunet_nas.errors import SettingError
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.noise import SeedNoise
from jejunet_nas.scoring.score import combine

Figures = npt.NDArray[np.float64]
Trainings = Sequence[Sequence[ClipScore]]  # of one network: its clips, the same in each training

LEAST_CLIPS = 5  # fewer have so few draws that an interval reaches from the worst clip to the best
TOO_FEW = f"fewer than {LEAST_CLIPS} clips give no confidence interval"
_NAMED = 5  # clips in a message, at most


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `low` to `high`, both included."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The mIoU of one network minus that of another on the same clips.

    interval: None where there are fewer than `LEAST_CLIPS` clips.
    """

    miou: float
    interval: Interval | None

    @property
    def is_significant_gain(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.interval is not None and self.interval.low > 0

    @property
    def is_significant(self) -> bool:
        """Whether 0 is outside the interval."""
        return self.is_significant_gain or (self.interval is not None and self.interval.high < 0)


def miou_interval(
    clips: Sequence[ClipScore], *, draws: int = 2000, seed: int = 0, share: float = 0.95
) -> Interval | None:
    """Return the confidence interval of the mIoU of `clips`; None for fewer than `LEAST_CLIPS`.

    A class that no annotation of a draw holds is left out of its mean, as `combine` does; a draw
    without annotation does not count. share: the confidence level. Raises `DataError` where no clip
    is annotated.
    """
    return trainings_interval([clips], None, draws=draws, seed=seed, share=share)


def trainings_interval(
    trainings: Trainings,
    noise: SeedNoise | None,
    *,
    draws: int = 2000,
    seed: int = 0,
    share: float = 0.95,
) -> Interval | None:
    """Return the interval of the mean mIoU of several trainings on the same clips.

    noise: between trainings; None, or one without a degree of freedom: the interval holds clips
    alone. Otherwise as `miou_interval`.
    """
    clips = len(trainings[0])
    if clips < LEAST_CLIPS:
        return None
    for each in trainings:
        combine(each)  # raises where no clip is annotated
    weights = _weights(clips, draws, seed)
    figures = _mean_mious(trainings, weights) + _seeds(noise, 1 / len(trainings), draws, seed)
    return _interval(figures, clips, share)


def miou_difference(
    ours: Sequence[ClipScore],
    theirs: Sequence[ClipScore],
    *,
    draws: int = 2000,
    seed: int = 0,
    share: float = 0.95,
) -> Difference:
    """Return the mIoU of `ours` minus that of `theirs`, paired clip by clip.

    Clips are paired by their names. Raises `SettingError` where names or annotated pixels differ,
    `DataError` where no clip is annotated.
    """
    return trainings_difference([ours], [theirs], None, draws=draws, seed=seed, share=share)


def trainings_difference(
    ours: Trainings,
    theirs: Trainings,
    noise: SeedNoise | None,
    *,
    draws: int = 2000,
    seed: int = 0,
    share: float = 0.95,
) -> Difference:
    """Return the mean mIoU of the trainings `ours` minus that of `theirs`, paired clip by clip.

    noise: as in `trainings_interval`. Raises as `miou_difference` does.
    """
    clips, theirs = len(ours[0]), [_paired(ours[0], each) for each in theirs]
    miou = float(np.mean([combine(each).miou for each in ours]))
    miou -= float(np.mean([combine(each).miou for each in theirs]))
    if clips < LEAST_CLIPS:
        return Difference(miou=miou, interval=None)
    weights = _weights(clips, draws, seed)
    differences = _mean_mious(ours, weights) - _mean_mious(theirs, weights)
    differences += _seeds(noise, 1 / len(ours) + 1 / len(theirs), draws, seed)
    return Difference(miou=miou, interval=_interval(differences, clips, share))


def _seeds(noise: SeedNoise | None, part: float, draws: int, seed: int) -> Figures:
    """Return the training noise of each draw, [draws]; `part` of the variance of one training."""
    if noise is None or not noise.freedom:
        return np.zeros(draws)
    rng = np.random.default_rng((seed, 1))  # not the numbers that drew the clips
    return noise.std * math.sqrt(part) * rng.standard_t(noise.freedom, draws)


def _paired(ours: Sequence[ClipScore], theirs: Sequence[ClipScore]) -> list[ClipScore]:
    by_name = {clip.name: clip for clip in theirs}
    names = [clip.name for clip in ours]
    if len(theirs) != len(ours) or {*names} != by_name.keys():
        raise SettingError(
            f"the clips are {_named(names)} and {_named([*by_name])}; both studies need the same "
            "clips. Score both on one val split."
        )
    paired = [by_name[name] for name in names]
    for one, other in zip(ours, paired, strict=True):
        if one.annotated != other.annotated:
            raise SettingError(
                f"clip {one.name} has {sum(one.annotated)} annotated pixels and "
                f"{sum(other.annotated)}; both studies need the same annotations. Score both "
                "on one val split."
            )
    return paired


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED]) or 'none'}{more}"


def _weights(clips: int, draws: int, seed: int) -> Figures:
    """Return the number of times that each draw holds each clip, [draws, clips]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=draws).astype(np.float64)


def _mean_mious(trainings: Trainings, weights: Figures) -> Figures:
    """Return the mean mIoU of the trainings in each draw, [draws]."""
    means: Figures = np.mean([mious(clips, weights) for clips in trainings], axis=0)
    return means


def mious(clips: Sequence[ClipScore], weights: Figures) -> Figures:
    """Return the mIoU of each draw, [draws]; NaN for a draw without annotation.

    weights: how often each draw holds each clip, [draws, clips].

    Sums of pixels stay below 2^53, so floats add them exactly.
    """
    annotated, intersection, union = (
        weights @ np.array([getattr(clip, name) for clip in clips], np.float64)
        for name in ("annotated", "intersection", "union")
    )
    known = annotated > 0
    ious = np.divide(intersection, union, out=np.zeros_like(union), where=known)
    classes = known.sum(axis=1)
    means: Figures = np.full(len(ious), np.nan)
    np.divide(ious.sum(axis=1), classes, out=means, where=classes > 0)
    return means


def _interval(figures: Figures, clips: int, share: float) -> Interval:
    known = figures[~np.isnan(figures)]
    t = stdtrit(clips - 1, (1 + share) / 2)
    outside = float(ndtr(-math.sqrt(clips / (clips - 1)) * t))
    low, high = np.quantile(known, [outside, 1 - outside]).tolist()
    return Interval(low=low, high=high)
