"""Weights of a network, and what it makes of its calibration inputs; nothing here is a test."""

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.graphs import Int8Network
from jejunet_nas.compression.rounding import Rounding
from jejunet_nas.compression.statistics import CalibrationInputs, Observer
from jejunet_nas.networks.build import FoldedNetwork, KerasNetwork, as_input
from jejunet_nas.networks.folded_layers import Folded, FoldedLayers


def with_weights(network: KerasNetwork, weights: Folded) -> FoldedNetwork:
    """Return `network` with other `weights`."""
    return FoldedNetwork(network.network, network.classes, FoldedLayers(weights))


def rounded(int8: Int8Network) -> FoldedNetwork:
    """Return the float network that computes what the int8 graphs do."""
    layers = FoldedLayers(int8.weights, Rounding(int8.ranges))
    return FoldedNetwork(int8.network, int8.classes, layers)


def observed(network: KerasNetwork, weights: Folded, inputs: CalibrationInputs) -> Observer:
    """Return what is seen of `network` with `weights` over all `inputs`."""
    seen = Observer()
    layers = FoldedLayers(weights, seen)
    inputs.run(FoldedNetwork(network.network, network.classes, layers), at_once=len(inputs.frames))
    return seen


def masks_of(network: FoldedNetwork, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the class maps of uint8 `frames`, each as a keyframe."""
    return np.asarray(network.key(as_input(frames))[0])


def kernels_of(network: KerasNetwork) -> dict[str, npt.NDArray[np.float32]]:
    """Return the kernel of each convolution, before batch norm."""
    return {
        name: layer.get_weights()[0]
        for name, layer in network.layers.items()
        if layer.weights and not name.endswith("_BN")
    }


def is_pruned(convolution: str) -> bool:
    """Return whether pruning and clustering of single weights change a convolution."""
    return not convolution.endswith("depthwise") and not convolution.startswith("gate_")


def values_of(kernel: npt.NDArray[np.float32]) -> int:
    """Return how many different weights there are."""
    return len(np.unique(kernel))


def most_values_a_channel(kernel: npt.NDArray[np.float32]) -> int:
    """Return the most that any output channel has."""
    return max(map(values_of, np.moveaxis(kernel, -1, 0)))
