"""What training must leave as it is comes back after each step."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jejunet_nas.compression.keeping import restorer
from jejunet_nas.networks.folded_layers import FoldedLayer

Kernel = npt.NDArray[np.float32]

# Few values, as of a kernel that was clustered, 0 among them.
kernels = arrays(np.float32, (1, 2, 4, 3), elements=st.sampled_from([0.0, 0.5, -1.0, 2.0]))
steps = arrays(np.float32, (1, 2, 4, 3), elements=st.integers(-8, 8).map(lambda n: n / 8))
few = settings(max_examples=25)  # each traces a function


class Layer:
    """As much of a Keras convolution as is asked for."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = tf.Variable(kernel)


def after_a_step(kernel: Kernel, step: Kernel, **what: bool) -> Kernel:
    layer: Any = Layer(kernel)
    folded = {"layer": FoldedLayer(kernel, np.zeros(3, np.float32))}
    restore = restorer(folded, {"layer": layer, "other": object()}, **what)
    layer.kernel.assign_add(step)
    restore()
    return np.asarray(layer.kernel)


@given(kernels, steps)
@few
def test_zeros_stay_zero_and_others_move(kernel: Kernel, step: Kernel) -> None:
    after = after_a_step(kernel, step, zeros=True, clusters=False)

    np.testing.assert_array_equal(after, np.where(kernel == 0, 0, kernel + step))


@given(kernels, steps)
@few
def test_weights_of_one_cluster_and_channel_take_their_mean(kernel: Kernel, step: Kernel) -> None:
    after = after_a_step(kernel, step, zeros=False, clusters=True)

    for channel in range(3):
        for value in np.unique(kernel[..., channel]):
            members = kernel[..., channel] == value
            mean = (kernel + step)[..., channel][members].mean()
            np.testing.assert_allclose(after[..., channel][members], mean, rtol=1e-6)


@given(kernels, steps)
@few
def test_clusters_keep_their_zeros_where_both_are_asked_for(kernel: Kernel, step: Kernel) -> None:
    after = after_a_step(kernel, step, zeros=True, clusters=True)

    assert (after[kernel == 0] == 0).all()
    for channel in range(3):
        assert len(np.unique(after[..., channel])) <= len(np.unique(kernel[..., channel]))


@given(kernels, steps)
@few
def test_where_nothing_is_kept_a_step_is_a_step(kernel: Kernel, step: Kernel) -> None:
    after = after_a_step(kernel, step, zeros=False, clusters=False)

    np.testing.assert_array_equal(after, kernel + step)
