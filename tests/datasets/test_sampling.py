import dataclasses
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.sampling import PairBatch, PairSampler, Prefetcher
from jejunet_nas.datasets.view import Augment, View, _colour_matrix
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, Clip, DataSplit


def counting_clip(name: str = "counting", frames: int = 12, level: int = 0) -> Clip:
    """Frames of one grey each, `level` + 4 t; the mask is class 1 where x > 3/4."""
    greys = (level + 4 * np.arange(frames, dtype=np.uint8))[:, None, None, None]
    masks = np.zeros((frames, 48, 64), np.uint8)
    masks[:, :, 48:] = 1
    return Clip(
        name=name,
        frames=np.tile(greys, (1, 24, 32, 3)),
        masks=masks,
        annotated=np.ones(frames, np.bool_),
        fps=24.0,
    )


def split_of(*clips: Clip) -> DataSplit:
    return DataSplit(
        dataset="test", split="train", class_names=("no", "yes"), clips=clips, fingerprint="0"
    )


def sampler(*clips: Clip, pairs: int = 4, longest_age: int = 3, seed: int = 0) -> PairSampler:
    return PairSampler(
        clips or (counting_clip(),),
        height=16,
        width=32,
        pairs=pairs,
        longest_age=longest_age,
        seed=seed,
    )


def assert_same(one: PairBatch, other: PairBatch) -> None:
    for field in dataclasses.fields(PairBatch):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), step=st.integers(0, 10**6))
def test_one_seed_and_step_give_one_batch(seed: int, step: int) -> None:
    again = sampler(seed=seed)
    again.batch(step + 1)  # what was asked before does not matter

    assert_same(sampler(seed=seed).batch(step), again.batch(step))


def test_steps_and_seeds_give_different_batches() -> None:
    batches = [sampler(seed=seed).batch(step) for seed in (0, 1) for step in (0, 1)]

    assert len({batch.frames.tobytes() for batch in batches}) == 4


@settings(deadline=None)
@given(pairs=st.integers(1, 9), longest_age=st.integers(0, 20), step=st.integers(0, 1000))
def test_the_first_half_sees_its_own_context_and_the_rest_an_older_one(
    pairs: int, longest_age: int, step: int
) -> None:
    batch = sampler(pairs=pairs, longest_age=longest_age).batch(step)
    own = (pairs + 1) // 2

    assert batch.frames.shape == batch.context_frames.shape == (pairs, 16, 32, 3)
    assert batch.masks.shape == (pairs, 16, 32)
    assert batch.ages[:own].max(initial=0) == 0
    assert batch.ages.max() <= longest_age
    np.testing.assert_array_equal(batch.frames[:own], batch.context_frames[:own])


def test_ages_reach_from_one_to_the_longest_and_stop_at_the_clips_start() -> None:
    ages = np.concatenate([sampler().batch(step).ages[2:] for step in range(200)])

    assert set(ages) == {0, 1, 2, 3}
    # Frame 0 of 12 has no older one; 1 in 12 of 400, four standard deviations either way.
    assert 10 < np.count_nonzero(ages == 0) < 56


def test_the_context_is_as_many_frames_older_as_its_age_tells() -> None:
    clip = counting_clip(level=100)  # greys that no jitter clips
    for step in range(20):
        batch = sampler(clip).batch(step)
        levels, older = (b[:, 8, 8].astype(int) for b in (batch.frames, batch.context_frames))
        # Four grey levels a frame, times contrast and brightness of 0.8 to 1.2 each, rounded.
        slope = (levels - older)[batch.ages > 0].mean(1) / batch.ages[batch.ages > 0]
        assert ((slope > 4 * 0.64 - 1) & (slope < 4 * 1.44 + 1)).all(), slope


def test_only_annotated_frames_are_segmented_and_any_may_give_context() -> None:
    clip = counting_clip()
    annotated = np.arange(12) == 7
    masks = np.where(annotated[:, None, None], clip.masks, 255)
    sparse = dataclasses.replace(clip, annotated=annotated, masks=masks.astype(np.uint8))

    batches = [sampler(sparse).batch(step) for step in range(20)]

    assert max(batch.masks.max() for batch in batches) < 2
    assert set(np.concatenate([batch.ages[2:] for batch in batches])) == {1, 2, 3}


def test_clips_are_drawn_in_proportion_to_their_annotated_frames() -> None:
    dark, bright = counting_clip(frames=9), counting_clip(frames=3, level=200)

    drawn = np.concatenate(
        [sampler(dark, bright, longest_age=0).batch(s).frames[:, 8, 8, 0] for s in range(100)]
    )

    # A quarter of 400, three standard deviations either way.
    assert 74 <= np.count_nonzero(drawn > 110) <= 126


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_mask_is_cropped_and_mirrored_as_its_frame(seed: int) -> None:
    clip = counting_clip(frames=4)
    painted = np.zeros_like(clip.frames)
    painted[:, :, 24:] = 255  # where the mask, at twice the size, is class 1
    batch = sampler(dataclasses.replace(clip, frames=painted), seed=seed).batch(0)

    for frame, context, mask in zip(batch.frames, batch.context_frames, batch.masks, strict=True):
        np.testing.assert_array_equal(frame, context)
        bright = frame[..., 0].astype(int) > (int(frame.max()) + int(frame.min())) / 2
        if mask.any():  # a crop may leave the object out
            assert (bright != (mask == 1)).mean() <= 1 / 32  # a column at the edge


