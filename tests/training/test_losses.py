import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import IGNORE
from jejunet_nas.training.losses import cross_entropy, taught_loss


def test_ignored_pixels_do_not_count() -> None:
    masks = np.array([[[0, IGNORE]]], np.uint8)
    logits = np.array([[[[0.0, math.log(3)], [50.0, -50.0]]]], np.float32)

    # Class 0 has one chance in four at the only pixel that is known.
    assert float(cross_entropy(masks, logits)) == pytest.approx(math.log(4), rel=1e-6)


def test_a_picture_without_annotation_costs_nothing() -> None:
    masks = np.full((1, 2, 2), IGNORE, np.uint8)

    assert float(cross_entropy(masks, np.ones((1, 2, 2, 3), np.float32))) == 0.0


def test_a_sure_right_answer_costs_nothing_and_a_sure_wrong_one_its_margin() -> None:
    masks = np.array([[[0, 1], [1, 0]]], np.uint8)
    logits = np.where(masks[..., None] == [0, 1], 40.0, 0.0).astype(np.float32)

    assert float(cross_entropy(masks, logits)) < 1e-6  # exp(-40), as far as float32 goes
    assert float(cross_entropy(1 - masks, logits)) == pytest.approx(40, rel=1e-6)


@given(classes=st.integers(2, 30), size=st.sampled_from([1, 2, 4, 8]))
def test_an_even_guess_costs_the_log_of_the_classes_at_any_resolution(
    classes: int, size: int
) -> None:
    masks = np.random.default_rng(0).integers(0, classes, (2, 8, 8), np.uint8)

    loss = cross_entropy(masks, np.full((2, size, size, classes), 3.0, np.float32))

    assert float(loss) == pytest.approx(math.log(classes), rel=1e-5)  # float32


def test_a_pseudo_label_has_its_weight() -> None:
    logits = np.array([[[[0.0, math.log(3)], [0.0, math.log(3)]]]], np.float32)
    masks, taught = np.array([[[0, IGNORE]]], np.uint8), np.array([[[IGNORE, 0]]], np.uint8)

    loss = taught_loss(masks, taught, None, logits, 0.5)

    assert float(loss) == pytest.approx((1 + 0.5) * math.log(4) / 2, rel=1e-6)  # float32


def test_annotation_and_teacher_are_added_at_a_pixel_with_both() -> None:
    logits = np.array([[[[0.0, math.log(3)]]]], np.float32)
    masks, taught = np.array([[[0]]], np.uint8), np.array([[[1]]], np.uint8)

    loss = taught_loss(masks, taught, None, logits, 1.0)

    assert float(loss) == pytest.approx(math.log(4) + math.log(4 / 3), rel=1e-6)  # float32


def test_without_annotation_or_teacher_the_loss_is_0() -> None:
    nothing = np.full((1, 2, 2), IGNORE, np.uint8)
    logits = np.ones((1, 2, 2, 3), np.float32)

    assert float(taught_loss(nothing, nothing, None, logits, 1.0)) == 0.0
    assert float(taught_loss(nothing, nothing, np.zeros_like(nothing), logits, 1.0)) == 0.0


def test_the_loss_of_a_soft_label_is_the_divergence_from_it() -> None:
    nothing, taught = np.full((1, 1, 1), IGNORE, np.uint8), np.ones((1, 1, 1), np.uint8)
    sureness = np.full((1, 1, 1), 153, np.uint8)  # 0.6, and 0.2 for both others
    same = np.log([[[[0.2, 0.6, 0.2]]]]).astype(np.float32)
    even = np.zeros((1, 1, 1, 3), np.float32)

    losses = [float(taught_loss(nothing, taught, sureness, x, 1.0)) for x in (same, even)]

    entropy = -(0.6 * math.log(0.6) + 0.4 * math.log(0.2))
    assert losses == pytest.approx([0.0, math.log(3) - entropy], abs=1e-6)  # float32


def test_a_certain_soft_label_equals_an_annotation() -> None:
    rng = np.random.default_rng(0)
    nothing = np.full((1, 4, 4), IGNORE, np.uint8)
    taught, logits = rng.integers(0, 3, (1, 4, 4), np.uint8), rng.normal(size=(1, 4, 4, 3))

    soft = taught_loss(nothing, taught, np.full_like(taught, 255), logits.astype(np.float32), 1.0)

    hard = cross_entropy(taught, logits.astype(np.float32))
    assert float(soft) == pytest.approx(float(hard), rel=1e-5)  # float32
