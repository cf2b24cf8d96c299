"""The only call of the TFLite converter.

One concrete function of batch 1, its weights constants, is traced and converted: half a second
where converting the Keras model takes 13 s, most of them spent on exporting every layer.

What is int8 is told by the function itself, in whose graph the ranges stand (`rounding`), or found
by running it (`convert_int8`), which takes twice as long.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema_fb
from tensorflow.lite.tools import flatbuffer_utils

Array = npt.NDArray[Any]
Function = Callable[..., dict[str, Any]]  # float tensors by keyword in, outputs by name out
FloatWeights = Literal["float32", "float16", "int8"]


def convert_rounded(
    function: Function, inputs: Mapping[str, tuple[int, ...]], *, int8_inputs: Sequence[str] = ()
) -> bytes:
    """Return `function`, whose tensors are rounded to their ranges, as an int8 `.tflite` graph.

    inputs: each input's shape with batch 1. Inputs are uint8, those in `int8_inputs` int8; outputs
    are int8, or uint8 where the function casts to it.
    """
    converter, names, _ = _converter(function, inputs)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # What is left to do to such a graph is done in `_finish`; the converter would read it twice and
    # write it once more to look for constants that are alike, of which there are none worth it.
    converter._optimize_tflite_model = lambda graph, *_, **__: graph
    return _finish(_quietly(converter.convert), names, int8_inputs, bytes_outside=True)


def convert_int8(
    function: Function,
    inputs: Mapping[str, tuple[int, ...]],
    calibration: Sequence[dict[str, Array]],
    *,
    int8_inputs: Sequence[str] = (),
) -> bytes:
    """Return `function` in floats as an int8 graph, its ranges found by running it.

    calibration: float inputs by name, one dictionary a run. The rest is as in `convert_rounded`.
    """
    converter, names, order = _converter(function, inputs)

    def runs() -> Iterator[list[Array]]:
        for run in calibration:
            yield [np.asarray(run[name], np.float32) for name in order]

    converter.representative_dataset = runs
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    _take_bytes(converter)
    return _finish(_quietly(converter.convert), names, int8_inputs)


def convert_float(
    function: Function,
    inputs: Mapping[str, tuple[int, ...]],
    *,
    weights: FloatWeights,
    uint8_inputs: Sequence[str] = (),
) -> bytes:
    """Return `function` as a graph that computes in float32, with its `weights` kept so.

    With int8 weights the kernels of LiteRT round what they multiply on the fly (dynamic range).
    """
    types = {name: tf.uint8 for name in uint8_inputs}
    converter, names, _ = _converter(function, inputs, types)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return _finish(_quietly(converter.convert), names, ())


def _converter(
    function: Function,
    inputs: Mapping[str, tuple[int, ...]],
    types: Mapping[str, Any] | None = None,
) -> tuple[Any, list[str], list[str]]:
    """Return a converter, the names of the outputs in their order, and those of the inputs."""
    types = types or {}
    specs = {
        name: tf.TensorSpec(shape, types.get(name, tf.float32), name=name)
        for name, shape in inputs.items()
    }
    traced = tf.function(function, autograph=False).get_concrete_function(**specs)
    names = sorted(traced.structured_outputs)  # the order in which TensorFlow flattens them
    order = [tensor.name.split(":")[0] for tensor in traced.inputs if tensor.dtype == tf.float32]
    converter = _quietly(lambda: tf.lite.TFLiteConverter.from_concrete_functions([traced]))
    converter.exclude_conversion_metadata = True  # it costs reading and writing the graph once more
    # The graph holds constants alone: freezing would copy it operator by operator, to the same
    # bytes in the end, which takes a fifth of the time.
    converter._freeze_concrete_function = lambda: (
        traced.graph.as_graph_def(),
        list(traced.inputs),
        list(traced.outputs),
        traced,
    )
    return converter, names, order


def _take_bytes(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8


def _finish(
    graph: bytes,
    outputs: Sequence[str],
    int8_inputs: Sequence[str],
    *,
    bytes_outside: bool = False,
) -> bytes:
    """Name the outputs, and let `int8_inputs` in as they are.

    The converter has one type for all inputs and puts a QUANTIZE behind each; a context that
    another graph left as int8 needs none, so its QUANTIZE is taken out again. bytes_outside: inputs
    and outputs are floats still, and become bytes here; the converter's own way of doing so reads
    and writes the whole graph once more.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(graph))
    (subgraph,) = model.subgraphs
    if bytes_outside:
        _take_bytes_in(subgraph)
        _hand_bytes_out(subgraph)
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


def _take_bytes_in(subgraph: Any) -> None:
    """Make each float input uint8: the QUANTIZE behind it then shifts bytes by 128."""
    for tensor in subgraph.inputs:
        readers = [op for op in subgraph.operators if tensor in list(op.inputs)]
        if not readers:  # the picture, where there is no detail to look at: bytes of any meaning
            subgraph.tensors[tensor].type = schema_fb.TensorType.UINT8
            continue
        (quantize,) = readers
        inner = subgraph.tensors[quantize.outputs[0]].quantization
        outer = schema_fb.QuantizationParametersT()
        outer.scale = list(inner.scale)
        outer.zeroPoint = [int(zero_point) + 128 for zero_point in inner.zeroPoint]
        subgraph.tensors[tensor].type = schema_fb.TensorType.UINT8
        subgraph.tensors[tensor].quantization = outer


def _hand_bytes_out(subgraph: Any) -> None:
    """Hand out what the DEQUANTIZE at each float output is given."""
    for position, tensor in enumerate(list(subgraph.outputs)):
        if subgraph.tensors[tensor].type != schema_fb.TensorType.FLOAT32:
            continue
        (dequantize,) = (op for op in subgraph.operators if tensor in list(op.outputs))
        subgraph.operators.remove(dequantize)
        subgraph.outputs[position] = dequantize.inputs[0]


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
