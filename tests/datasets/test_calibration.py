"""Which training frames int8 ranges are found on."""

import dataclasses
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.calibration import CalibrationChoice, calibration_frames
from jejunet_nas.errors import SettingError
from tests.datasets.test_sampling import counting_clip, split_of

CHOICES: tuple[CalibrationChoice, ...] = get_args(CalibrationChoice)


@settings(deadline=None)
@given(count=st.integers(1, 30), seed=st.integers(0, 1000))
def test_calibration_frames_are_spread_evenly(count: int, seed: int) -> None:
    split = split_of(counting_clip(frames=20), counting_clip(frames=10, level=80))

    frames = calibration_frames(split, height=8, width=8, count=count, seed=seed)

    assert frames.shape == (count, 8, 8, 3)
    places = frames[:, 0, 0, 0].astype(int) // 4  # 0 to 29: each frame has its own grey
    assert set(np.diff(places)) <= {30 // count, -(-30 // count)}


def test_more_calibration_frames_than_there_are_names_the_most() -> None:
    with pytest.raises(
        SettingError, match=r"calibration_frames is 13; allowed: 1 to 12, .* nearest is 12\."
    ):
        calibration_frames(split_of(counting_clip()), height=8, width=8, count=13, seed=0)


def greys_of(frames: npt.NDArray[np.uint8]) -> list[int]:
    return frames[:, 0, 0, 0].tolist()


@given(count=st.integers(1, 22), seed=st.integers(0, 2**31), choice=st.sampled_from(CHOICES))
def test_no_calibration_frame_is_taken_twice(
    count: int, seed: int, choice: CalibrationChoice
) -> None:
    split = split_of(counting_clip(frames=12), counting_clip(frames=10, level=80))

    first, again = (
        calibration_frames(split, height=8, width=8, count=count, seed=seed, choice=choice)
        for _ in range(2)
    )

    assert first.shape == (count, 8, 8, 3)
    assert greys_of(first) == sorted(set(greys_of(first)))  # each has a grey of its own
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("choice", CHOICES)
def test_calibration_frames_are_others_with_another_seed(choice: CalibrationChoice) -> None:
    clip, count = counting_clip(frames=60), 4
    if choice == "varied":  # greys that are hardly unlike each other, but for noise
        noise = np.random.default_rng(0).integers(0, 256, clip.frames.shape, np.uint8)
        clip = dataclasses.replace(clip, frames=noise)

    taken = {
        calibration_frames(
            split_of(clip), height=24, width=32, count=count, seed=seed, choice=choice
        ).tobytes()
        for seed in range(4)
    }

    assert len(taken) > 1


def test_random_calibration_frames_may_lie_next_to_each_other_or_far_apart() -> None:
    frames = [
        calibration_frames(
            split_of(counting_clip(frames=40)), height=8, width=8, count=8, seed=s, choice="random"
        )
        for s in range(10)
    ]

    gaps = np.concatenate([np.diff(greys_of(each)) // 4 for each in frames])
    assert gaps.min() == 1
    assert gaps.max() > 2 * 40 / 8


@given(odd=st.sets(st.integers(0, 39), min_size=1, max_size=5), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_varied_calibration_frames_are_those_that_are_unlike_the_others(
    odd: set[int], seed: int
) -> None:
    clip = counting_clip(frames=40)
    pictures = np.full_like(clip.frames, 100)
    for number, t in enumerate(sorted(odd)):  # a bright band in a different place each
        pictures[t, :, 5 * number : 5 * number + 8] = 255
    split = split_of(dataclasses.replace(clip, frames=pictures))

    # Eight frames are looked at for each that is taken: all of them.
    frames = calibration_frames(
        split, height=24, width=32, count=len(odd) + 5, seed=seed, choice="varied"
    )

    assert (frames.max(axis=(1, 2, 3)) == 255).sum() == len(odd)


def test_where_all_frames_are_taken_for_calibration_there_is_no_choice() -> None:
    split = split_of(counting_clip())

    for choice in CHOICES:
        frames = calibration_frames(split, height=8, width=8, count=12, seed=5, choice=choice)
        assert greys_of(frames) == [4 * t for t in range(12)]
