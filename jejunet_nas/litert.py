"""Opens `.tflite` files, and is the only place that does: runs them, and lists their operators."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from jejunet_nas.errors import SettingError
from jejunet_nas.records import Operator

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a graph; a real value is scale * (stored - zero_point)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Graph:
    """A graph ready to run on this computer, with LiteRT's default delegate or without.

    Raises `SettingError` where the file is no graph, or its operators do not load.
    """

    def __init__(self, file: Path, *, threads: int = 1, delegate: bool = True) -> None:
        resolver = "AUTO" if delegate else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
        try:
            self._interpreter = Interpreter(
                model_path=str(file),
                num_threads=threads,
                experimental_op_resolver_type=OpResolverType[resolver],
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as reason:
            under = "under LiteRT's default delegate" if delegate else "without a delegate"
            raise SettingError(
                f"{file} does not load {under}: {_first_line(reason)}; "
                "allowed: a .tflite file whose operators it can prepare. Convert it again."
            ) from reason
        self._file = file
        inputs, outputs = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        self._inputs = {tensor["name"]: tensor["index"] for tensor in inputs}
        self._outputs = {tensor["name"]: tensor["index"] for tensor in outputs}
        self.tensors = {tensor["name"]: _info(tensor) for tensor in inputs + outputs}

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs in the order in which the graph has them."""
        return tuple(self._inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs in the order in which the graph has them."""
        return tuple(self._outputs)

    def run(self, **inputs: Array) -> dict[str, Array]:
        """Return the outputs by name for `inputs` by name, each with its batch axis."""
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(i) for name, i in self._outputs.items()}

    def fill_inputs(self, *, seed: int) -> None:
        """Set all inputs to noise: in [-1, 1], in all of int8 and uint8, 0 or 1 in wider integers.

        The wider ones may be indices, which have to exist.
        """
        rng = np.random.default_rng(seed)
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, _noise(self.tensors[name], rng))

    def invoke(self) -> None:
        """Run the graph on the inputs as they are, and leave the outputs where they are."""
        try:
            self._interpreter.invoke()
        except RuntimeError as reason:
            raise SettingError(
                f"{self._file} loads but does not run: {_first_line(reason)}; allowed: a graph "
                "that runs on this computer. Convert it again."
            ) from reason

    def not_delegated(self) -> tuple[str, ...]:
        """Return the kinds of the operators that the default delegate leaves aside, in order."""
        nodes = self._interpreter._get_ops_details()
        delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
        own = [node for node in nodes if node["op_name"] != "DELEGATE"]
        producer = {int(tensor): node["index"] for node in own for tensor in node["outputs"]}
        by_index = {node["index"]: node for node in own}
        inside: set[int] = set()
        for delegate in delegates:
            # What lies between a partition's outputs and its inputs is inside it.
            border = {int(tensor) for tensor in delegate["inputs"]}
            open_tensors = [int(tensor) for tensor in delegate["outputs"]]
            while open_tensors:
                tensor = open_tensors.pop()
                index = producer.get(tensor)
                if tensor in border or index is None or index in inside:
                    continue
                inside.add(index)
                open_tensors.extend(int(t) for t in by_index[index]["inputs"])
        return tuple(node["op_name"] for node in own if node["index"] not in inside)


def layer_values(
    file: Path, runs: Iterable[Mapping[str, Array]]
) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    """Yield what each layer of `file` hands on, as real values by the layer's name, run by run.

    A layer is the name scope in which the converted function made its tensors; outputs have their
    own names. LiteRT's delegate is left out: it keeps nothing of what lies between.
    """
    interpreter = Interpreter(
        model_path=str(file),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    inputs = {tensor["name"]: tensor["index"] for tensor in interpreter.get_input_details()}
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    # Of several tensors of one layer the last is what it hands on.
    made = {
        str(tensors[int(index)]["name"]).split("/")[0]: tensors[int(index)]
        for node in interpreter._get_ops_details()
        for index in node["outputs"]
        if len(tensors[int(index)]["shape"])
    }
    for run in runs:
        for name, value in run.items():
            interpreter.set_tensor(inputs[name], value)
        interpreter.invoke()
        yield {
            layer: _real(interpreter.get_tensor(tensor["index"]), tensor)
            for layer, tensor in made.items()
        }


def convolution_weights(file: Path) -> list[Array]:
    """Return the kernels of the convolutions of `file` as they are stored, [channels, weights]."""
    interpreter = Interpreter(
        model_path=str(file),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()
    kept_as = _unpacked_weights(nodes, interpreter)
    kernels = []
    for node in nodes:
        if node["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            place = int(node["inputs"][1])
            kernel = interpreter.get_tensor(kept_as.get(place, place))
            # [out, height, width, in], or [1, height, width, channels]
            axis = 3 if node["op_name"] == "DEPTHWISE_CONV_2D" else 0
            kernels.append(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1))
    return kernels


def list_operators(file: Path) -> list[Operator]:
    """Return the operators of `file` in the order in which they run, as their latency sees them.

    Raises `SettingError` where `file` is missing or no `.tflite` graph.
    """
    try:
        interpreter = Interpreter(
            model_path=str(file),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    except (ValueError, RuntimeError) as reason:
        raise SettingError(
            f"{file} is no .tflite graph: {_first_line(reason)}; allowed: a file that the TFLite "
            "converter wrote. Check the path, or convert it again."
        ) from reason
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    nodes = interpreter._get_ops_details()
    # Weights kept in 16 bits are unpacked by operators that run once, when the graph is loaded.
    unpacked = _unpacked_weights(nodes, interpreter)
    nodes = [node for node in nodes if int(node["outputs"][0]) not in unpacked]
    computed = {int(tensor) for node in nodes for tensor in node["outputs"]}
    computed |= {tensor["index"] for tensor in interpreter.get_input_details()}
    return [_operator(node, tensors, computed) for node in nodes]


def _unpacked_weights(nodes: list[dict[str, Any]], interpreter: Any) -> dict[int, int]:
    """Return the tensors that are weights made float32, and what each is kept as."""
    made = {int(tensor) for node in nodes for tensor in node["outputs"]}
    made |= {tensor["index"] for tensor in interpreter.get_input_details()}
    return {
        int(node["outputs"][0]): int(node["inputs"][0])
        for node in nodes
        if node["op_name"] == "DEQUANTIZE" and int(node["inputs"][0]) not in made
    }


def _real(stored: Array, tensor: Any) -> npt.NDArray[np.float32]:
    scale, zero_point = tensor["quantization"]
    if not scale:
        return stored.astype(np.float32)
    return np.asarray(scale * (stored.astype(np.float32) - zero_point), np.float32)


def _noise(tensor: TensorInfo, rng: np.random.Generator) -> Array:
    if tensor.dtype.kind == "f":
        return rng.uniform(-1, 1, tensor.shape).astype(tensor.dtype)
    low, high = 0, 1
    if tensor.dtype in (np.int8, np.uint8):
        low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
    return rng.integers(low, high, tensor.shape, endpoint=True).astype(tensor.dtype)


def _operator(node: dict[str, Any], tensors: dict[int, Any], computed: set[int]) -> Operator:
    inputs = [int(index) for index in node["inputs"] if index >= 0]
    out = tensors[int(node["outputs"][0])]
    activations = [index for index in inputs if index in computed]
    weights = [tensors[index] for index in inputs if index not in computed]
    elements = _elements(out)
    kind = str(node["op_name"])
    kernel, macs = (1, 1), 0
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"):
        kernel, macs = _kernel_and_macs(kind, weights, out)
    return Operator(
        kind=kind,
        kernel=kernel,
        macs=macs,
        bytes_in=sum(_bytes(tensors[index]) for index in activations),
        bytes_out=sum(_bytes(tensors[int(index)]) for index in node["outputs"]),
        weight_bytes=sum(map(_bytes, weights)) if macs else 0,
        elements_out=elements,
        float32=any(t["dtype"] is np.float32 for t in (out, *(tensors[i] for i in activations))),
    )


def _kernel_and_macs(kind: str, weights: list[Any], out: Any) -> tuple[tuple[int, int], int]:
    shape = max((tuple(map(int, w["shape"])) for w in weights), key=math.prod)
    elements = _elements(out)
    if kind == "FULLY_CONNECTED":  # [out, in]
        return (1, 1), elements * shape[1]
    kernel = (shape[1], shape[2])  # [out, height, width, in], or [1, height, width, channels]
    if kind == "DEPTHWISE_CONV_2D":
        return kernel, elements * kernel[0] * kernel[1]
    return kernel, elements * kernel[0] * kernel[1] * shape[3]


def _elements(tensor: Any) -> int:
    return math.prod(map(int, tensor["shape"]))


def _bytes(tensor: Any) -> int:
    return _elements(tensor) * int(np.dtype(tensor["dtype"]).itemsize)


def _info(tensor: Any) -> TensorInfo:
    scale, zero_point = tensor["quantization"]
    return TensorInfo(
        shape=tuple(map(int, tensor["shape"])),
        dtype=np.dtype(tensor["dtype"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _first_line(reason: Exception) -> str:
    return str(reason).strip().splitlines()[0].rstrip(".") if str(reason).strip() else "no reason"
