"""Opens `.tflite` files: runs them and lists their operators. The only part that imports LiteRT."""

from jejunet_nas.litert.graph import Graph, TensorInfo
from jejunet_nas.litert.layers import convolution_weights, layer_values, metadata_buffer
from jejunet_nas.litert.operators import list_operators

__all__ = [
    "Graph",
    "TensorInfo",
    "convolution_weights",
    "layer_values",
    "list_operators",
    "metadata_buffer",
]
