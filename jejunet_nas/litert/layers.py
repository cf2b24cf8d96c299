"""Reads the inside of a `.tflite` graph: layers' outputs and stored kernels."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.litert.graph import Array, interpreter
from jejunet_nas.litert.operators import unpacked_weights


def layer_values(
    file: Path, runs: Iterable[Mapping[str, Array]]
) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    """Yield for each of `runs` (inputs by name) the output of each layer, as real values by name.

    A layer is the name scope in which the converted function made its tensors; the graph's outputs
    have their own names. No delegate is used, because a delegate discards intermediate tensors.
    """
    graph = interpreter(file, delegate=False, experimental_preserve_all_tensors=True)
    graph.allocate_tensors()
    inputs = {tensor["name"]: tensor["index"] for tensor in graph.get_input_details()}
    tensors = {tensor["index"]: tensor for tensor in graph.get_tensor_details()}
    # Of several tensors of one layer the last is its output.
    outputs = {
        str(tensors[int(index)]["name"]).split("/")[0]: tensors[int(index)]
        for node in graph._get_ops_details()
        for index in node["outputs"]
        if len(tensors[int(index)]["shape"])
    }
    for run in runs:
        for name, value in run.items():
            graph.set_tensor(inputs[name], value)
        graph.invoke()
        yield {
            layer: _real(graph.get_tensor(tensor["index"]), tensor)
            for layer, tensor in outputs.items()
        }


def convolution_weights(file: Path) -> list[Array]:
    """Return the kernels of the convolutions of `file` as stored, each [channels, weights]."""
    graph = interpreter(file, delegate=False)
    graph.allocate_tensors()
    nodes = graph._get_ops_details()
    stored_as = unpacked_weights(nodes, graph)
    kernels = []
    for node in nodes:
        if node["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            index = int(node["inputs"][1])
            kernel = graph.get_tensor(stored_as.get(index, index))
            # [out, height, width, in], or [1, height, width, channels]
            axis = 3 if node["op_name"] == "DEPTHWISE_CONV_2D" else 0
            kernels.append(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1))
    return kernels


def _real(stored: Array, tensor: Any) -> npt.NDArray[np.float32]:
    scale, zero_point = tensor["quantization"]
    if not scale:
        return stored.astype(np.float32)
    return np.asarray(scale * (stored.astype(np.float32) - zero_point), np.float32)
