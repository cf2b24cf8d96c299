"""Block matching finds where a picture was, in whole numbers, as loops over pixels do."""

import itertools
import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.video.motion import (
    COARSE_REACH,
    FINE_REACH,
    STILL,
    WINDOW,
    Grey,
    Index,
    Motions,
    comparisons,
    grey_of,
    joined,
    motion,
    moved,
    unmoved,
    warped,
)

sides = st.integers(2, 9)
seeds = st.integers(0, 2**32 - 1)


def textured(height: int, width: int) -> Grey:
    """Return a picture without two alike places, of soft shapes as photos have."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1)).astype(np.uint8)
    return np.kron(noise, np.ones((4, 4), np.uint8))[:height, :width]


def frame_of(grey: Grey) -> npt.NDArray[np.uint8]:
    """Return a frame whose grey picture is `grey`."""
    return np.repeat(np.kron(grey, np.ones((2, 2), np.uint8))[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("down", "right"), [(0, 0), (0, 1), (-3, 0), (2, -5), (7, 6), (-10, 10), (10, -9)]
)
def test_a_picture_that_moved_is_found_where_it_was(down: int, right: int) -> None:
    scene = textured(120, 140)
    before, now = (scene[20 + y : 84 + y, 30 + x : 110 + x] for y, x in ((0, 0), (down, right)))

    rows, columns = np.divmod(motion(now, before), before.shape[1])

    inside = np.s_[16:-16, 16:-16]
    assert np.mean((rows - np.arange(64)[:, None])[inside] == down) > 0.95
    assert np.mean((columns - np.arange(80))[inside] == right) > 0.95


@given(sides, sides, st.integers(0, 255))
def test_a_flat_picture_stays_where_it_is(height: int, width: int, level: int) -> None:
    flat = np.full((height, width), level, np.uint8)

    np.testing.assert_array_equal(motion(flat, flat), unmoved(height, width))


@settings(max_examples=15, deadline=None)
@given(sides, sides, seeds, st.sampled_from([2, 16, 256]))
def test_motion_is_what_loops_over_all_pixels_find(
    height: int, width: int, seed: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    now, before = rng.integers(0, levels, (2, height, width), np.uint8)

    np.testing.assert_array_equal(motion(now, before), _by_loops(now, before))


@given(sides, sides, seeds)
def test_a_grey_pixel_is_the_mean_brightness_of_a_square(
    height: int, width: int, seed: int
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (2 * height, 2 * width, 3), np.uint8)

    grey = grey_of(frame)

    lumas = frame @ np.array([0.299, 0.587, 0.114])
    means = lumas.reshape(height, 2, width, 2).mean(axis=(1, 3))
    assert grey.shape == (height, width)
    assert np.abs(grey + 0.5 - means).max() < 1.1


@given(sides, sides, seeds)
def test_motions_are_joined_in_any_order(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, third = rng.integers(0, height * width, (3, height, width), np.int32)
    still = unmoved(height, width)

    np.testing.assert_array_equal(joined(still, first), first)
    np.testing.assert_array_equal(joined(first, still), first)
    np.testing.assert_array_equal(
        joined(joined(first, second), third), joined(first, joined(second, third))
    )


@given(sides, sides, seeds)
def test_moving_a_mask_twice_is_moving_it_by_the_joined_motion(
    height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 21, (height, width), np.uint8)
    first, second = rng.integers(0, height * width, (2, height, width), np.int32)

    twice = moved(moved(mask, first), second)

    np.testing.assert_array_equal(twice, moved(mask, joined(first, second)))


@given(sides, sides, sides, sides, seeds)
def test_a_mask_of_any_size_that_is_not_larger_stays_as_it_is_in_a_still_picture(
    height: int, width: int, more_rows: int, more_columns: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).integers(0, 21, (height, width), np.uint8)
    still = unmoved(height + more_rows, width + more_columns)

    np.testing.assert_array_equal(moved(mask, still), mask)


def test_a_smaller_mask_moves_with_the_picture() -> None:
    mask = np.arange(24, dtype=np.uint8).reshape(4, 6)
    index = np.roll(unmoved(16, 24), 4, axis=1)  # by one pixel of the mask

    np.testing.assert_array_equal(moved(mask, index), np.roll(mask, 1, axis=1))


@given(seeds, st.sampled_from([(16, 24, 2, 3), (8, 8, 1, 1), (12, 8, 3, 2)]))
def test_a_context_is_warped_as_by_fractions(seed: int, size: tuple[int, int, int, int]) -> None:
    height, width, rows, columns = size
    rng = np.random.default_rng(seed)
    context = rng.integers(-128, 128, (1, rows, columns, 3)).astype(np.int8)
    index = rng.integers(0, height * width, (height, width), np.int32)

    np.testing.assert_array_equal(warped(context, index), _warped_by_fractions(context, index))


@given(seeds)
def test_a_context_of_a_still_picture_stays_as_it_is(seed: int) -> None:
    context = np.random.default_rng(seed).integers(-128, 128, (1, 3, 4, 5)).astype(np.int8)

    np.testing.assert_array_equal(warped(context, unmoved(24, 16)), context)


def test_a_context_moves_with_the_picture() -> None:
    context = np.arange(6, dtype=np.int8).reshape(1, 2, 3, 1)
    index = np.roll(
        unmoved(16, 24), -8, axis=1
    )  # by one cell; the last column comes from the first

    assert warped(context, index)[0, :, :2, 0].tolist() == [[1, 2], [4, 5]]


def test_a_keyframe_in_the_background_is_moved_from_the_frame_on_which_it_began() -> None:
    scene = textured(64, 140)
    frames = [frame_of(scene[:, 2 * t : 2 * t + 64]) for t in range(6)]
    mask = (np.arange(64 * 64) % 251).astype(np.uint8).reshape(64, 64)
    motions = Motions()

    for t, frame in enumerate(frames):
        motions.see(frame, keyframe=t == 0)
        if t == 2:
            motions.begun()
        if t == 4:
            motions.arrived()

    steps = [motion(grey_of(frames[t]), grey_of(frames[t - 1])) for t in (3, 4, 5)]
    np.testing.assert_array_equal(
        motions.move(mask), moved(moved(moved(mask, steps[0]), steps[1]), steps[2])
    )
    assert not np.array_equal(motions.move(mask), mask)


def test_comparisons_are_those_of_both_searches() -> None:
    coarse, fine = (2 * COARSE_REACH + 1) ** 2, (2 * FINE_REACH + 1) ** 2

    assert comparisons(192, 256) == 96 * 128 * fine + 48 * 64 * coarse


def _warped_by_fractions(context: npt.NDArray[np.int8], index: Index) -> npt.NDArray[np.int8]:
    _, rows, columns, _ = context.shape
    (height, width), found = index.shape, np.zeros_like(context)
    down, across = height // rows, width // columns
    for row, column in itertools.product(range(rows), range(columns)):
        places = [
            divmod(int(index[y, x]), width)
            for y in range(row * down, (row + 1) * down)
            for x in range(column * across, (column + 1) * across)
        ]
        # The middle of the mean place, in cells from the middle of the first.
        y, x = (
            (Fraction(sum(each), len(places)) + Fraction(1, 2)) / side - Fraction(1, 2)
            for each, side in zip(zip(*places, strict=True), (down, across), strict=True)
        )
        y, x = min(max(y, Fraction(0)), rows - 1), min(max(x, Fraction(0)), columns - 1)
        for channel in range(context.shape[3]):
            value = sum(
                int(context[0, i, j, channel]) * max(1 - abs(y - i), 0) * max(1 - abs(x - j), 0)
                for i, j in itertools.product(range(rows), range(columns))
            )
            found[0, row, column, channel] = math.floor(value + Fraction(1, 2))
    return found


def _by_loops(now: Grey, before: Grey) -> npt.NDArray[np.int64]:
    height, width = now.shape
    small = [_halved(each) for each in (now, before)]
    rough = _search(*small, {place: (0, 0) for place in np.ndindex(small[0].shape)}, COARSE_REACH)
    last = (small[0].shape[0] - 1, small[0].shape[1] - 1)
    around = {
        (y, x): tuple(2 * each for each in rough[min(y // 2, last[0]), min(x // 2, last[1])])
        for y, x in np.ndindex(now.shape)
    }
    found = _search(now, before, around, FINE_REACH)
    index = np.zeros(now.shape, np.int64)
    for y, x in np.ndindex(now.shape):
        down, right = found[y, x]
        row, column = min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1)
        index[y, x] = row * width + column
    return index


def _halved(grey: Grey) -> Grey:
    rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
    half = np.zeros((rows, columns), np.uint8)
    for y, x in np.ndindex(half.shape):
        half[y, x] = int(grey[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(int).sum()) // 4
    return half


def _search(now: Grey, before: Grey, around: dict, reach: int) -> dict:
    height, width = now.shape
    shifts = sorted(
        itertools.product(range(-reach, reach + 1), repeat=2),
        key=lambda shift: (abs(shift[0]) + abs(shift[1]), shift),
    )

    def apart(y: int, x: int, down: int, right: int) -> int:
        y_before = min(max(y + around[y, x][0] + down, 0), height - 1)
        x_before = min(max(x + around[y, x][1] + right, 0), width - 1)
        return abs(int(now[y, x]) - int(before[y_before, x_before]))

    found = {}
    near = range(-(WINDOW // 2), WINDOW // 2 + 1)
    for y, x in np.ndindex(now.shape):
        window = [
            (y + i, x + j)
            for i, j in itertools.product(near, repeat=2)
            if 0 <= y + i < height and 0 <= x + j < width
        ]
        costs = [
            sum(apart(*place, *shift) for place in window)
            + STILL * (abs(around[y, x][0] + shift[0]) + abs(around[y, x][1] + shift[1]))
            for shift in shifts
        ]
        best = shifts[costs.index(min(costs))]
        found[y, x] = (around[y, x][0] + best[0], around[y, x][1] + best[1])
    return found
