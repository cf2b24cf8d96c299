"""Writes the int8 graphs of probes with random weights. Needs TensorFlow."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.compression.convert import convert_int8
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.networks.folded_layers import FoldedLayer, FoldedLayers
from jejunet_nas.networks.layers import Conv, Layers
from jejunet_nas.networks.paths import context_channels, context_stride
from jejunet_nas.records import GraphName
from jejunet_nas.resize import THUMBNAIL_STRIDE
from jejunet_nas.space.architecture import Network

CONTEXT_REACH = 6.0  # a ReLU6 ends there


class RandomLayers(FoldedLayers):
    """`FoldedLayers` that draws the weights of a layer from its name.

    The latency of an int8 graph does not depend on its weights, so none are trained.
    """

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
        # He's deviation: features keep their size from layer to layer.
        fan_in = shape[0] * shape[1] * (1 if shape[3] == 1 else shape[2])
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        drawn = rng.normal(0.0, np.sqrt(2.0 / fan_in), shape).astype(np.float32)
        self.weights[name] = FoldedLayer(drawn, np.full(channels, shift, np.float32))


def write_network_graph(network: Network, classes: int, graph: GraphName, file: Path) -> None:
    """Write the `graph` of `network` to `file`."""
    folded = FoldedNetwork(network, classes, RandomLayers())
    height, width = network.input_height, network.input_width
    if graph == "key":
        made = _convert(
            lambda image: dict(zip(("class_map", "context"), folded.key(image), strict=True)),
            {"image": (1, height, width, 3)},
        )
    elif graph == "propagate":
        stride = context_stride(network)
        context = (1, height // stride, width // stride, context_channels(network))
        made = _convert(
            lambda image, context: {"class_map": folded.propagate(image, context)},
            {"image": (1, height, width, 3), "context": context},
            int8_inputs=("context",),
        )
    else:
        thumbnail = (1, height // THUMBNAIL_STRIDE, width // THUMBNAIL_STRIDE, 3)
        made = _convert(
            lambda now, keyframe: {"score": folded.gate(now, keyframe)},
            {"now": thumbnail, "keyframe": thumbnail},
        )
    file.write_bytes(made)


def write_wired(
    wire: Callable[[Layers[Any], Any], Any], shape: tuple[int, int, int], file: Path
) -> None:
    """Write the layers of `wire` over an int8 feature map of `shape` to `file`."""
    made = _convert(
        lambda features: {"out": wire(RandomLayers(), features)},
        {"features": (1, *shape)},
        int8_inputs=("features",),
    )
    file.write_bytes(made)


def _convert(
    function: Callable[..., dict[str, Any]],
    inputs: dict[str, tuple[int, ...]],
    *,
    int8_inputs: tuple[str, ...] = (),
) -> bytes:
    # One run over noise: the ranges need not be right for a graph that is only timed.
    rng = np.random.default_rng(0)
    reach = {name: CONTEXT_REACH if name in int8_inputs else 1.0 for name in inputs}
    run = {n: rng.uniform(-reach[n], reach[n], shape) for n, shape in inputs.items()}
    return convert_int8(function, inputs, [run], int8_inputs=int8_inputs)
