"""The few layers that networks are made of, as an interface with several readings.

A network's wiring is written once, against `Layers`: `keras_layers.py` reads it into Keras layers
that can be trained, `folded_layers.py` into constants to convert, `operators.py` into the operators
of the converted graph, which is all that a latency model needs, and `wiring.py` into who writes and
reads each channel. A layer is known by its
name: named again, it is the same layer with the same weights, so the paths of a network share them.

Only what can be quantised and LiteRT's default delegate runs is here.
"""

from typing import Protocol, TypeVar

Tensor = TypeVar("Tensor")


class Layers(Protocol[Tensor]):
    """Applies named layers to [batch, height, width, channels] tensors, with TF SAME padding."""

    def conv(
        self,
        x: Tensor,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        batch_norm: bool = True,
        relu6: bool = True,
    ) -> Tensor:
        """Convolve, then batch norm (a bias where there is none), then ReLU6 where asked."""

    def depthwise(self, x: Tensor, name: str, *, stride: int = 1, dilation: int = 1) -> Tensor:
        """Convolve each channel by its own 3x3 kernel, then batch norm and ReLU6."""

    def add(self, name: str, first: Tensor, second: Tensor, *, relu6: bool = False) -> Tensor:
        """Add; `second` may have height and width 1 and is then added to every pixel."""

    def concatenate(self, name: str, first: Tensor, second: Tensor) -> Tensor:
        """Put the channels of `second` behind those of `first`."""

    def upsample(self, x: Tensor, name: str, factor: int) -> Tensor:
        """Enlarge height and width bilinearly, pixel centres at halves."""

    def mean(self, x: Tensor, name: str) -> Tensor:
        """Average over height and width, which become 1."""

    def sigmoid(self, x: Tensor, name: str) -> Tensor:
        """Squash into (0, 1)."""


def separable(
    layers: Layers[Tensor], x: Tensor, name: str, filters: int, *, stride: int = 1
) -> Tensor:
    """Apply a depthwise 3x3 and a 1x1 convolution, each with batch norm and ReLU6."""
    return layers.conv(
        layers.depthwise(x, f"{name}_depthwise", stride=stride), f"{name}_pointwise", filters
    )
