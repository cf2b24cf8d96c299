"""Bootstrap: confidence intervals of a mIoU, and of a difference of two, over clips.

Clips are resampled with replacement, all pixels of a clip together, since the frames of a clip are
alike. Two networks on the same clips are compared by a paired bootstrap: the difference is taken
draw by draw: clips that are hard for both do not widen the interval.

Percentile intervals of few clips are too narrow. They are widened by the ratio of Student's t to
the normal (the expanded percentile interval of Hesterberg, "What Teachers Should Know about the
Bootstrap", The American Statistician, 2015). The intervals do not account for weights, seeds and
labels.

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
from jejunet_nas.scoring.score import combine

Figures = npt.NDArray[np.float64]

_NAMED = 5  # clips in a message, at most


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `low` to `high`, both included."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The mIoU of one network minus that of another on the same clips.

    interval: None where there is only one clip.
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
    """Return the confidence interval of the mIoU of `clips`; None for fewer than two clips.

    A class that no annotation of a draw holds is left out of its mean, as `combine` does; a draw
    without annotation does not count. share: the confidence level. Raises `DataError` where no clip
    is annotated.
    """
    if len(clips) < 2:
        return None
    combine(clips)  # raises where no clip is annotated
    return _interval(_mious(clips, _weights(len(clips), draws, seed)), len(clips), share)


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
    theirs = _paired(ours, theirs)
    miou = combine(ours).miou - combine(theirs).miou
    if len(ours) < 2:
        return Difference(miou=miou, interval=None)
    weights = _weights(len(ours), draws, seed)
    differences = _mious(ours, weights) - _mious(theirs, weights)
    return Difference(miou=miou, interval=_interval(differences, len(ours), share))


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


def _mious(clips: Sequence[ClipScore], weights: Figures) -> Figures:
    """Return the mIoU of each draw, [draws]; NaN for a draw without annotation.

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
