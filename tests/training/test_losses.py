import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import IGNORE
from jejunet_nas.training.losses import segmentation_loss


def test_ignored_pixels_do_not_count() -> None:
    masks = np.array([[[0, IGNORE]]], np.uint8)
    logits = np.array([[[[0.0, math.log(3)], [50.0, -50.0]]]], np.float32)

    # Class 0 has one chance in four at the only pixel that is known.
    assert float(segmentation_loss(masks, logits)) == pytest.approx(math.log(4), rel=1e-6)


def test_a_picture_without_annotation_costs_nothing() -> None:
    masks = np.full((1, 2, 2), IGNORE, np.uint8)

    assert float(segmentation_loss(masks, np.ones((1, 2, 2, 3), np.float32))) == 0.0


def test_a_sure_right_answer_costs_nothing_and_a_sure_wrong_one_its_margin() -> None:
    masks = np.array([[[0, 1], [1, 0]]], np.uint8)
    logits = np.where(masks[..., None] == [0, 1], 40.0, 0.0).astype(np.float32)

    assert float(segmentation_loss(masks, logits)) < 1e-6  # exp(-40), as far as float32 goes
    assert float(segmentation_loss(1 - masks, logits)) == pytest.approx(40, rel=1e-6)


@given(classes=st.integers(2, 30), size=st.sampled_from([1, 2, 4, 8]))
def test_an_even_guess_costs_the_log_of_the_classes_at_any_resolution(
    classes: int, size: int
) -> None:
    masks = np.random.default_rng(0).integers(0, classes, (2, 8, 8), np.uint8)

    loss = segmentation_loss(masks, np.full((2, size, size, classes), 3.0, np.float32))

    assert float(loss) == pytest.approx(math.log(classes), rel=1e-5)  # float32


def dice(masks: np.ndarray, logits: np.ndarray) -> float:
    """Return what the Dice loss adds."""
    plain, both = (float(segmentation_loss(masks, logits, dice_weight=w)) for w in (0.0, 1.0))
    return both - plain


def test_dice_is_that_of_its_definition_for_classes_that_are_there() -> None:
    rng = np.random.default_rng(0)
    masks = rng.choice(np.array([0, 1, 3, IGNORE], np.uint8), (2, 8, 8))
    logits = rng.normal(0, 1, (2, 8, 8, 4)).astype(np.float32)

    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    known = masks != IGNORE
    each = []
    for number in (0, 1, 3):
        true, predicted = masks[known] == number, shares[known][:, number]
        both = predicted[true].sum()
        each.append(1 - (2 * both + 1) / (true.sum() + predicted.sum() + 1))
    assert dice(masks, logits) == pytest.approx(np.mean(each), rel=1e-4)


def test_dice_sees_a_class_of_one_pixel_as_it_sees_the_others() -> None:
    masks = np.zeros((1, 16, 16), np.uint8)
    masks[0, 0, 0] = 1
    never = np.tile(np.array([20.0, -20.0], np.float32), (1, 16, 16, 1))
    right = np.where(masks[..., None] == [0, 1], 20.0, -20.0).astype(np.float32)

    assert dice(masks, right) == pytest.approx(0, abs=1e-6)
    assert dice(masks, never) == pytest.approx(0.25, abs=0.01)  # (0 + 1 - 1 / (1 + 1)) / 2


def test_dice_of_a_picture_without_annotation_is_0() -> None:
    masks = np.full((1, 2, 2), IGNORE, np.uint8)

    assert dice(masks, np.ones((1, 2, 2, 3), np.float32)) == 0.0
