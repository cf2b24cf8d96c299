"""Keeping: zeros stay zero and clusters stay clusters during fine-tuning.

One plain step would destroy both. So after each step, weights that were zero are set to zero, and
the weights of one cluster in one output channel to their mean. Clusters are per channel, since
folded batch norm has scaled each channel differently.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from jejunet_nas.networks.folded_layers import Folded

Members = npt.NDArray[np.int32]  # of a kernel's shape: equal numbers for the weights of a cluster


def restorer(
    start: Folded, layers: Mapping[str, Any], *, zeros: bool, clusters: bool
) -> Callable[[], None]:
    """Return a function that restores the kernels of Keras `layers` after a step.

    start: the kernels whose zeros, clusters or both are kept.
    """
    kernels = {name: layer.kernel for name, layer in layers.items() if hasattr(layer, "kernel")}
    members = {name: _members(start[name].kernel) for name in kernels if clusters}
    masks = {name: (start[name].kernel != 0).astype(np.float32) for name in kernels if zeros}

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def restore() -> None:
        for name, kernel in kernels.items():
            value = _one_value_each(kernel, members[name]) if clusters else kernel
            if zeros:
                value = value * masks[name]
            if value is not kernel:
                kernel.assign(value)

    return restore  # type: ignore[no-any-return]


def _one_value_each(kernel: Any, members: Members) -> Any:
    flat = tf.reshape(members, [-1])
    count = int(members.max()) + 1
    means = tf.math.unsorted_segment_mean(tf.reshape(kernel, [-1]), flat, count)
    return tf.reshape(tf.gather(means, flat), kernel.shape)


def _members(kernel: npt.NDArray[np.float32]) -> Members:
    columns = kernel.reshape(-1, kernel.shape[3])
    members = np.empty(columns.shape, np.int32)
    count = 0
    for channel in range(columns.shape[1]):
        _, places = np.unique(columns[:, channel], return_inverse=True)
        members[:, channel] = places + count
        count += int(places.max()) + 1
    return members.reshape(kernel.shape)
