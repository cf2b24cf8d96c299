"""Bootstrap: how far a mIoU would move, had the val split held other clips of the same kind.

Clips are drawn again with replacement, all pixels of a clip together, since the frames of one clip
are alike: what is unsure is which clips there are. Of two networks on the same clips the difference
is taken draw by draw, so that clips which are hard for both do not count as doubt.

Few clips make percentile intervals too narrow; they are taken further out here, as far as Student's
t is from the normal (the expanded percentile interval of Hesterberg, "What Teachers Should Know
about the Bootstrap", The American Statistician, 2015). Weights, seeds and labels stay as they are:
none of their doubt is in an interval.

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
    """How much mIoU one network has over another on the same clips.

    interval: None where there is one clip only, which says nothing of others.
    """

    miou: float
    interval: Interval | None

    @property
    def is_surely_positive(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.interval is not None and self.interval.low > 0

    @property
    def is_surely_negative(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.interval is not None and self.interval.high < 0


def miou_interval(
    clips: Sequence[ClipScore], *, draws: int = 2000, seed: int = 0, share: float = 0.95
) -> Interval | None:
    """Return where the mIoU of `clips` lies in `share` of the draws; None of fewer than two clips.

    A class that no annotation of a draw holds is left out of its mean, as `combine` does; a draw
    that is not annotated at all does not count. Raises `DataError` where no clip is annotated.
    """
    combine(clips)  # says what is wrong where nothing is annotated
    if len(clips) < 2:
        return None
    return _interval(_mious(clips, _weights(len(clips), draws, seed)), len(clips), share)


def miou_difference(
    ours: Sequence[ClipScore],
    theirs: Sequence[ClipScore],
    *,
    draws: int = 2000,
    seed: int = 0,
    share: float = 0.95,
) -> Difference:
    """Return by how much the mIoU of `ours` is above that of `theirs`, paired clip by clip.

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
    """Return `theirs` in the order of `ours`."""
    by_name = {clip.name: clip for clip in theirs}
    names = [clip.name for clip in ours]
    if len(theirs) != len(ours) or {*names} != by_name.keys():
        raise SettingError(
            f"the clips are {_named(names)} and {_named([*by_name])}; allowed: the same clips in "
            "both. Score both on one val split."
        )
    paired = [by_name[name] for name in names]
    for one, other in zip(ours, paired, strict=True):
        if one.annotated != other.annotated:
            raise SettingError(
                f"clip {one.name} has {sum(one.annotated)} annotated pixels and "
                f"{sum(other.annotated)}; allowed: the same annotations in both, class by class. "
                "Score both on one val split."
            )
    return paired


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED]) or 'none'}{more}"


def _weights(clips: int, draws: int, seed: int) -> Figures:
    """Return how often each draw holds each clip, [draws, clips]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=draws).astype(np.float64)


def _mious(clips: Sequence[ClipScore], weights: Figures) -> Figures:
    """Return the mIoU of each draw, [draws]; NaN where a draw is not annotated at all.

    Sums of pixels stay below 2^53, so that floats add them exactly.
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
