"""Builds the Keras models of a network. The models share their layers and weights."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from jejunet_nas.documents.arrays import read_arrays, require_finite
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.networks.folded_layers import FoldedLayers, Taps, fold
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.layers import Layers
from jejunet_nas.networks.paths import class_map_factor, gate_path, key_path, propagate_path
from jejunet_nas.resize import THUMBNAIL_STRIDE
from jejunet_nas.space.architecture import Network

MASKS_BATCH = 8  # frames per forward pass in `KerasNetwork.masks`


def as_input(frames: Any) -> Any:
    """Return uint8 pixels as float32 in [-1, 1]."""
    return tf.cast(frames, tf.float32) / 127.5 - 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KerasNetwork:
    """The float models of one network.

    key: image -> [logits, context]. context: image -> context, a part of key. propagate: [image,
    context] -> logits. gate: [thumbnail now, thumbnail of the keyframe] -> score. Images are
    float32 [batch, height, width, 3] in [-1, 1]. layers: by name. taps: hooks of inference, if the
    network was trained for them.
    """

    network: Network
    classes: int
    key: Any
    context: Any
    propagate: Any
    gate: Any
    layers: dict[str, Any]
    taps: Callable[[], Taps] = Taps

    def decode_with(self, frames: Any, context_frames: Any, *, training: bool) -> Any:
        """Return the logits of `frames`, decoded with the context of `context_frames`.

        Without detail, the context is that of `frames` itself.
        """
        if not self.network.propagates:
            context_frames = frames
        context = self.context(context_frames, training=training)
        return self.propagate([frames, context], training=training)

    def path_layers(self) -> list[Any]:
        """Return the layers with weights of the key and the propagate path, each once."""
        layers = [*self.context.layers, *self.propagate.layers]
        return list({layer.name: layer for layer in layers if layer.weights}.values())

    @property
    def wrapped(self) -> bool:
        """Whether other layers stand in the place of `layers`, or between them.

        They round, mask or cluster, so only the Keras models can train such a network.
        """
        return any(self.layers.get(layer.name) is not layer for layer in self.path_layers())

    def folded(self) -> "FoldedNetwork":
        """Return a copy of the network for inference, with its current weights."""
        layers = FoldedLayers(fold(self.layers), self.taps())
        return FoldedNetwork(self.network, self.classes, layers)

    def masks(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the class maps of `frames` (uint8 [count, h, w, 3]), each run as a keyframe."""
        folded = self.folded()
        forward = tf.function(lambda pixels: folded.key(as_input(pixels))[0], autograph=False)
        # The last batch is padded, because another batch size would be traced again.
        missing = -len(frames) % MASKS_BATCH
        filled = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        batches = np.split(filled, len(filled) // MASKS_BATCH)
        return np.concatenate([forward(batch).numpy() for batch in batches])[: len(frames)]

    def save_weights(self, file: Path) -> None:
        """Write the weights of all layers as an `.npz`: `LAYER/NUMBER`, in Keras' order."""
        weights = {
            f"{name}/{number}": weight
            for name, layer in self.layers.items()
            for number, weight in enumerate(layer.get_weights())
        }
        np.savez(file, **weights)

    def load_weights(self, file: Path) -> None:
        """Load the weights that `save_weights` wrote. Raises `SettingError` naming the file."""
        try:
            stored = read_arrays(file)
            require_finite(stored)
            weights = {
                name: [stored[f"{name}/{number}"] for number in range(len(layer.weights))]
                for name, layer in self.layers.items()
            }
            for name, layer in self.layers.items():
                layer.set_weights(weights[name])
        except (ValueError, KeyError) as reason:
            raise SettingError(
                f"{file}, the weights of a trained network, cannot be used: "
                f"{shortened(str(reason))}. Remove {file.parent} and run the command again, "
                "or copy that folder again."
            ) from None

    @property
    def parameters(self) -> int:
        """The number of trainable weights of all three graphs; shared weights count once."""
        return int(
            sum(tf.size(w) for layer in self.layers.values() for w in layer.trainable_weights)
        )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class FoldedNetwork:
    """The inference functions of a trained network, with constant weights and class map outputs."""

    network: Network
    classes: int
    layers: FoldedLayers

    def key(self, image: Any) -> tuple[Any, Any]:
        """Return the class map (uint8 [batch, h, w]) and the context of float images in [-1, 1]."""
        image = self.layers.taps.output("image", image)
        logits, context = key_path(self.layers, image, self.network, self.classes)
        return self._class_map(logits), context

    def propagate(self, image: Any, context: Any) -> Any:
        """Return the class map of `image` with the `context` of a keyframe."""
        image = self.layers.taps.output("image", image)
        context = self.layers.taps.output("context", context)
        logits = propagate_path(self.layers, image, context, self.network, self.classes)
        return self._class_map(logits)

    def gate(self, now: Any, keyframe: Any) -> Any:
        """Return the gate's score, [batch, 1, 1, 1], of two float thumbnails in [-1, 1]."""
        now = self.layers.taps.output("now", now)
        keyframe = self.layers.taps.output("keyframe", keyframe)
        return gate_path(self.layers, now, keyframe)

    def _class_map(self, logits: Any) -> Any:
        enlarged = self.layers.upsample(logits, "class_map", class_map_factor(self.network))
        return tf.cast(tf.argmax(enlarged, -1, output_type=tf.int32), tf.uint8)


def build_network(network: Network, classes: int, *, seed: int) -> KerasNetwork:
    """Return the models of `network` with random weights drawn from `seed`."""
    reset_keras(seed)
    layers = KerasLayers()
    return assemble(network, classes, layers, layers.by_name)


def reset_keras(seed: int) -> None:
    """Free the layer names of earlier networks, and seed the initial weights of the next."""
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)


def assemble(
    network: Network,
    classes: int,
    layers: Layers[Any],
    by_name: dict[str, Any],
    taps: Callable[[], Taps] = Taps,
) -> KerasNetwork:
    """Return the models of `network`; `by_name` is filled with the Keras layers of `layers`."""
    height, width = network.input_height, network.input_width
    image = tf_keras.Input((height, width, 3), name="image")
    thumbnail_shape = (height // THUMBNAIL_STRIDE, width // THUMBNAIL_STRIDE, 3)
    now = tf_keras.Input(thumbnail_shape, name="now")
    keyframe = tf_keras.Input(thumbnail_shape, name="keyframe")

    logits, context = key_path(layers, image, network, classes)
    carried = tf_keras.Input(context.shape[1:], name="context")
    propagated = propagate_path(layers, image, carried, network, classes)
    return KerasNetwork(
        network=network,
        classes=classes,
        key=tf_keras.Model(image, [logits, context], name="key"),
        context=tf_keras.Model(image, context, name="context"),
        propagate=tf_keras.Model([image, carried], propagated, name="propagate"),
        gate=tf_keras.Model([now, keyframe], gate_path(layers, now, keyframe), name="gate"),
        layers=by_name,
        taps=taps,
    )
