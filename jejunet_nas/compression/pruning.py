"""Pruning: the least important channels or weights are removed, and the network is fine-tuned.

Channels (structured): of the decoder and of the last blocks. Their importance is their variance
times the squared weights that read them. The network gets narrower, by `Network.pruning`, and
faster.

Magnitude (unstructured): the smallest weights of each convolution become 0, gradually, with
tensorflow-model-optimization's wrappers. LiteRT gets no faster; only a compressed file is smaller.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.sparsity.keras import PolynomialDecay, prune_low_magnitude

from jejunet_nas.compression.settings import Pruning
from jejunet_nas.compression.statistics import PIXELS, CalibrationInputs, Values
from jejunet_nas.networks.build import (
    FoldedNetwork,
    KerasNetwork,
    assemble,
    build_network,
    reset_keras,
)
from jejunet_nas.networks.folded_layers import FoldedLayers, Taps, fold
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.wiring import Part, Wiring, read_wiring
from jejunet_nas.progress import Tell
from jejunet_nas.training.inherit import Indices, largest
from jejunet_nas.training.material import Material

RISING_SHARE = 0.6  # of the steps, in which the share of zeros rises
UPDATE_EVERY = 5  # steps, after which the smallest weights are chosen again


def cut_channels(
    network: KerasNetwork, share: float, frames: npt.NDArray[np.uint8]
) -> KerasNetwork:
    """Return `network` without a `share` of the channels of its decoder and last blocks, untrained.

    frames: uint8 [count, height, width, 3], on which variances are computed.
    """
    narrow = dataclasses.replace(network.network, pruning=share)
    whole = read_wiring(network.network, network.classes)
    left = read_wiring(narrow, network.classes)
    importance = _importance(network, whole, frames)
    kept = {name: largest(importance[name], left.groups[name].channels) for name in whole.groups}
    pruned = build_network(narrow, network.classes, seed=0)
    for name, layer in pruned.layers.items():
        if layer.weights:
            layer.set_weights(_sliced(network.layers[name], name, whole, kept))
    return pruned


def train_sparse(
    network: KerasNetwork, settings: Pruning, material: Material, tell: Tell
) -> KerasNetwork:
    """Return `network`, fine-tuned while a rising share of its weights becomes 0."""
    wrappers: list[Any] = []
    rising = max(1, round(settings.steps * RISING_SHARE))
    every = UPDATE_EVERY if rising >= UPDATE_EVERY else 1
    schedule = PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=settings.share,
        begin_step=0,
        end_step=rising // every * every,  # else the final share is never reached
        frequency=every,
    )

    def ready(layer: Any, x: Any) -> Any:
        if type(layer) is not tf_keras.layers.Conv2D or layer.name.startswith("gate_"):
            return layer
        wrappers.append(prune_low_magnitude(layer, pruning_schedule=schedule))
        return wrappers[-1]

    reset_keras(material.training.seed)
    layers = KerasLayers(ready)
    sparse = assemble(network.network, network.classes, layers, layers.by_name)
    _set_weights(sparse, network)
    steps_done = iter(range(1, settings.steps + 1))

    def count_steps() -> None:
        # The wrappers count calls, and a layer of both paths is called twice a step.
        done = next(steps_done)
        for wrapper in wrappers:
            wrapper.pruning_step.assign(done)

    for wrapper in wrappers:
        wrapper.pruning_step.assign(0)
    material.train(
        sparse, tell, what="train with fewer weights", schedule=settings, after_step=count_steps
    )
    for wrapper in wrappers:
        for weight, mask, _ in wrapper.pruning_vars:
            weight.assign(weight * mask)  # the last step changed them again
    return unwrapped(sparse)


def unwrapped(network: KerasNetwork, weights: Mapping[str, list[Any]] = {}) -> KerasNetwork:
    """Return a copy of `network` in plain Keras layers, with its weights or the given ones."""
    plain = build_network(network.network, network.classes, seed=0)
    _set_weights(plain, network, weights)
    return plain


def _set_weights(
    target: KerasNetwork, source: KerasNetwork, weights: Mapping[str, list[Any]] = {}
) -> None:
    for name, layer in target.layers.items():
        if layer.weights:
            layer.set_weights(weights.get(name) or source.layers[name].get_weights())


class _Variances(Taps):
    def __init__(self) -> None:
        self.of: dict[str, Values] = {}

    def output(self, name: str, x: Any) -> Any:
        variance = tf.math.reduce_variance(x, PIXELS).numpy()
        self.of[name] = np.asarray(self.of.get(name, 0.0) + variance, np.float32)
        return x


def _importance(
    network: KerasNetwork, wiring: Wiring, frames: npt.NDArray[np.uint8]
) -> dict[str, Values]:
    """Return the variance that each channel of each group adds to the layers that read it."""
    seen, weights = _Variances(), fold(network.layers)
    folded = FoldedNetwork(network.network, network.classes, FoldedLayers(weights, seen))
    CalibrationInputs.of(frames).run(folded)
    importance = {
        name: np.zeros(group.channels, np.float32) for name, group in wiring.groups.items()
    }
    for name, group in wiring.groups.items():
        for reader in group.readers:
            if reader.dense:
                span = slice(reader.first, reader.first + group.channels)
                strength = np.sum(weights[reader.layer].kernel ** 2, axis=(0, 1, 3))[span]
                importance[name] += strength * seen.of[reader.input][span]
    return importance


def _sliced(layer: Any, name: str, wiring: Wiring, kept: dict[str, Indices]) -> list[Any]:
    weights = layer.get_weights()
    convolution = name.removesuffix("_BN")
    read = _places(wiring.inputs[convolution], kept)
    written = kept[wiring.made[convolution]] if convolution in wiring.made else read
    if name != convolution:  # batch norm
        return [values[written] for values in weights]
    kernel, *bias = weights
    kernel = kernel[:, :, read]
    if convolution in wiring.made:
        kernel = kernel[..., written]
    return [kernel, *(values[written] for values in bias)]


def _places(parts: tuple[Part, ...], kept: dict[str, Indices]) -> Indices:
    """Return the kept channels of a layer's input, which consists of `parts`."""
    firsts = np.cumsum([0, *(part.channels for part in parts)])
    return np.concatenate(
        [first + kept[part.of] for first, part in zip(firsts, parts, strict=False)]
    )
