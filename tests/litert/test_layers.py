"""What lies inside a graph: what its layers hand on, and its kernels as they are stored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.compression.convert import FloatWeights, convert_float
from jejunet_nas.litert import Graph, convolution_weights, layer_values, list_operators
from tests.builders import noise, write_graph

SHAPE = (1, 4, 4, 8)
KERNEL, DEPTHWISE = noise(0, 3, 3, 8, 4), noise(1, 3, 3, 4, 1)
STEPS = 255


def two_layers(x: Any) -> dict[str, Any]:
    with tf.name_scope("first"):
        x = tf.nn.relu6(tf.nn.conv2d(x, KERNEL, 1, "SAME") + 0.25)
    with tf.name_scope("second"):
        y = tf.nn.depthwise_conv2d(x, DEPTHWISE, (1, 1, 1, 1), "SAME") + np.zeros(4, np.float32)
    return {"y": tf.reduce_max(y, axis=1)}


@pytest.fixture
def int8(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "int8.tflite", two_layers, SHAPE)


def in_float(folder: Path, weights: FloatWeights) -> Path:
    file = folder / f"{weights}.tflite"
    file.write_bytes(convert_float(two_layers, {"x": SHAPE}, weights=weights))
    return file


def by_hand(x: Any) -> dict[str, Any]:
    first = tf.nn.relu6(tf.nn.conv2d(x, KERNEL, 1, "SAME") + 0.25)
    second = tf.nn.depthwise_conv2d(first, DEPTHWISE, (1, 1, 1, 1), "SAME")
    return {"first": first, "second": second, "y": tf.reduce_max(second, axis=1)}


def test_layer_values_are_those_of_the_function(tmp_path: Path) -> None:
    x = noise(2, *SHAPE)

    (made,) = layer_values(in_float(tmp_path, "float32"), [{"x": x}])

    for name, expected in by_hand(x).items():
        # 72 products a sum, each of which float32 rounds to 6e-8 of some 1.
        np.testing.assert_allclose(made[name], expected, atol=1e-5)


def test_int8_layer_values_are_real_values(int8: Path) -> None:
    pixels = np.arange(128, dtype=np.uint8).reshape(SHAPE) * 2
    stored = Graph(int8).tensors["x"]

    (made,) = layer_values(int8, [{"x": pixels}])

    expected = by_hand(tf.constant(stored.scale * (pixels.astype(np.float32) - stored.zero_point)))
    for name in ("first", "second", "y"):
        reach = float(np.ptp(expected[name]))
        # A step of the output, and one each for input and weights, of which 72 average out.
        np.testing.assert_allclose(made[name], expected[name], atol=6 * reach / STEPS)
        assert made[name].dtype == np.float32
        assert len(np.unique(made[name])) <= STEPS + 1


def test_each_run_yields_its_own_values(int8: Path) -> None:
    pixels = [np.full(SHAPE, grey, np.uint8) for grey in (0, 200, 0)]

    first, second, third = layer_values(int8, [{"x": each} for each in pixels])

    for name in ("first", "second", "y"):
        np.testing.assert_array_equal(first[name], third[name])
        assert (first[name] != second[name]).any()


def test_the_value_of_an_output_is_the_graphs_output(int8: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    graph = Graph(int8, delegate=False)
    out = graph.tensors["y"]

    (made,) = layer_values(int8, [{"x": pixels}])

    expected = out.scale * (graph.run(x=pixels)["y"].astype(np.float32) - out.zero_point)
    np.testing.assert_allclose(made["y"], expected, rtol=1e-6)


def channels_first(kernel: np.ndarray, axis: int) -> np.ndarray:
    return np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)


def test_int8_kernels_are_returned_as_stored(int8: Path) -> None:
    dense, depthwise = convolution_weights(int8)

    assert (dense.shape, depthwise.shape) == ((4, 72), (4, 9))
    for stored, kernel in ((dense, channels_first(KERNEL, 3)), (depthwise, DEPTHWISE[..., 0])):
        expected = kernel if kernel.ndim == 2 else channels_first(kernel, 2)
        assert stored.dtype == np.int8
        # Symmetric, and per channel: the largest weight of each is stored as 127.
        step = np.abs(expected).max(axis=1, keepdims=True) / 127
        np.testing.assert_allclose(stored, expected / step, atol=0.501)


def test_float_kernels_are_returned_as_stored(tmp_path: Path) -> None:
    dense, depthwise = convolution_weights(in_float(tmp_path, "float32"))

    np.testing.assert_array_equal(dense, channels_first(KERNEL, 3))
    np.testing.assert_array_equal(depthwise, channels_first(DEPTHWISE[..., 0], 2))


def test_a_graph_without_convolutions_has_no_kernels(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.nn.relu(x)}, SHAPE)

    assert convolution_weights(file) == []


def test_float16_kernels_are_returned_as_stored(tmp_path: Path) -> None:
    dense, depthwise = convolution_weights(in_float(tmp_path, "float16"))

    # Half a last digit of float16's eleven.
    np.testing.assert_allclose(dense, channels_first(KERNEL, 3), rtol=2**-11)
    np.testing.assert_allclose(depthwise, channels_first(DEPTHWISE[..., 0], 2), rtol=2**-11)


def test_unpacked_float16_kernels_are_not_operators_or_layers(tmp_path: Path) -> None:
    wide, half = (in_float(tmp_path, weights) for weights in ("float32", "float16"))
    x = noise(2, *SHAPE)

    listed = [[(o.kind, o.macs, o.kernel) for o in list_operators(file)] for file in (wide, half)]
    made = [next(layer_values(file, [{"x": x}])) for file in (wide, half)]

    assert half.stat().st_size < wide.stat().st_size
    assert listed[0] == listed[1]
    for name in ("first", "second", "y"):
        # 72 weights of about 1, each off by up to half of float16's last digit, 2 ** -11.
        np.testing.assert_allclose(made[1][name], made[0][name], atol=0.02)
