"""The three graphs of a network, written as `.tflite` files.

    key.tflite         image -> class_map, context
    propagate.tflite   image, context -> class_map
    gate.tflite        now, keyframe -> score

Pictures are uint8 pixels whatever the graph computes in, class maps are uint8.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jejunet_nas.compression.convert import FloatWeights, Function, convert_float, convert_rounded
from jejunet_nas.compression.rounding import Ranged, Ranges
from jejunet_nas.networks.build import FoldedNetwork, as_input
from jejunet_nas.networks.folded_layers import Folded, FoldedLayers
from jejunet_nas.networks.paths import context_channels, context_stride
from jejunet_nas.networks.wiring import INPUTS
from jejunet_nas.records import GRAPH_NAMES, GraphName
from jejunet_nas.resize import THUMBNAIL_STRIDE
from jejunet_nas.space.architecture import Network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Int8Network:
    """A network in int8: folded weights, still in floats, and every output's range."""

    network: Network
    classes: int
    weights: Folded
    ranges: Ranges

    def write(self, folder: Path) -> dict[GraphName, Path]:
        """Write the int8 graphs into `folder`."""
        shapes = _graph_shapes(self.network)
        layers = FoldedLayers(self.weights, Ranged(self.ranges))
        functions = _functions(FoldedNetwork(self.network, self.classes, layers))
        return _write(
            folder,
            lambda name: convert_rounded(functions[name], shapes[name], int8_inputs=("context",)),
        )


def write_float_graphs(
    network: FoldedNetwork, folder: Path, weights: FloatWeights
) -> dict[GraphName, Path]:
    """Write float32 graphs of `network` whose weights are stored as `weights`."""
    shapes = _graph_shapes(network.network)
    functions = _functions(network, pixels=as_input)
    return _write(
        folder,
        lambda name: convert_float(
            functions[name], shapes[name], weights=weights, uint8_inputs=INPUTS
        ),
    )


def _functions(
    network: FoldedNetwork, *, pixels: Callable[[Any], Any] = lambda values: values
) -> dict[GraphName, Function]:
    """Return the function of each graph; `pixels` is applied to pictures first."""
    return {
        "key": lambda image: dict(
            zip(("class_map", "context"), network.key(pixels(image)), strict=True)
        ),
        "propagate": lambda image, context: {
            "class_map": network.propagate(pixels(image), context)
        },
        "gate": lambda now, keyframe: {"score": network.gate(pixels(now), pixels(keyframe))},
    }


def _graph_shapes(network: Network) -> dict[GraphName, dict[str, tuple[int, ...]]]:
    height, width, stride = network.input_height, network.input_width, context_stride(network)
    image = (1, height, width, 3)
    context = (1, height // stride, width // stride, context_channels(network))
    thumbnail = (1, height // THUMBNAIL_STRIDE, width // THUMBNAIL_STRIDE, 3)
    return {
        "key": {"image": image},
        "propagate": {"image": image, "context": context},
        "gate": {"now": thumbnail, "keyframe": thumbnail},
    }


def _write(folder: Path, convert: Callable[[GraphName], bytes]) -> dict[GraphName, Path]:
    files = {name: folder / f"{name}.tflite" for name in GRAPH_NAMES}
    for name, file in files.items():
        file.write_bytes(convert(name))
    return files
