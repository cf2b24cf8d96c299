"""Intervals hold what they say they hold, and pairs of clips cancel what both share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.bootstrap import LEAST_CLIPS, Interval, miou_difference, miou_interval
from jejunet_nas.scoring.score import combine

PIXELS = st.integers(0, 50)


def clip(name: str, *classes: tuple[int, int, int]) -> ClipScore:
    """A clip by its classes' pixels: annotated, intersection, union."""
    annotated, intersection, union = zip(*classes, strict=True)
    return ClipScore(
        name=name, frames=1, annotated=annotated, intersection=intersection, union=union
    )


@st.composite
def one_class(draw: st.DrawFn) -> tuple[int, int, int]:
    annotated = draw(PIXELS)
    intersection = draw(st.integers(0, annotated))
    return annotated, intersection, annotated + draw(PIXELS)


@st.composite
def scored_clips(draw: st.DrawFn) -> list[ClipScore]:
    count = draw(st.integers(LEAST_CLIPS - 1, 8))
    clips = [clip(f"clip {i}", draw(one_class()), draw(one_class())) for i in range(count)]
    return [*clips, clip("annotated", (9, 5, 9), (9, 3, 12))]


def drawn_clips(rng: np.random.Generator, count: int, gain: float = 0.0) -> list[ClipScore]:
    """Clips of one class, of which each is as hard as chance has it."""
    ious = np.clip(rng.normal(0.6 + gain, 0.15, count), 0, 1)
    return [clip(f"{i}", (1000, round(1000 * iou), 1000)) for i, iou in enumerate(ious)]


def plainly(clips: list[ClipScore], draws: int, seed: int) -> list[float]:
    """The mIoU of each draw that is annotated, one after the other, by `combine`."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(clips), np.full(len(clips), 1 / len(clips)), size=draws)
    found = []
    for row in counts.tolist():
        again = [one for one, times in zip(clips, row, strict=True) for _ in range(times)]
        if any(any(one.annotated) for one in again):
            found.append(combine(again).miou)
    return found


@given(clips=scored_clips(), seed=st.integers(0, 5))
def test_the_interval_is_that_of_draws_scored_one_by_one(clips: list[ClipScore], seed: int) -> None:
    found = miou_interval(clips, draws=40, seed=seed, share=0.9)

    t = stats.t.ppf(0.95, len(clips) - 1)
    outside = stats.norm.cdf(-np.sqrt(len(clips) / (len(clips) - 1)) * t)
    low, high = np.quantile(plainly(clips, 40, seed), [outside, 1 - outside])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))


@given(clips=scored_clips())
def test_wider_shares_have_wider_intervals(clips: list[ClipScore]) -> None:
    narrow, wide = (miou_interval(clips, draws=200, share=share) for share in (0.5, 0.95))

    assert narrow is not None
    assert wide is not None
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_nineteen_in_twenty_intervals_hold_the_true_miou() -> None:
    rng = np.random.default_rng(1)
    truth = combine(drawn_clips(rng, 20_000)).miou

    for count in (5, 10, 30):
        found = [miou_interval(drawn_clips(rng, count), draws=500) for _ in range(300)]
        held = np.mean([each is not None and each.low <= truth <= each.high for each in found])
        # 300 tries of 0.95 miss by less than 0.04 in 99 of 100; of few clips some more is missing.
        assert 0.90 <= held <= 0.99, (count, held)


def test_a_gain_on_every_clip_is_significant_however_unlike_the_clips_are() -> None:
    hard, easy = (100, 20, 100), (100, 90, 100)
    theirs = [clip(f"{i}", hard if i % 2 else easy) for i in range(10)]
    ours = [clip(f"{i}", (100, 25, 100) if i % 2 else (100, 95, 100)) for i in range(10)]

    found, alone = miou_difference(ours, theirs), miou_interval(theirs)

    assert found.miou == pytest.approx(0.05)
    assert found.interval == Interval(low=pytest.approx(0.05), high=pytest.approx(0.05))
    assert found.is_significant_gain
    loss = miou_difference(theirs, ours)
    assert loss.is_significant
    assert not loss.is_significant_gain
    assert alone is not None
    assert alone.high - alone.low > 0.4


def test_a_difference_of_equals_is_not_significant() -> None:
    ours, theirs = (drawn_clips(np.random.default_rng(seed), 10) for seed in (1, 2))

    found = miou_difference(ours, theirs)

    assert not found.is_significant


@given(clips=scored_clips())
def test_a_network_does_not_differ_from_itself(clips: list[ClipScore]) -> None:
    found = miou_difference(clips, list(reversed(clips)), draws=50)

    assert (found.miou, found.interval) == (0.0, Interval(low=0.0, high=0.0))


@pytest.mark.parametrize("count", [1, LEAST_CLIPS - 1])
def test_few_clips_have_no_interval(count: int) -> None:
    few = [clip(f"bear {n}", (10, 5, 10)) for n in range(count)]

    assert miou_interval(few) is None
    assert miou_difference(few, few).interval is None
    assert not miou_difference(few, few).is_significant


def test_one_seed_has_one_interval() -> None:
    clips = drawn_clips(np.random.default_rng(0), 10)

    assert miou_interval(clips, seed=3) == miou_interval(clips, seed=3)
    assert miou_interval(clips, seed=3) != miou_interval(clips, seed=4)


def test_other_clips_are_refused_by_name() -> None:
    ours, theirs = [clip("bear", (9, 5, 9))], [clip("swan", (9, 5, 9))]

    with pytest.raises(
        SettingError, match=r"^the clips are bear and swan; both studies need the same clip"
    ):
        miou_difference(ours, theirs)


def test_other_annotations_of_the_same_clips_are_refused() -> None:
    ours, theirs = [clip("bear", (9, 5, 9))], [clip("bear", (8, 5, 9))]

    with pytest.raises(SettingError, match=r"^clip bear has 9 annotated pixels and 8; both"):
        miou_difference(ours, theirs)


def test_clips_that_nobody_annotated_have_no_interval() -> None:
    with pytest.raises(DataError, match=r"no pixel of any validation clip is annotated\. Add"):
        miou_interval([clip(f"bear {n}", (0, 0, 4)) for n in range(LEAST_CLIPS)])
