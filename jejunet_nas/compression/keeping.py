"""Keeping: zeros stay zero and clusters stay clusters during fine-tuning.

One plain step would destroy both. So after each step, weights that were zero are set to zero, and
the weights of one cluster in one output channel to their mean. Clusters are per channel, since
folded batch norm has scaled each channel differently.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from jejunet_nas.networks.folded_layers import Folded

Members = npt.NDArray[np.int32]  # of a kernel's shape: the cluster of each weight


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keeping:
    """The zeros and clusters of each layer.

    masks: 0 where a weight is 0, else 1. members: equal numbers for equal weights.
    """

    masks: Mapping[str, npt.NDArray[np.float32]]
    members: Mapping[str, Members]

    @classmethod
    def of(cls, kernels: Folded, *, zeros: bool, clusters: bool) -> "Keeping":
        """Keep the zeros of `kernels`, their clusters, or both."""
        masks = {name: (layer.kernel != 0).astype(np.float32) for name, layer in kernels.items()}
        members = {name: _members(layer.kernel) for name, layer in kernels.items()}
        return cls(masks=masks if zeros else {}, members=members if clusters else {})

    def restorer(self, layers: Mapping[str, Any]) -> Callable[[], None]:
        """Return a function that restores the kernels of Keras `layers` after each step."""
        kernels = {name: layer.kernel for name, layer in layers.items() if hasattr(layer, "kernel")}

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def restore() -> None:
            for name, kernel in kernels.items():
                value = kernel
                if name in self.members:
                    value = _one_value_each(value, self.members[name])
                if name in self.masks:
                    value = value * self.masks[name]
                if value is not kernel:
                    kernel.assign(value)

        return restore  # type: ignore[no-any-return]


def _one_value_each(kernel: Any, members: Members) -> Any:
    flat = tf.reshape(members, [-1])
    count = int(members.max()) + 1
    means = tf.math.unsorted_segment_mean(tf.reshape(kernel, [-1]), flat, count)
    return tf.reshape(tf.gather(means, flat), kernel.shape)


def _members(kernel: npt.NDArray[np.float32]) -> Members:
    """Return a number for each weight, the same for equal weights of one output channel."""
    columns = kernel.reshape(-1, kernel.shape[3])
    members = np.empty(columns.shape, np.int32)
    count = 0
    for channel in range(columns.shape[1]):
        _, places = np.unique(columns[:, channel], return_inverse=True)
        members[:, channel] = places + count
        count += int(places.max()) + 1
    return members.reshape(kernel.shape)
