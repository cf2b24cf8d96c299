"""`Layers` as TensorFlow operators over the variables of a Keras network, to train.

Batch norm takes the statistics of the batch. Folding it with those of the pretrained weights saves
a fifth of a step and was left out: after 100 steps on DAVIS, mIoU is 1.7 to 7 points lower.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from jejunet_nas.networks.folded_layers import FoldedLayer, FoldedLayers
from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON
from jejunet_nas.networks.paths import context_path, decoder, detail_path
from jejunet_nas.space.architecture import Network


class Variables(NamedTuple):
    """The variables of a convolution: its bias, or the scale and shift of its batch norm.

    kernel: [height, width, in, out], or depthwise [height, width, channels, 1]. The others have a
    value for each output channel.
    """

    kernel: Any
    bias: Any
    scale: Any = None


class Statistics(NamedTuple):
    """The mean and variance of each channel of a batch."""

    mean: Any
    variance: Any


Seen = dict[str, list[Statistics]]  # by convolution; one for each of its calls


def variables_of(layers: Mapping[str, Any]) -> dict[str, Variables]:
    """Return the variables of the convolutions among Keras `layers`, by name."""
    found = {}
    for name, layer in layers.items():
        if not hasattr(layer, "kernel") and not hasattr(layer, "depthwise_kernel"):
            continue
        kernel, *bias = layer.weights
        if norm := layers.get(f"{name}_BN"):
            found[name] = Variables(kernel, norm.beta, norm.gamma)
        else:
            found[name] = Variables(kernel, *bias)
    return found


class TrainingLayers(FoldedLayers):
    """One step's `Layers`; it is made inside the step, so that gradients reach the variables.

    seen: the statistics of each batch norm, once for each call.
    """

    def __init__(self, variables: Mapping[str, Variables]) -> None:
        super().__init__(
            {name: FoldedLayer(each.kernel, each.bias) for name, each in variables.items()}
        )
        self._scales = {
            name: each.scale for name, each in variables.items() if each.scale is not None
        }
        self.seen: Seen = {name: [] for name in self._scales}

    def shift(self, x: Any, name: str, bias: Any) -> Any:
        if name not in self._scales:
            return tf.nn.bias_add(x, bias)
        x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x, self._scales[name], bias, epsilon=BATCH_NORM_EPSILON, is_training=True
        )
        self.seen[name].append(Statistics(mean, variance))
        return x


def pair_logits(
    layers: FoldedLayers,
    frames: Any,
    context_frames: Any,
    network: Network,
    classes: int,
    *,
    own: int,
) -> Any:
    """Return the logits of `frames`, each decoded with the context of its context frame.

    The first `own` frames are their own context frames: where detail is shared, one pass of the
    backbone computes their context and their detail. Without detail, every frame is its own.
    """
    if not network.propagates:
        context_frames = frames
    context, detail = context_path(layers, context_frames, network)
    if detail is not None and own < frames.shape[0]:
        others = detail_path(layers, frames[own:], network)
        detail = tf.concat([detail[:own], others], axis=0)
    elif detail is None and network.propagates:
        detail = detail_path(layers, frames, network)
    return decoder(layers, context, detail, network, classes)
