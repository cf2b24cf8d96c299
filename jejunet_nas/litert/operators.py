"""Lists the operators of a `.tflite` graph, with the figures that a latency model needs."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.errors import SettingError
from jejunet_nas.litert.gate import FIX, admit
from jejunet_nas.litert.graph import first_line, interpreter
from jejunet_nas.records import Operator

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
# Operators whose work does not follow from the shapes that they read and write.
_UNCOUNTED = (
    *("WHILE", "IF", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_CASE"),
    *("STABLEHLO_COMPOSITE", "STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL"),
    *("CONV_3D", "CONV_3D_TRANSPOSE", "LSTM", "RNN", "SVDF", "EMBEDDING_LOOKUP_SPARSE"),
    *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    *("BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"),
)


def list_operators(file: Path, *, size: tuple[int, int] | None = None) -> list[Operator]:
    """Return the operators of `file` in the order in which they run, without a delegate.

    size: height and width, for inputs that leave them open. Of a graph with several subgraphs the
    operators of the first are listed: one that runs another subgraph is one operator. Raises
    `SettingError` if `file` is missing, is not a `.tflite` graph, or ends LiteRT.
    """
    try:
        graph = interpreter(file, delegate=False, size=size)
        if size is not None:
            graph.allocate_tensors()  # hands the size on to the tensors behind the input
    except (ValueError, RuntimeError) as reason:
        raise SettingError(f"{file} does not load: {first_line(reason)}. {FIX}") from reason
    tensors = {tensor["index"]: tensor for tensor in graph.get_tensor_details()}
    nodes = graph._get_ops_details()
    # Operators that unpack float16 weights run once, when the graph is loaded.
    unpacked = unpacked_weights(nodes, graph)
    nodes = [node for node in nodes if not unpacked.keys() & {*map(int, node["outputs"])}]
    computed = _computed(nodes, graph)
    return [_operator(node, tensors, computed) for node in nodes]


def countable_operators(file: Path, *, size: tuple[int, int] | None = None) -> list[Operator]:
    """Return the operators of `file`, whose work is that of the whole graph.

    Raises `SettingError` as `list_operators` does, and if an operator runs another subgraph, is not
    TensorFlow Lite's own, or does work that its shapes do not tell.
    """
    operators = list_operators(file, size=size)
    uncounted = {*_UNCOUNTED, *admit(file, size).custom_operators}
    found = sorted({operator.kind for operator in operators} & uncounted)
    if found:
        raise SettingError(
            f"{file} has operators whose work cannot be counted: {', '.join(found)}. Time it: "
            "--device adb, or --device host."
        )
    return operators


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
    read = [(int(index), tensors[int(index)]) for index in node["inputs"] if index >= 0]
    activations = [tensor for index, tensor in read if index in computed]
    weights = [tensor for index, tensor in read if index not in computed]
    outputs = [tensors[int(index)] for index in node["outputs"]]
    kind = str(node["op_name"])
    kernel, macs = (1, 1), 0
    if outputs:
        kernel, macs = _kernel_and_macs(kind, [tensor for _, tensor in read], outputs[0])
    return Operator(
        kind=kind,
        kernel=kernel,
        macs=macs,
        bytes_in=sum(map(_bytes, activations)),
        bytes_out=sum(map(_bytes, outputs)),
        weight_bytes=sum(map(_bytes, weights)) if macs else 0,
        elements_out=sum(map(_elements, outputs[:1])),
        float32=any(tensor["dtype"] is np.float32 for tensor in (*outputs[:1], *activations)),
    )


def _kernel_and_macs(kind: str, read: list[Any], out: Any) -> tuple[tuple[int, int], int]:
    """Return the kernel's size, and the MACs, of an operator by the tensors that it reads.

    The second tensor is the weights, stored or computed, in each of the kinds that have MACs:
    [out, height, width, in], or [1, height, width, channels]; of a matrix product [out, in].
    """
    shape = tuple(map(int, read[1]["shape"])) if len(read) > 1 else ()
    if kind in _CONVOLUTIONS and len(shape) == 4:
        kernel = (shape[1], shape[2])
        if kind == "TRANSPOSE_CONV":  # spreads each input over a window of each output channel
            return kernel, sum(map(_elements, read[2:3])) * math.prod(shape[:3])
        channels_read = 1 if kind == "DEPTHWISE_CONV_2D" else shape[3]
        return kernel, _elements(out) * math.prod(kernel) * channels_read
    if kind == "FULLY_CONNECTED" and shape:
        return (1, 1), _elements(out) * shape[-1]
    if kind == "BATCH_MATMUL" and len(shape) > 1:
        # Rows of the one times columns of the other: what is not in the output is summed up.
        columns = int(out["shape"][-1]) if len(out["shape"]) else 1
        summed = _elements(read[1]) // max(math.prod(shape[:-2]) * columns, 1)
        return (1, 1), _elements(out) * summed
    return (1, 1), 0


def _elements(tensor: Any) -> int:
    return math.prod(map(int, tensor["shape"]))


def _bytes(tensor: Any) -> int:
    return _elements(tensor) * int(np.dtype(tensor["dtype"]).itemsize)
