"""The wiring read into TensorFlow operators over constants, batch norm folded: for inference.

The third reading of `Layers`. A graph traced from it holds no variables and no batch norm, and is
traced in a fifth of the time that Keras layers take; weights are those of the moment of folding.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON


class FoldedLayers:
    """`Layers` whose tensors are TensorFlow's, with the weights of trained Keras layers."""

    def __init__(self, trained: Mapping[str, Any]) -> None:
        """Take the weights of `trained`, Keras layers by name."""
        self._weights = {name: layer.get_weights() for name, layer in trained.items()}

    def conv(
        self,
        x: Any,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        batch_norm: bool = True,
        relu6: bool = True,
    ) -> Any:
        """Convolve; see `Layers.conv`."""
        weights, *bias = self._weights[name]
        shift = bias[0] if bias else 0.0
        if batch_norm:
            scale, shift = self._scale_and_shift(name)
            weights = weights * scale
        x = tf.nn.conv2d(x, weights, stride, "SAME") + shift
        return tf.nn.relu6(x) if relu6 else x

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        """Convolve each channel; see `Layers.depthwise`."""
        (weights,) = self._weights[name]
        scale, shift = self._scale_and_shift(name)
        x = tf.nn.depthwise_conv2d(
            x,
            weights * scale[:, None],
            (1, stride, stride, 1),
            "SAME",
            dilations=(dilation, dilation),
        )
        return tf.nn.relu6(x + shift)

    def add(self, name: str, first: Any, second: Any, *, relu6: bool = False) -> Any:
        """Add; see `Layers.add`."""
        return tf.nn.relu6(first + second) if relu6 else first + second

    def concatenate(self, name: str, first: Any, second: Any) -> Any:
        """Join channels; see `Layers.concatenate`."""
        return tf.concat([first, second], axis=3)

    def upsample(self, x: Any, name: str, factor: int) -> Any:
        """Enlarge; see `Layers.upsample`."""
        if factor == 1:
            return x
        return tf.image.resize(x, (x.shape[1] * factor, x.shape[2] * factor))

    def mean(self, x: Any, name: str) -> Any:
        """Average; see `Layers.mean`."""
        return tf.reduce_mean(x, axis=(1, 2), keepdims=True)

    def sigmoid(self, x: Any, name: str) -> Any:
        """Squash; see `Layers.sigmoid`."""
        return tf.sigmoid(x)

    def _scale_and_shift(self, name: str) -> tuple[Any, Any]:
        gamma, beta, mean, variance = self._weights[f"{name}_BN"]
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        return scale, beta - mean * scale
