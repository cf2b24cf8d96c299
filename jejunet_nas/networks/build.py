"""Builds the Keras models of a network from its wiring.

The models share their layers: training one trains all. `training` is what a step runs: a frame,
decoded with the context of another (or the same) frame.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from jejunet_nas.networks.class_map import class_map_factor
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.paths import (
    context_path,
    gate_path,
    key_path,
    propagate_path,
)
from jejunet_nas.resize import THUMBNAIL_STRIDE
from jejunet_nas.space.architecture import Network

MASKS_BATCH = 8  # frames of one forward pass in `KerasNetwork.masks`


def as_input(frames: Any) -> Any:
    """Return uint8 pixels as float32 in [-1, 1], as networks take them."""
    return tf.cast(frames, tf.float32) / 127.5 - 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KerasNetwork:
    """The float models of one network.

    key: image -> [logits, context]. propagate: [image, context] -> logits. training: [image,
    context image] -> logits. gate: [thumbnail now, thumbnail of the keyframe] -> score. Images are
    float32 [batch, height, width, 3] in [-1, 1].
    """

    network: Network
    classes: int
    key: Any
    propagate: Any
    training: Any
    gate: Any
    layers: dict[str, Any]

    def class_map(self, logits: Any) -> Any:
        """Return the class map, uint8 [batch, h, w], of logits as the converted graphs make it."""
        factor = class_map_factor(self.network)
        size = (logits.shape[1] * factor, logits.shape[2] * factor)
        enlarged = tf.image.resize(logits, size)
        return tf.cast(tf.argmax(enlarged, -1, output_type=tf.int32), tf.uint8)

    def masks(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return float class maps of `frames`, uint8 [count, h, w, 3], each as a keyframe."""
        forward = tf.function(
            lambda pixels: self.class_map(self.key(as_input(pixels), training=False)[0]),
            autograph=False,
        )
        # The last batch is filled up: a batch of another size would be traced anew.
        missing = -len(frames) % MASKS_BATCH
        filled = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        batches = np.split(filled, len(filled) // MASKS_BATCH)
        return np.concatenate([forward(batch).numpy() for batch in batches])[: len(frames)]

    @property
    def parameters(self) -> int:
        """Number of weights of all three graphs, shared ones once."""
        return int(
            sum(tf.size(w) for layer in self.layers.values() for w in layer.trainable_weights)
        )


def build_network(network: Network, classes: int, *, seed: int) -> KerasNetwork:
    """Return the models of `network` with weights drawn by `seed`."""
    tf_keras.backend.clear_session()  # layer names are ours; a trial must not see the last one's
    tf_keras.utils.set_random_seed(seed)
    layers = KerasLayers()
    height, width = network.input_height, network.input_width
    image = tf_keras.Input((height, width, 3), name="image")
    earlier = tf_keras.Input((height, width, 3), name="context_image")
    thumbnail_shape = (height // THUMBNAIL_STRIDE, width // THUMBNAIL_STRIDE, 3)
    now = tf_keras.Input(thumbnail_shape, name="now")
    keyframe = tf_keras.Input(thumbnail_shape, name="keyframe")

    logits, context = key_path(layers, image, network, classes)
    carried = tf_keras.Input(context.shape[1:], name="context")
    propagated = propagate_path(layers, image, carried, network, classes)
    trained = propagate_path(
        layers, image, context_path(layers, earlier, network), network, classes
    )
    return KerasNetwork(
        network=network,
        classes=classes,
        key=tf_keras.Model(image, [logits, context], name="key"),
        propagate=tf_keras.Model([image, carried], propagated, name="propagate"),
        training=tf_keras.Model([image, earlier], trained, name="training"),
        gate=tf_keras.Model([now, keyframe], gate_path(layers, now, keyframe), name="gate"),
        layers=layers.by_name,
    )
