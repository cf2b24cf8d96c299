"""Lists the operators of a `.tflite` graph, with the figures that a latency model needs."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.errors import SettingError
from jejunet_nas.litert.graph import first_line, interpreter
from jejunet_nas.records import Operator

_WITH_MACS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")


def list_operators(file: Path) -> list[Operator]:
    """Return the operators of `file` in the order in which they run, without a delegate.

    Raises `SettingError` if `file` is missing or is not a `.tflite` graph.
    """
    try:
        graph = interpreter(file, delegate=False)
    except (ValueError, RuntimeError) as reason:
        raise SettingError(
            f"{file} is not a .tflite graph: {first_line(reason)}. Check the path, or convert it "
            "again."
        ) from reason
    tensors = {tensor["index"]: tensor for tensor in graph.get_tensor_details()}
    nodes = graph._get_ops_details()
    # Operators that unpack float16 weights run once, when the graph is loaded.
    unpacked = unpacked_weights(nodes, graph)
    nodes = [node for node in nodes if int(node["outputs"][0]) not in unpacked]
    computed = _computed(nodes, graph)
    return [_operator(node, tensors, computed) for node in nodes]


def unpacked_weights(nodes: list[dict[str, Any]], graph: Any) -> dict[int, int]:
    """Return the stored tensor behind each float32 tensor that is dequantised from weights."""
    computed = _computed(nodes, graph)
    return {
        int(node["outputs"][0]): int(node["inputs"][0])
        for node in nodes
        if node["op_name"] == "DEQUANTIZE" and int(node["inputs"][0]) not in computed
    }


def _computed(nodes: list[dict[str, Any]], graph: Any) -> set[int]:
    """Return the tensors that are inputs of the graph or outputs of an operator: no weights."""
    made = {int(tensor) for node in nodes for tensor in node["outputs"]}
    return made | {tensor["index"] for tensor in graph.get_input_details()}


def _operator(node: dict[str, Any], tensors: dict[int, Any], computed: set[int]) -> Operator:
    inputs = [int(index) for index in node["inputs"] if index >= 0]
    activations = [tensors[index] for index in inputs if index in computed]
    weights = [tensors[index] for index in inputs if index not in computed]
    outputs = [tensors[int(index)] for index in node["outputs"]]
    kind = str(node["op_name"])
    kernel, macs = (1, 1), 0
    if kind in _WITH_MACS:
        kernel, macs = _kernel_and_macs(kind, weights, outputs[0])
    return Operator(
        kind=kind,
        kernel=kernel,
        macs=macs,
        bytes_in=sum(map(_bytes, activations)),
        bytes_out=sum(map(_bytes, outputs)),
        weight_bytes=sum(map(_bytes, weights)) if macs else 0,
        elements_out=_elements(outputs[0]),
        float32=any(tensor["dtype"] is np.float32 for tensor in (outputs[0], *activations)),
    )


def _kernel_and_macs(kind: str, weights: list[Any], out: Any) -> tuple[tuple[int, int], int]:
    shape = max((tuple(map(int, w["shape"])) for w in weights), key=math.prod)
    elements = _elements(out)
    if kind == "FULLY_CONNECTED":  # [out, in]
        return (1, 1), elements * shape[1]
    kernel = (shape[1], shape[2])  # [out, height, width, in], or [1, height, width, channels]
    channels_read = 1 if kind == "DEPTHWISE_CONV_2D" else shape[3]
    return kernel, elements * kernel[0] * kernel[1] * channels_read


def _elements(tensor: Any) -> int:
    return math.prod(map(int, tensor["shape"]))


def _bytes(tensor: Any) -> int:
    return _elements(tensor) * int(np.dtype(tensor["dtype"]).itemsize)
