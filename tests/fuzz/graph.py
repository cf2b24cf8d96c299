"""Small `.tflite` graphs written by hand, so that fuzzing needs no TensorFlow."""

import random
import struct
from collections.abc import Iterator
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

CONVOLUTION, ARG_MAX, ADD = 3, 56, 0  # of schema.BuiltinOperator
_FIGURES = (-1, 0, 1, 2, 3, 4, 7, 8, 16, 255, 1 << 15, 1 << 20, (1 << 31) - 1, -(1 << 31))
_FLOAT, _INT32, _INT8 = 0, 2, 9  # of schema.TensorType


def small_graph(metadata: bytes = b"", *, int8: bool = False, open_size: bool = False) -> bytes:
    """Return a graph of a convolution, an addition and an arg max over 8 x 8 pixels.

    int8: quantised, with a scale of each channel. open_size: height and width are left open.
    """
    rng = np.random.default_rng(0)
    model = schema.ModelT()
    model.version, model.description = 3, b"fuzzing"
    model.buffers = [_buffer(None)]
    graph = schema.SubGraphT()
    graph.name = b"main"
    graph.tensors = [
        _tensor(model, "image", (1, 8, 8, 3)),
        _tensor(model, "kernel", (4, 3, 3, 3), rng.normal(size=(4, 3, 3, 3)).astype(np.float32)),
        _tensor(model, "bias", (4,), np.zeros(4, np.float32)),
        _tensor(model, "features", (1, 8, 8, 4)),
        _tensor(model, "sum", (1, 8, 8, 4)),
        _tensor(model, "axis", (1,), np.array([3], np.int32)),
        _tensor(model, "class_map", (1, 8, 8), kind=_INT32),
    ]
    convolution, added, chosen = (
        schema.Conv2DOptionsT(),
        schema.AddOptionsT(),
        schema.ArgMaxOptionsT(),
    )
    convolution.strideH = convolution.strideW = 1
    convolution.dilationHFactor = convolution.dilationWFactor = 1
    chosen.outputType = _INT32
    options = schema.BuiltinOptions
    graph.operators = [
        _operator(0, [0, 1, 2], [3], options.Conv2DOptions, convolution),
        _operator(1, [3, 3], [4], options.AddOptions, added),
        _operator(2, [4, 5], [6], options.ArgMaxOptions, chosen),
    ]
    graph.inputs, graph.outputs = [0], [6]
    if int8:
        for number in (0, 1, 3, 4):
            _quantise(graph.tensors[number], channels=4 if number == 1 else 1)
        model.buffers[graph.tensors[1].buffer] = _buffer(np.ones((4, 3, 3, 3), np.int8))
        _quantise(graph.tensors[2], channels=4)
        graph.tensors[2].type, graph.tensors[2].quantization.scale = _INT32, [0.001] * 4
    if open_size:
        for number in (0, 3, 4, 6):
            tensor = graph.tensors[number]
            tensor.shapeSignature = [1, -1, -1, *tensor.shape[3:]]
    model.subgraphs = [graph]
    model.operatorCodes = [_code(CONVOLUTION), _code(ADD), _code(ARG_MAX)]
    if metadata:
        entry = schema.MetadataT()
        entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
        model.buffers.append(_buffer(np.frombuffer(metadata, np.uint8)))
        model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def changed_graph(rng: random.Random, data: bytes) -> bytes:
    """Return the graph `data` with one to three of its numbers, lists or tables changed.

    A change that no flatbuffer can hold leaves it as it is.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    for _ in range(rng.choice((1, 1, 2, 3))):
        holder, name = rng.choice(list(_fields(model)))
        setattr(holder, name, _changed(rng, getattr(holder, name)))
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    except (TypeError, ValueError, struct.error, AttributeError, AssertionError, OverflowError):
        return data
    return bytes(builder.Output())


def _fields(table: Any) -> Iterator[tuple[Any, str]]:
    """Yield each table of a graph with the name of a field that is set."""
    for name, value in vars(table).items():
        if value is not None and not isinstance(value, bytes | str):
            yield table, name
            for each in value if isinstance(value, list) else [value]:
                if hasattr(each, "Pack"):
                    yield from _fields(each)


def _changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, list | np.ndarray) and len(value):
        items, at = list(value), rng.randrange(len(value))
        way = rng.randrange(5)
        if way == 0:
            del items[at]
        elif way == 1:
            items.insert(at, items[at])
        elif way == 2:
            items = []
        elif not hasattr(items[at], "Pack"):
            items[at] = rng.choice(_FIGURES)
        return items
    if isinstance(value, int | float):
        return rng.choice((*_FIGURES, value + 1, value - 1))
    return None if rng.random() < 0.5 else value


def _buffer(values: np.ndarray | None) -> schema.BufferT:
    buffer = schema.BufferT()
    if values is not None:
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return buffer


def _tensor(
    model: schema.ModelT, name: str, shape: tuple[int, ...], values: np.ndarray | None = None,
    kind: int = _FLOAT,
) -> schema.TensorT:  # fmt: skip
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), kind
    if values is not None:
        tensor.type = _INT32 if values.dtype == np.int32 else _FLOAT
        model.buffers.append(_buffer(values))
        tensor.buffer = len(model.buffers) - 1
    return tensor


def _quantise(tensor: schema.TensorT, channels: int) -> None:
    tensor.type = _INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = [0.1 if channels == 1 else 0.01] * channels
    tensor.quantization.zeroPoint = [0] * channels


def _code(builtin: int) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    return code


def _operator(
    code: int, inputs: list[int], outputs: list[int], kind: int, options: object
) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator
