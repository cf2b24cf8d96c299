"""Runs a `.tflite` graph on this computer."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from jejunet_nas.errors import SettingError
from jejunet_nas.litert.gate import admit

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a graph; a real value is scale * (stored - zero_point)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Graph:
    """A graph that is loaded, with LiteRT's default delegate (XNNPACK) or without a delegate.

    tensors: its inputs and outputs by name. input_names, output_names: in the graph's order. size:
    height and width, for inputs that leave them open. Raises `SettingError` if the file is not a
    graph, its operators do not load, or it ends the process that loads it.
    """

    def __init__(
        self,
        file: Path,
        *,
        threads: int = 1,
        delegate: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        try:
            self._interpreter = interpreter(file, delegate=delegate, size=size, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as reason:
            how = "with LiteRT's default delegate" if delegate else "without a delegate"
            raise SettingError(
                f"{file} does not load {how}: {first_line(reason)}. Convert it again."
            ) from reason
        self._file = file
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self._inputs = {tensor["name"]: tensor["index"] for tensor in inputs}
        self._outputs = {tensor["name"]: tensor["index"] for tensor in outputs}
        self.input_names, self.output_names = tuple(self._inputs), tuple(self._outputs)
        self.tensors = {tensor["name"]: _info(tensor) for tensor in inputs + outputs}

    def run(self, **inputs: Array) -> dict[str, Array]:
        """Return the outputs by name for `inputs` by name, each with its batch axis."""
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(i) for name, i in self._outputs.items()}

    def fill_inputs(self, *, seed: int) -> None:
        """Set all inputs to uniform noise.

        Floats are in [-1, 1], int8 and uint8 use their whole range. Wider integers are 0 or 1,
        because they may be indices that must exist.
        """
        rng = np.random.default_rng(seed)
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, _noise(self.tensors[name], rng))

    def invoke(self) -> None:
        """Run the graph on its current inputs. Raises `SettingError` if it fails."""
        try:
            self._interpreter.invoke()
        except RuntimeError as reason:
            raise SettingError(
                f"{self._file} loads but does not run on this computer: {first_line(reason)}. "
                "Convert it again."
            ) from reason

    def not_delegated(self) -> tuple[str, ...]:
        """Return the kinds of the operators that the default delegate does not run, in order."""
        nodes = self._interpreter._get_ops_details()
        delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
        own = {node["index"]: node for node in nodes if node["op_name"] != "DELEGATE"}
        producer = {int(t): index for index, node in own.items() for t in node["outputs"]}
        delegated: set[int] = set()
        for delegate in delegates:
            # A partition holds every operator on a way from its inputs to its outputs.
            border = {int(tensor) for tensor in delegate["inputs"]}
            open_tensors = [int(tensor) for tensor in delegate["outputs"]]
            while open_tensors:
                tensor = open_tensors.pop()
                index = producer.get(tensor)
                if tensor in border or index is None or index in delegated:
                    continue
                delegated.add(index)
                open_tensors.extend(int(t) for t in own[index]["inputs"])
        return tuple(node["op_name"] for index, node in own.items() if index not in delegated)


def interpreter(
    file: Path, *, delegate: bool, size: tuple[int, int] | None = None, **options: Any
) -> Any:
    """Return LiteRT's interpreter of `file`, with its default delegate or without a delegate.

    Raises `SettingError` as `gate.admit` does.
    """
    contents = admit(file, size)
    resolver = "AUTO" if delegate else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
    made = Interpreter(
        model_path=str(file),
        experimental_op_resolver_type=OpResolverType[resolver],
        **options,
    )
    if size is not None:
        indices = {tensor["name"]: tensor["index"] for tensor in made.get_input_details()}
        for each in contents.inputs:
            made.resize_tensor_input(indices[each.name], each.shape_at(size))
    return made


def first_line(reason: Exception) -> str:
    """Return the first line of an error of LiteRT, without its full stop."""
    return next(iter(str(reason).strip().splitlines()), "no reason given").rstrip(".")


def _noise(tensor: TensorInfo, rng: np.random.Generator) -> Array:
    if tensor.dtype.kind == "f":
        return rng.uniform(-1, 1, tensor.shape).astype(tensor.dtype)
    low, high = 0, 1
    if tensor.dtype in (np.int8, np.uint8):
        low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
    return rng.integers(low, high, tensor.shape, endpoint=True).astype(tensor.dtype)


def _info(tensor: Any) -> TensorInfo:
    scale, zero_point = tensor["quantization"]
    return TensorInfo(
        shape=tuple(map(int, tensor["shape"])),
        dtype=np.dtype(tensor["dtype"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )
