"""Layers with random weights, for graphs that are only timed.

The latency of an int8 graph does not depend on its weights: none are trained, and no Keras layer is
made.
"""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.networks.folded_layers import FoldedLayer, FoldedLayers
from jejunet_nas.networks.layers import Conv

Weights = npt.NDArray[np.float32]


class RandomLayers(FoldedLayers):
    """`FoldedLayers` that draws the weights of a layer from its name."""

    def __init__(self) -> None:
        super().__init__({})

    def conv(self, x: Any, conv: Conv) -> Any:
        """Convolve; see `Layers.conv`."""
        shape = (conv.kernel, conv.kernel, int(x.shape[3]), conv.filters)
        self._draw(conv.name, shape, conv.filters, 0.1 if conv.batch_norm else 0.0)
        return super().conv(x, conv)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        """Convolve each channel; see `Layers.depthwise`."""
        channels = int(x.shape[3])
        self._draw(name, (3, 3, channels, 1), channels, 0.1)
        return super().depthwise(x, name, stride=stride, dilation=dilation)

    def _draw(self, name: str, shape: tuple[int, ...], channels: int, shift: float) -> None:
        bias = np.full(channels, shift, np.float32)
        self.weights[name] = FoldedLayer(_drawn(name, shape), bias)


def _drawn(name: str, shape: tuple[int, ...]) -> Weights:
    """Return weights with He's deviation: features keep their size from layer to layer."""
    fan_in = shape[0] * shape[1] * (1 if shape[3] == 1 else shape[2])
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), shape).astype(np.float32)
