"""Opens `.tflite` files: runs them and lists their operators. The only part that imports LiteRT."""

from jejunet_nas.litert.gate import admit, metadata_buffer, vouch_for
from jejunet_nas.litert.graph import Graph, TensorInfo
from jejunet_nas.litert.layers import convolution_weights, layer_values
from jejunet_nas.litert.operators import countable_operators, list_operators

__all__ = [
    "Graph",
    "TensorInfo",
    "admit",
    "convolution_weights",
    "countable_operators",
    "layer_values",
    "list_operators",
    "metadata_buffer",
    "vouch_for",
]