def test_a_batch_without_annotated_frames_is_refused() -> None:
    clip = dataclasses.replace(counting_clip(), annotated=np.zeros(12, np.bool_))

    with pytest.raises(DataError, match=r"None of the 1 training clips has an annotated frame"):
        sampler(clip)


def test_a_prefetcher_yields_what_the_sampler_would() -> None:
    with Prefetcher(sampler(), first_step=3, steps=9) as batches:
        fetched = list(batches)

    assert len(fetched) == 6
    for step, batch in enumerate(fetched, start=3):
        assert_same(batch, sampler().batch(step))


class SlowSampler(PairSampler):
    """Takes 20 ms a batch, and breaks at step 3."""

    def batch(self, step: int) -> PairBatch:
        time.sleep(0.02)
        if step == 3:
            raise DataError("frame 3 is broken; expected: a whole one. Copy it again.")
        return super().batch(step)


def slow_sampler() -> SlowSampler:
    return SlowSampler([counting_clip()], height=16, width=32, pairs=2, longest_age=1, seed=0)


def test_an_error_of_the_thread_is_raised_where_its_batch_was_due() -> None:
    with Prefetcher(slow_sampler(), steps=9) as batches:
        before = [next(batches) for _ in range(3)]
        with pytest.raises(DataError, match="frame 3 is broken"):
            next(batches)
        assert list(batches) == []

    assert len(before) == 3


def test_a_prefetcher_measures_how_long_the_consumer_waits() -> None:
    started = time.perf_counter()
    with Prefetcher(slow_sampler(), steps=3) as batches:
        list(batches)

    assert 0.05 < batches.wait_s < time.perf_counter() - started  # three times 20 ms, slept


@pytest.mark.parametrize("consumed", [0, 2])
def test_a_prefetcher_that_is_left_early_ends_its_thread(consumed: int) -> None:
    with Prefetcher(sampler(), steps=10**9) as batches:
        for _ in range(consumed):
            next(batches)

    assert not any(thread.name.startswith("prefetcher") for thread in threading.enumerate())


def test_a_prefetcher_computes_no_more_than_it_may_keep() -> None:
    asked: list[int] = []

    class Counting(PairSampler):
        def batch(self, step: int) -> PairBatch:
            asked.append(step)
            return super().batch(step)

    counting = Counting([counting_clip()], height=8, width=8, pairs=1, longest_age=0, seed=0)
    with Prefetcher(counting, steps=100, ahead=2) as batches:
        next(batches)
        while len(asked) < 3:
            time.sleep(0.001)
        time.sleep(0.05)  # time enough for a fourth, which is not due

    assert asked == [0, 1, 2]


def wide(clips: Sequence[Clip], **how: Any) -> PairSampler:
    return PairSampler(clips, height=16, width=32, pairs=8, longest_age=3, seed=0, **how)


def test_each_class_is_drawn_as_often_as_any_other() -> None:
    rare = counting_clip(level=0)
    masks = np.zeros_like(rare.masks)
    masks[5] = 1  # one frame of twelve, and all of it
    masks[6] = IGNORE
    rare = dataclasses.replace(rare, masks=masks)

    drawn = np.concatenate(
        [wide([rare], sampling="classes").batch(step).masks[:, 0, 0] for step in range(40)]
    )

    # Half of 320, four standard deviations either way; the unknown frame never.
    assert 124 <= np.count_nonzero(drawn == 1) <= 196
    assert set(drawn) == {0, 1}


def test_drawing_by_class_depends_on_seed_and_step_alone() -> None:
    one, other = (wide([counting_clip()], sampling="classes") for _ in range(2))
    other.batch(3)

    assert_same(one.batch(5), other.batch(5))


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_picture_that_was_made_smaller_stands_on_grey_where_nothing_is_known(seed: int) -> None:
    clip = dataclasses.replace(counting_clip(), frames=np.full((12, 24, 32, 3), 255, np.uint8))
    augment = Augment(zoom_out=3.0)
    pairs = PairSampler(
        [clip], height=16, width=32, pairs=2, longest_age=0, seed=seed, augment=augment
    )

    batch = pairs.batch(0)

    for frame, mask in zip(batch.frames, batch.masks, strict=True):
        np.testing.assert_array_equal((frame == 127).all(-1), mask == IGNORE)
        rows, columns = (mask != IGNORE).any(1).sum(), (mask != IGNORE).any(0).sum()
        assert (mask != IGNORE).sum() == rows * columns
        assert rows >= 5  # a third of 16, rounded
        assert abs(columns - 2 * rows) <= 1


def test_motion_blurs_edges_and_leaves_plain_colour_and_masks_alone() -> None:
    painted = np.zeros((12, 24, 32, 3), np.uint8)
    painted[:, :, 16:] = 200
    clip = dataclasses.replace(counting_clip(), frames=painted)
    blurred = [
        PairSampler(
            [clip],
            height=32,
            width=64,
            pairs=8,
            longest_age=0,
            seed=1,
            augment=Augment(motion_blur_px=px),
        ).batch(0)
        for px in (1, 16)
    ]

    steepest = [np.abs(np.diff(batch.frames[0].astype(int), axis=1)).max() for batch in blurred]

    assert steepest[1] < steepest[0] / 2
    np.testing.assert_array_equal(blurred[0].masks[0], blurred[1].masks[0])
    plain = View(box=(0, 0, 1, 1), mirrored=False, colour=_colour_matrix(1, 1, 1))
    moved = dataclasses.replace(plain, motion_px=(5.0, -7.0))
    grey = np.full((24, 32, 3), 77, np.uint8)
    np.testing.assert_array_equal(moved.frame(grey, 24, 32), grey)
