import os
from pathlib import Path

import pytest
import tensorflow as tf

from jejunet_nas.errors import SettingError
from jejunet_nas.litert import list_operators
from tests.builders import noise, write_graph

DATA = Path(os.environ.get("JEJUNET_DATA", Path(__file__).parents[3] / "shared" / "data"))
PUBLISHED = DATA / "tflite" / "mobilenet_v2_1.0_224_quant.tflite"


def test_the_figures_of_a_convolution_equal_those_computed_by_hand(tmp_path: Path) -> None:
    kernel = noise(0, 3, 3, 8, 4)
    file = write_graph(
        tmp_path / "g.tflite", lambda x: {"y": tf.nn.conv2d(x, kernel, 2, "SAME")}, (1, 6, 4, 8)
    )

    quantize, conv = list_operators(file)

    assert (quantize.kind, quantize.macs, quantize.weight_bytes) == ("QUANTIZE", 0, 0)
    assert (conv.kind, conv.kernel) == ("CONV_2D", (3, 3))
    assert conv.macs == 3 * 2 * 4 * 9 * 8  # each of 24 outputs reads 9 pixels of 8 channels
    assert (conv.bytes_in, conv.bytes_out) == (6 * 4 * 8, 24)
    assert conv.weight_bytes == 9 * 8 * 4 + 4 * 4  # int8 weights, int32 biases


def test_a_depthwise_convolution_reads_each_channel_once(tmp_path: Path) -> None:
    kernel = noise(0, 3, 3, 8, 1)
    file = write_graph(
        tmp_path / "g.tflite",
        lambda x: {"y": tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "SAME")},
        (1, 6, 4, 8),
    )

    depthwise = list_operators(file)[-1]

    assert (depthwise.kind, depthwise.kernel) == ("DEPTHWISE_CONV_2D", (3, 3))
    assert depthwise.macs == 6 * 4 * 8 * 9


def test_listing_the_operators_of_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no\.tflite is not a file\. Check the path"):
        list_operators(tmp_path / "no.tflite")


@pytest.mark.data
@pytest.mark.skipif(not PUBLISHED.is_file(), reason=f"there is no {PUBLISHED}")
def test_mobilenet_v2_has_its_published_300_million_macs() -> None:
    operators = list_operators(PUBLISHED)

    # Sandler et al., table 4: 300 M, rounded.
    assert sum(operator.macs for operator in operators) == pytest.approx(300e6, rel=0.01)


def test_an_operator_over_float_activations_says_so(tmp_path: Path) -> None:
    kernel = noise(0, 1, 1, 8, 4)

    @tf.function(autograph=False)
    def convolve(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    traced = convolve.get_concrete_function(tf.TensorSpec((1, 6, 4, 8), tf.float32))
    (tmp_path / "f.tflite").write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    )
    int8 = write_graph(tmp_path / "i.tflite", lambda x: {"y": convolve(x)}, (1, 6, 4, 8))

    (conv,) = list_operators(tmp_path / "f.tflite")
    assert (conv.kind, conv.float32, conv.bytes_in) == ("CONV_2D", True, 4 * 6 * 4 * 8)
    assert not any(operator.float32 for operator in list_operators(int8))
