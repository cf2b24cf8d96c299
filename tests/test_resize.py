import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.resize import THUMBNAIL_STRIDE, resize_frame, resize_mask, resized_part, thumbnails

SIDE = st.integers(1, 24)
COLOUR = st.integers(0, 255)


@given(colour=COLOUR, height=SIDE, width=SIDE)
def test_one_colour_stays_one_colour(colour: int, height: int, width: int) -> None:
    frame = np.full((9, 16, 3), colour, np.uint8)

    resized = resize_frame(frame, height, width)

    assert resized.shape == (height, width, 3)
    assert (resized == colour).all()


@given(seed=st.integers(0, 99), height=SIDE, width=SIDE)
def test_a_resized_mask_holds_no_new_class(seed: int, height: int, width: int) -> None:
    mask = np.random.default_rng(seed).choice([0, 2, 255], (12, 17)).astype(np.uint8)

    resized = resize_mask(mask, height, width)

    assert resized.shape == (height, width)
    assert {*np.unique(resized)} <= {*np.unique(mask)}


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)

    assert np.array_equal(resize_frame(frame, 6, 7), frame)
    assert np.array_equal(resize_mask(frame[..., 0], 6, 7), frame[..., 0])


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)])
def test_a_box_selects_its_part(box: tuple[float, float, float, float]) -> None:
    mask = np.zeros((4, 8), np.uint8)
    mask[:, 4:] = 3

    part = np.asarray(resized_part(mask, 5, 5, box))

    assert (part == (0 if box[0] == 0 else 3)).all()


@given(colour=COLOUR, rows=st.integers(1, 3), columns=st.integers(1, 3))
def test_a_thumbnail_of_one_colour_has_that_colour(colour: int, rows: int, columns: int) -> None:
    step = THUMBNAIL_STRIDE
    frames = np.full((2, rows * step, columns * step, 3), colour, np.uint8)

    small = thumbnails(frames)

    assert small.shape == (2, rows, columns, 3)
    assert small.dtype == np.uint8
    assert (small == colour).all()


@given(seed=st.integers(0, 99), rows=st.integers(1, 3), columns=st.integers(1, 3))
def test_a_thumbnail_is_the_whole_sum_divided(seed: int, rows: int, columns: int) -> None:
    step = THUMBNAIL_STRIDE
    shape = (2, rows * step, columns * step, 3)
    frames = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)

    squares = frames.reshape(2, rows, step, columns, step, 3).astype(np.int64)
    np.testing.assert_array_equal(thumbnails(frames), squares.sum(axis=(2, 4)) // step**2)


def test_a_thumbnail_rounds_a_mean_down() -> None:
    frame = np.zeros((THUMBNAIL_STRIDE, THUMBNAIL_STRIDE, 3), np.uint8)
    frame[0, :, :] = 255  # an eighth of the square: 255 / 8 = 31.875

    assert thumbnails(frame).tolist() == [[[31, 31, 31]]]
