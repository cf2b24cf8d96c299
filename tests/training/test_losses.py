import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import IGNORE
from jejunet_nas.training.losses import cross_entropy


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
