"""Layers: the interface that a network is written against, once for all implementations.

    keras_layers.py     Keras layers, to train
    folded_layers.py    TensorFlow operators over constants, to convert
    operators.py        the operators of the converted graph, to predict its latency
    wiring.py           the layers that write and read each channel, to equalise and to prune

`compression.quantization_aware` and `profiling.build` have one each.

A layer is identified by its name: the same name means the same layer with the same weights, so the
paths of a network share weights. All layers here can be quantised, and LiteRT's default delegate
(XNNPACK) runs them.
"""

from typing import NamedTuple, Protocol, TypeVar

Tensor = TypeVar("Tensor")


class Conv(NamedTuple):
    """A square convolution, then batch norm (without it: a bias), then optionally ReLU6."""

    name: str
    filters: int
    kernel: int = 1
    stride: int = 1
    batch_norm: bool = True
    relu6: bool = True


class Layers(Protocol[Tensor]):
    """Applies named layers to [batch, height, width, channels] tensors, with TF SAME padding."""

    def conv(self, x: Tensor, conv: Conv) -> Tensor:
        """Convolve."""

    def depthwise(self, x: Tensor, name: str, *, stride: int = 1, dilation: int = 1) -> Tensor:
        """Depthwise 3x3 convolution, then batch norm and ReLU6."""

    def add(self, name: str, first: Tensor, second: Tensor, *, relu6: bool = False) -> Tensor:
        """Add; a `second` of height and width 1 is broadcast to every pixel."""

    def concatenate(self, name: str, first: Tensor, second: Tensor) -> Tensor:
        """Concatenate the channels."""

    def upsample(self, x: Tensor, name: str, factor: int) -> Tensor:
        """Upsample bilinearly by a `factor` of 2 or more, with half-pixel centres."""

    def mean(self, x: Tensor, name: str) -> Tensor:
        """Global average pooling; height and width become 1."""

    def sigmoid(self, x: Tensor, name: str) -> Tensor:
        """Apply the logistic function."""


def separable(
    layers: Layers[Tensor], x: Tensor, name: str, filters: int, *, stride: int = 1
) -> Tensor:
    """Depthwise separable convolution: 3x3 and 1x1, each with batch norm and ReLU6."""
    x = layers.depthwise(x, f"{name}_depthwise", stride=stride)
    return layers.conv(x, Conv(f"{name}_pointwise", filters))
