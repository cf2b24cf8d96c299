"""The only call of the TFLite converter.

One concrete function of batch 1, its weights constants, is traced and converted: half a second
where converting the Keras model takes 13 s, most of them spent on exporting every layer.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

Array = npt.NDArray[Any]


def convert_int8(
    function: Callable[..., dict[str, Any]],
    inputs: dict[str, tuple[int, ...]],
    calibration: Sequence[dict[str, Array]],
    *,
    int8_inputs: Sequence[str] = (),
) -> bytes:
    """Return `function` as a fully quantised `.tflite` graph, weights per channel.

    function: float tensors by keyword in, outputs by name out. inputs: each input's shape with
    batch 1. calibration: float inputs by name, one dictionary a run. Inputs are uint8, those in
    `int8_inputs` int8; outputs are int8, or uint8 where the function casts to it.
    """
    specs = {name: tf.TensorSpec(shape, tf.float32, name=name) for name, shape in inputs.items()}
    traced = tf.function(function, autograph=False).get_concrete_function(**specs)
    names = sorted(traced.structured_outputs)  # the order in which TensorFlow flattens them
    order = [tensor.name.split(":")[0] for tensor in traced.inputs if tensor.dtype == tf.float32]

    def runs() -> Iterator[list[Array]]:
        for run in calibration:
            yield [np.asarray(run[name], np.float32) for name in order]

    converter = _quietly(lambda: tf.lite.TFLiteConverter.from_concrete_functions([traced]))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = runs
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return _finish(_quietly(converter.convert), names, int8_inputs)


def _finish(graph: bytes, outputs: Sequence[str], int8_inputs: Sequence[str]) -> bytes:
    """Name the outputs, and let `int8_inputs` in as they are.

    The converter has one type for all inputs and puts a QUANTIZE behind each; a context that
    another graph left as int8 needs none, so its QUANTIZE is taken out again.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(graph))
    (subgraph,) = model.subgraphs
    for name, tensor in zip(outputs, subgraph.outputs, strict=True):
        subgraph.tensors[tensor].name = name.encode()
    for position, tensor in enumerate(list(subgraph.inputs)):
        name = subgraph.tensors[tensor].name
        if name.decode() in int8_inputs:
            (quantize,) = (op for op in subgraph.operators if tensor in list(op.inputs))
            (inner,) = quantize.outputs
            subgraph.operators.remove(quantize)
            subgraph.inputs[position] = inner
            subgraph.tensors[inner].name = name
            subgraph.tensors[tensor].name = name + b"_unused"
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _quietly(do: Callable[[], Any]) -> Any:
    """Do something without the converter's warnings, which are said of every graph made so."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return do()
    finally:
        logger.setLevel(level)
