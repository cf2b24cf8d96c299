"""Graphs unlike ours: of several subgraphs, of open sizes, with other operators, and damaged."""

import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tests.builders import noise, write_graph


@functools.cache
def small() -> bytes:
    """Return an int8 graph of three operators, of 1.5 kB."""
    kernel = noise(0, 3, 3, 4, 4)

    def convolve(x: Any) -> dict[str, Any]:
        return {"y": tf.reshape(tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME")), (1, 16))}

    with tempfile.TemporaryDirectory() as folder:
        return write_graph(Path(folder) / "g.tflite", convolve, (1, 4, 4, 4)).read_bytes()


def with_the_last(data: bytes, old: float, new: float) -> bytes:
    """Return `data` with the last float32 `old` in it replaced: the scale of its first tensor."""
    was, will = (np.float32(each).tobytes() for each in (old, new))
    before, found, after = data.rpartition(was)
    assert found, f"{old} is not in the graph"
    return before + will + after


def changed(change: Callable[[Any], None]) -> bytes:
    """Return the small graph after `change` of its schema's object."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(small()))
    change(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def two_signatures(model: Any) -> None:
    """Make the graph one of two subgraphs, each with a signature."""
    model.subgraphs.append(model.subgraphs[0])
    model.signatureDefs = []
    for index, name in enumerate(("encode", "decode")):
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = name, index
        signature.inputs, signature.outputs = [], []
        model.signatureDefs.append(signature)


def write_float(file: Path, function: Callable[..., Any], *shapes: Sequence[int | None]) -> Path:
    """Write `function` of inputs of these shapes as a float32 graph; None leaves a size open."""
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    file.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert())
    return file
