"""The only caller of the TFLite converter.

One concrete function of batch 1 with constant weights is traced and converted. That takes half a
second; converting the Keras model takes 13 s, most of it for exporting each layer.

The int8 ranges are in the function's graph (`rounding`), or the converter finds them by running it
(`convert_int8`), which takes twice as long.
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

from jejunet_nas.litert import vouch_for

Array = npt.NDArray[Any]
Function = Callable[..., dict[str, Any]]  # float tensors by keyword in, outputs by name out
SIGNATURE = "serving_default"  # as TensorFlow calls the signature of a model that has one
FloatWeights = Literal["float32", "float16", "int8"]


def convert_rounded(
    function: Function, inputs: Mapping[str, tuple[int, ...]], *, int8_inputs: Sequence[str] = ()
) -> bytes:
    """Return `function`, whose tensors are rounded to their ranges, as an int8 `.tflite` graph.

    inputs: shapes with batch 1. Inputs are uint8, or int8 if in `int8_inputs`; outputs are int8, or
    uint8 if the function casts to it.
    """
    converter, names, _ = _converter(function, inputs)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # `_finish` does the rest. The converter would parse the graph twice and write it again to merge
    # equal constants, which saves nothing here.
    converter._optimize_tflite_model = lambda graph, *_, **__: graph
    return _finish(_quietly(converter.convert), names, int8_inputs, bytes_outside=True)


def convert_int8(
    function: Function,
    inputs: Mapping[str, tuple[int, ...]],
    calibration: Sequence[dict[str, Array]],
    *,
    int8_inputs: Sequence[str] = (),
) -> bytes:
    """Return the float `function` as an int8 graph, with ranges found by running it.

    calibration: float inputs by name, one dictionary a run. Other arguments: see `convert_rounded`.
    """
    converter, names, order = _converter(function, inputs)

    def runs() -> Iterator[list[Array]]:
        for run in calibration:
            yield [np.asarray(run[name], np.float32) for name in order]

    converter.representative_dataset = runs
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return _finish(_quietly(converter.convert), names, int8_inputs)


def convert_float(
    function: Function,
    inputs: Mapping[str, tuple[int, ...]],
    *,
    weights: FloatWeights,
    uint8_inputs: Sequence[str] = (),
) -> bytes:
    """Return `function` as a graph that computes in float32 and stores its weights as `weights`.

    With int8 weights, LiteRT quantises activations while it runs (dynamic range).
    """
    converter, names, _ = _converter(function, inputs, uint8_inputs)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return _finish(_quietly(converter.convert), names, ())


def _converter(
    function: Function, inputs: Mapping[str, tuple[int, ...]], uint8_inputs: Sequence[str] = ()
) -> tuple[Any, list[str], list[str]]:
    """Return a converter, and the names of outputs and of float inputs in their order."""
    specs = {
        name: tf.TensorSpec(shape, tf.uint8 if name in uint8_inputs else tf.float32, name=name)
        for name, shape in inputs.items()
    }
    traced = tf.function(function, autograph=False).get_concrete_function(**specs)
    names = sorted(traced.structured_outputs)  # the order in which TensorFlow flattens them
    order = [tensor.name.split(":")[0] for tensor in traced.inputs if tensor.dtype == tf.float32]
    converter = _quietly(lambda: tf.lite.TFLiteConverter.from_concrete_functions([traced]))
    converter.exclude_conversion_metadata = True  # costs parsing and writing the graph again
    # The graph has no variables. Freezing it would take a fifth of the time for the same bytes.
    converter._freeze_concrete_function = lambda: (
        traced.graph.as_graph_def(),
        list(traced.inputs),
        list(traced.outputs),
        traced,
    )
    return converter, names, order


def _finish(
    graph: bytes, outputs: Sequence[str], int8_inputs: Sequence[str], *, bytes_outside: bool = False
) -> bytes:
    """Name the outputs, make `int8_inputs` int8, and add the graph's only signature.

    The converter has one type for all inputs and adds a QUANTIZE to each. The context comes from
    another graph as int8, so its QUANTIZE is removed. bytes_outside: inputs and outputs are still
    floats and become bytes here; the converter would parse and write the whole graph again.
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
    model.signatureDefs = [_signature(subgraph)]
    made = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    vouch_for(made)
    return made


def _signature(subgraph: Any) -> Any:
    """Return the signature of a graph: its inputs and outputs by name, for `runSignature`."""
    signature = schema_fb.SignatureDefT()
    signature.signatureKey = SIGNATURE.encode()
    signature.subgraphIndex = 0
    signature.inputs, signature.outputs = (
        [_named(subgraph, tensor) for tensor in tensors]
        for tensors in (subgraph.inputs, subgraph.outputs)
    )
    return signature


def _named(subgraph: Any, tensor: int) -> Any:
    entry = schema_fb.TensorMapT()
    entry.name, entry.tensorIndex = subgraph.tensors[tensor].name, int(tensor)
    return entry


def _take_bytes_in(subgraph: Any) -> None:
    """Make each float input uint8: its QUANTIZE then shifts bytes by 128."""
    for tensor in subgraph.inputs:
        readers = [op for op in subgraph.operators if tensor in list(op.inputs)]
        if not readers:  # an unused input: the image, with detail none
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
    """Remove the DEQUANTIZE before each float output."""
    for position, tensor in enumerate(list(subgraph.outputs)):
        if subgraph.tensors[tensor].type != schema_fb.TensorType.FLOAT32:
            continue
        (dequantize,) = (op for op in subgraph.operators if tensor in list(op.outputs))
        subgraph.operators.remove(dequantize)
        subgraph.outputs[position] = dequantize.inputs[0]


def _quietly(do: Callable[[], Any]) -> Any:
    """Call `do` without the warnings that the converter gives for every such graph."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return do()
    finally:
        logger.setLevel(level)
