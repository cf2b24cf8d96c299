import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.training.optimizer import Optimizer, WarmCosine
from jejunet_nas.training.settings import TrainingSettings

SETTINGS = TrainingSettings(learning_rate=0.1, pretrained_rate=0.25, steps=10)


@given(steps=st.integers(2, 2000), highest=st.floats(1e-6, 1.0))
def test_the_rate_rises_to_its_highest_and_then_falls_to_0(steps: int, highest: float) -> None:
    schedule = WarmCosine(highest, steps)

    rates = schedule(np.arange(steps + 1)).numpy() / highest

    top = schedule.warm_up - 1
    assert rates[top] == pytest.approx(1, rel=1e-5)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 1e-6).all()  # float32; the cosine is flat at its top
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_a_tenth_of_the_steps_warms_up() -> None:
    rates = WarmCosine(1.0, 100)(np.arange(12)).numpy()

    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10, rtol=1e-6)
    assert rates[11] < rates[10] == 1


def test_pretrained_layers_take_the_smaller_rate() -> None:
    old, new = (tf.Variable(tf.zeros(3), name=f"{name}/kernel") for name in ("old", "new"))
    optimizer = Optimizer([old, new], {"old"}, SETTINGS)

    optimizer.apply({v.ref(): tf.constant([1.0, -2.0, 3.0]) for v in (old, new)})

    # Adam's first step is the rate itself, against the sign of the gradient.
    np.testing.assert_allclose(new, [-0.1, 0.1, -0.1], rtol=1e-5)
    np.testing.assert_allclose(old, [-0.025, 0.025, -0.025], rtol=1e-5)


def test_a_pretrained_rate_of_0_leaves_pretrained_layers_as_they_are() -> None:
    old = tf.Variable(tf.ones(3), name="old/kernel")
    optimizer = Optimizer([old], {"old"}, dataclasses.replace(SETTINGS, pretrained_rate=0.0))

    optimizer.apply({old.ref(): tf.constant([1.0, -2.0, 3.0])})

    np.testing.assert_array_equal(old, np.ones(3))
