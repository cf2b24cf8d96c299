"""`Layers` as TensorFlow operators over constant weights with batch norm folded, for inference.

A graph traced from them has no variables and no batch norm, and is traced five times as fast as one
of Keras layers. Compression observes and changes tensors through `Taps` (ranges, rounding, biases).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON
from jejunet_nas.networks.layers import Conv

OUT_AXIS, DEPTHWISE_AXIS = 3, 2  # of a kernel: its output channels


class FoldedLayer(NamedTuple):
    """One convolution with its batch norm folded in.

    kernel: float32 [height, width, in, out], or depthwise [height, width, channels, 1].
    bias: float32 [out].
    """

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


Folded = dict[str, FoldedLayer]


def fold(layers: Mapping[str, Any]) -> Folded:
    """Return the convolutions among Keras `layers` by name, each with its batch norm folded in."""
    folded: Folded = {}
    for name, layer in layers.items():
        if not hasattr(layer, "kernel") and not hasattr(layer, "depthwise_kernel"):
            continue
        kernel, *bias = layer.get_weights()
        depthwise = hasattr(layer, "depthwise_kernel")
        channels = kernel.shape[DEPTHWISE_AXIS if depthwise else OUT_AXIS]
        shift = bias[0] if bias else np.zeros(channels, np.float32)
        if f"{name}_BN" in layers:
            gamma, beta, mean, variance = layers[f"{name}_BN"].get_weights()
            scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
            kernel = kernel * (scale[:, None] if depthwise else scale)
            shift = beta + (shift - mean) * scale
        folded[name] = FoldedLayer(kernel, np.asarray(shift, np.float32))
    return folded


class Taps:
    """Hooks on the tensors of a folded network; this base class changes nothing."""

    def kernel(self, name: str, kernel: Any, *, channel_axis: int) -> Any:
        """Return the kernel that layer `name` uses."""
        return kernel

    def linear(self, name: str, x: Any) -> Any:
        """Return the output of layer `name` before its activation."""
        return x

    def output(self, name: str, x: Any) -> Any:
        """Return the output of layer `name`, or the input of that name."""
        return x


class FoldedLayers:
    """`Layers` over TensorFlow tensors and folded weights."""

    def __init__(self, weights: Mapping[str, FoldedLayer], taps: Taps | None = None) -> None:
        self.weights, self.taps = dict(weights), taps or Taps()

    def conv(self, x: Any, conv: Conv) -> Any:
        weights, bias = self.weights[conv.name]
        with tf.name_scope(conv.name):
            weights = self.taps.kernel(conv.name, weights, channel_axis=OUT_AXIS)
            x = tf.nn.conv2d(x, weights, conv.stride, "SAME")
            return self._finish(self.shift(x, conv.name, bias), conv.name, relu6=conv.relu6)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        weights, bias = self.weights[name]
        with tf.name_scope(name):
            weights = self.taps.kernel(name, weights, channel_axis=DEPTHWISE_AXIS)
            strides, dilations = (1, stride, stride, 1), (dilation, dilation)
            x = tf.nn.depthwise_conv2d(x, weights, strides, "SAME", dilations=dilations)
            return self._finish(self.shift(x, name, bias), name, relu6=True)

    def shift(self, x: Any, name: str, bias: Any) -> Any:
        """Return the output of the convolution `name` with its bias added."""
        return x + bias

    def add(self, name: str, first: Any, second: Any, *, relu6: bool = False) -> Any:
        with tf.name_scope(name):
            return self._finish(first + second, name, relu6=relu6)

    def concatenate(self, name: str, first: Any, second: Any) -> Any:
        with tf.name_scope(name):
            return self.taps.output(name, tf.concat([first, second], axis=3))

    def upsample(self, x: Any, name: str, factor: int) -> Any:
        with tf.name_scope(name):
            larger = tf.image.resize(x, (x.shape[1] * factor, x.shape[2] * factor))
            return self.taps.output(name, larger)

    def mean(self, x: Any, name: str) -> Any:
        with tf.name_scope(name):
            return self.taps.output(name, tf.reduce_mean(x, axis=(1, 2), keepdims=True))

    def sigmoid(self, x: Any, name: str) -> Any:
        with tf.name_scope(name):
            return self.taps.output(name, tf.sigmoid(x))

    def _finish(self, x: Any, name: str, *, relu6: bool) -> Any:
        x = self.taps.linear(name, x)
        return self.taps.output(name, tf.nn.relu6(x) if relu6 else x)
