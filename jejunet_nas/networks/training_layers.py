"""`Layers` as TensorFlow operators over the variables of a Keras network, to train.

A batch norm is either `settled` or not. A settled one keeps its mean and variance, and is folded
into its convolution in each step, so that no pass over the features is spent on it; its scale and
shift are trained. The others take the statistics of the batch.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from jejunet_nas.networks.folded_layers import FoldedLayer, FoldedLayers
from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON
from jejunet_nas.networks.paths import context_path, decoder, detail_path
from jejunet_nas.space.architecture import Network


class Variables(NamedTuple):
    """The tensors or variables of a convolution: its bias, or those of its batch norm.

    kernel: [height, width, in, out], or depthwise [height, width, channels, 1]. The others have a
    value for each output channel.
    """

    kernel: Any
    depthwise: bool
    bias: Any = None
    gamma: Any = None
    beta: Any = None
    mean: Any = None
    variance: Any = None

    def folded(self) -> FoldedLayer:
        """Return the convolution with its batch norm folded in."""
        if self.bias is not None:
            return FoldedLayer(self.kernel, self.bias)
        scale = self.gamma * tf.math.rsqrt(self.variance + BATCH_NORM_EPSILON)
        each = scale[:, None] if self.depthwise else scale
        return FoldedLayer(self.kernel * each, self.beta - self.mean * scale)


class Statistics(NamedTuple):
    """The mean and variance of each channel of a batch."""

    mean: Any
    variance: Any


Seen = dict[str, list[Statistics]]  # by convolution; one for each of its calls


def variables_of(layers: Mapping[str, Any]) -> dict[str, Variables]:
    """Return the variables of the convolutions among Keras `layers`, by name."""
    found = {}
    for name, layer in layers.items():
        depthwise = hasattr(layer, "depthwise_kernel")
        if depthwise or hasattr(layer, "kernel"):
            norm = layers.get(f"{name}_BN")
            kernel, *bias = layer.weights
            rest = norm.weights if norm else ()
            found[name] = Variables(kernel, depthwise, *(bias or (None,)), *rest)
    return found


class TrainingLayers(FoldedLayers):
    """One step's `Layers`; it is made inside the step, so that gradients reach the variables.

    seen: the statistics of each batch norm that is not settled, once for each call.
    """

    def __init__(self, variables: Mapping[str, Variables], settled: Collection[str]) -> None:
        self._normed = {
            name: each
            for name, each in variables.items()
            if each.gamma is not None and name not in settled
        }
        self.seen: Seen = {name: [] for name in self._normed}
        super().__init__(
            {
                name: FoldedLayer(each.kernel, each.beta) if name in self._normed else each.folded()
                for name, each in variables.items()
            }
        )

    def shift(self, x: Any, name: str, bias: Any) -> Any:
        if name not in self._normed:
            return tf.nn.bias_add(x, bias)
        norm = self._normed[name]
        x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x, norm.gamma, norm.beta, epsilon=BATCH_NORM_EPSILON, is_training=True
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
