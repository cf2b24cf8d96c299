"""What a `.tflite` file holds, checked before LiteRT runs it.

LiteRT trusts the numbers in a file: which tensors an operator reads, which buffer a tensor has, and
how large it is. `contents_of` checks them, and so catches what a damaged or cut file has wrong.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from jejunet_nas.litert.flatbuffer import DamagedError, Reader

VERSION = 3  # of the schema
MOST_BYTES = 1 << 30  # of one tensor: phones have little more for a whole app
CUSTOM = 32  # the code of operators that are not TensorFlow Lite's own
# Bits of an element by the code of its type; strings, resources and variants have no fixed size.
_BITS = {
    **{0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 8: 64, 9: 8, 10: 64, 11: 128, 12: 64},
    **{15: 32, 16: 16, 17: 4, 18: 16, 19: 2, 20: 4, 21: 8, 22: 8},
}
_TYPES = 23
_RANGES = {3: (0, 255), 9: (-128, 127), 7: (-32768, 32767), 17: (-8, 7), 19: (-2, 1)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphInput:
    """An input of a graph. open_axes: those whose size is chosen when the graph is run."""

    name: str
    shape: tuple[int, ...]
    open_axes: tuple[int, ...]

    def shape_at(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Return the shape for one picture of `size`, height and width, where they are open."""
        closed = dict(enumerate((1, *size)))
        return tuple(
            closed[axis] if axis in self.open_axes else length
            for axis, length in enumerate(self.shape)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file holds. inputs: of its first subgraph, which is run.

    other_signatures: the keys of those that run another subgraph. custom_operators: the names of
    operators that are not TensorFlow Lite's own.
    """

    inputs: tuple[GraphInput, ...]
    other_signatures: tuple[str, ...]
    custom_operators: frozenset[str]


def contents_of(data: bytes) -> Contents:
    """Return what the graph `data` holds.

    Raises `DamagedError` if an offset, an index, a shape or a buffer's size in it is wrong.
    """
    model = Reader(data).model()
    if (version := model.get("version", 0)) != VERSION:
        raise DamagedError(f"its schema has version {version}, not {VERSION}")
    subgraphs, buffers = model.get("subgraphs", []), model.get("buffers", [])
    if not subgraphs:
        raise DamagedError("it has no subgraph")
    for buffer in buffers:
        if buffer.get("offset", 0) > 1 and buffer["offset"] + buffer.get("size", 0) > len(data):
            raise DamagedError("a buffer is outside the file")
    codes = model.get("operator_codes", [])
    for subgraph in subgraphs:
        for tensor in subgraph.get("tensors", []):
            _check_tensor(tensor, buffers)
        _check_operators(subgraph, codes, len(subgraphs))
    for signature in model.get("signatures", []):
        _check_signature(signature, subgraphs)
    for entry in model.get("metadata", []):
        _check_index(entry.get("buffer", 0), len(buffers), "buffer of metadata")
    return Contents(
        inputs=tuple(_inputs(subgraphs[0])),
        other_signatures=tuple(
            each.get("key", "") for each in model.get("signatures", []) if each.get("subgraph", 0)
        ),
        custom_operators=frozenset(each.get("custom", "") for each in codes if _is_custom(each)),
    )


def metadata_buffer(data: bytes, name: str) -> bytes:
    """Return the metadata buffer `name` of the graph `data`; empty without one.

    Raises `DamagedError` as `contents_of` does.
    """
    contents_of(data)
    model = Reader(data).model()
    for entry in model.get("metadata", []):
        if entry.get("name") == name:
            found = model["buffers"][entry.get("buffer", 0)].get("data")
            return b"" if found is None else bytes(found)
    return b""


def _inputs(subgraph: dict[str, Any]) -> Iterable[GraphInput]:
    for index in subgraph.get("inputs", ()):
        tensor = subgraph["tensors"][index]
        signature = tensor.get("shape_signature", ())
        yield GraphInput(
            name=tensor.get("name", ""),
            shape=tuple(map(int, tensor.get("shape", ()))),
            open_axes=tuple(axis for axis, size in enumerate(signature) if size < 0),
        )


def _check_tensor(tensor: dict[str, Any], buffers: list[dict[str, Any]]) -> None:
    name, kind = tensor.get("name", "a tensor"), tensor.get("type", 0)
    shape = [int(size) for size in tensor.get("shape", ())]
    if not 0 <= kind < _TYPES:
        raise DamagedError(f"tensor {name} has the unknown type {kind}")
    if min(shape, default=0) < 0:
        raise DamagedError(f"tensor {name} has the shape {shape}")
    _check_index(tensor.get("buffer", 0), len(buffers), f"buffer of tensor {name}")
    needed = math.prod(shape) * _BITS.get(kind, 0) // 8
    if needed > MOST_BYTES:
        raise DamagedError(f"tensor {name} of shape {shape} takes over {MOST_BYTES >> 20} MiB")
    stored = buffers[tensor.get("buffer", 0)].get("data", ())
    if len(stored) and "sparsity" not in tensor and len(stored) < needed:
        raise DamagedError(f"tensor {name} of {needed:,} bytes has {len(stored):,} stored")
    if "quantization" in tensor:
        _check_quantization(tensor["quantization"], shape, kind, name)


def _check_quantization(
    quantization: dict[str, Any], shape: list[int], kind: int, name: str
) -> None:
    scales, axis = quantization.get("scale", ()), quantization.get("axis", 0)
    zero_points = quantization.get("zero_point", ())
    if not (np.isfinite(scales) & np.greater_equal(scales, 0)).all():
        raise DamagedError(f"tensor {name} has a scale that is negative or not finite")
    # Kernels build tables from them, and write beside a table that is too small.
    if len(zero_points) and kind in _RANGES and not _within(zero_points, *_RANGES[kind]):
        raise DamagedError(f"tensor {name} has a zero point outside its type's range")
    if len(scales) > 1 and not (0 <= axis < len(shape) and len(scales) == shape[axis]):
        raise DamagedError(f"tensor {name} of shape {shape} has {len(scales)} scales")
    if len(zero_points) > 1 and len(zero_points) != len(scales):
        raise DamagedError(f"tensor {name} has {len(scales)} scales, {len(zero_points)} zeros")


def _check_operators(subgraph: dict[str, Any], codes: list[dict[str, Any]], subgraphs: int) -> None:
    count = len(subgraph.get("tensors", []))
    for name in ("inputs", "outputs"):
        _check_indices(subgraph.get(name, ()), count, f"{name} of a subgraph")
    made = {int(t) for each in subgraph.get("operators", []) for t in each.get("outputs", ())}
    if twice := made & {*map(int, subgraph.get("inputs", ()))}:
        raise DamagedError(f"an operator writes tensors {sorted(twice)[:9]}, inputs of the graph")
    for operator in subgraph.get("operators", []):
        _check_index(operator.get("code_index", 0), len(codes), "code of an operator")
        # -1 stands for an input that is left out.
        _check_indices(operator.get("inputs", ()), count, "inputs of an operator", least=-1)
        _check_indices(operator.get("outputs", ()), count, "outputs of an operator")
        _check_indices(operator.get("intermediates", ()), count, "tensors of an operator", least=-1)
        options = operator.get("options", {})
        for name in ("subgraph", "other_subgraph"):
            _check_index(options.get(name, 0), subgraphs, "subgraph of an operator")


def _check_signature(signature: dict[str, Any], subgraphs: list[dict[str, Any]]) -> None:
    index = signature.get("subgraph", 0)
    _check_index(index, len(subgraphs), "subgraph of a signature")
    tensors = [
        each.get("tensor", 0) for n in ("inputs", "outputs") for each in signature.get(n, ())
    ]
    _check_indices(tensors, len(subgraphs[index].get("tensors", [])), "tensors of a signature")


def _is_custom(code: dict[str, Any]) -> bool:
    return int(max(code.get("code", 0), code.get("old_code", 0))) == CUSTOM


def _within(values: Any, low: int, high: int) -> bool:
    return bool(low <= min(values) and max(values) <= high)


def _check_indices(indices: Any, count: int, what: str, *, least: int = 0) -> None:
    if len(indices) and (min(indices) < least or max(indices) >= count):
        raise DamagedError(
            f"{what}: {[int(each) for each in indices[:9]]}, where there are {count}"
        )


def _check_index(index: int, count: int, what: str) -> None:
    _check_indices((index,), count, what)
