from pathlib import Path

import numpy as np
import tensorflow as tf

from jejunet_nas.compression.convert import SIGNATURE, convert_int8
from jejunet_nas.litert import Graph, list_operators
from jejunet_nas.litert.graph import interpreter
from tests.builders import noise, write_graph


def test_outputs_keep_their_names_whatever_their_order(tmp_path: Path) -> None:
    file = write_graph(
        tmp_path / "g.tflite",
        lambda x: {"wide": tf.concat([x, x], 3), "cut": x[:, :2], "pooled": tf.nn.relu(x[:, :1])},
        (1, 4, 4, 8),
    )

    outputs = Graph(file).run(x=np.zeros((1, 4, 4, 8), np.uint8))

    shapes = {name: value.shape for name, value in outputs.items()}
    assert shapes == {"wide": (1, 4, 4, 16), "cut": (1, 2, 4, 8), "pooled": (1, 1, 4, 8)}


def test_a_graph_has_one_signature_that_names_its_inputs_and_outputs(tmp_path: Path) -> None:
    shape = (1, 4, 4, 8)
    file = tmp_path / "g.tflite"
    file.write_bytes(
        convert_int8(
            lambda image, context: {"sum": image + context, "double": 2 * image},
            {"image": shape, "context": shape},
            [{"image": noise(0, *shape), "context": noise(1, *shape)}],
            int8_inputs=("context",),
        )
    )
    model = interpreter(file, delegate=False)

    assert model.get_signature_list() == {
        SIGNATURE: {"inputs": ["context", "image"], "outputs": ["double", "sum"]}
    }
    run = model.get_signature_runner(SIGNATURE)
    graph, ones = Graph(file), np.ones(shape, np.uint8)
    named = run(image=ones, context=ones.view(np.int8))
    for name, value in graph.run(image=ones, context=ones.view(np.int8)).items():
        np.testing.assert_equal(named[name], value)


def test_inputs_are_calibrated_each_on_its_own_values(tmp_path: Path) -> None:
    shape = (1, 4, 4, 8)
    graph = convert_int8(
        lambda small, large: {"sum": small + large},
        {"small": shape, "large": shape},
        [{"large": 8 * noise(0, *shape), "small": noise(1, *shape)}],
    )
    (tmp_path / "g.tflite").write_bytes(graph)

    tensors = Graph(tmp_path / "g.tflite").tensors

    # 255 steps span twice the reach; 128 draws come within 5 % of it.
    np.testing.assert_allclose(tensors["small"].scale, 2 / 255, rtol=0.05)
    np.testing.assert_allclose(tensors["large"].scale, 16 / 255, rtol=0.05)


def test_an_int8_input_goes_in_without_being_quantised_again(tmp_path: Path) -> None:
    def doubled(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.nn.relu(x)}

    plain = write_graph(tmp_path / "plain.tflite", doubled, (1, 4, 4, 8))
    direct = write_graph(tmp_path / "direct.tflite", doubled, (1, 4, 4, 8), int8=True)

    assert Graph(plain).tensors["x"].dtype == np.uint8
    assert Graph(direct).tensors["x"].dtype == np.int8
    kinds = [[o.kind for o in list_operators(file)] for file in (plain, direct)]
    assert kinds[0] == ["QUANTIZE", *kinds[1]]


def test_an_int8_graph_computes_its_function_to_within_a_step(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.nn.relu6(3 * x)}, (1, 4, 4, 8))
    graph, pixels = Graph(file), np.arange(128, dtype=np.uint8).reshape(1, 4, 4, 8) * 2
    into, out = graph.tensors["x"], graph.tensors["y"]

    stored = graph.run(x=pixels)["y"].astype(np.float64)

    real = into.scale * (pixels.astype(np.float64) - into.zero_point)
    # Half a step each of the product and of the result, and one of uint8 to int8.
    np.testing.assert_allclose(
        out.scale * (stored - out.zero_point), np.clip(3 * real, 0, 3), atol=2 * out.scale + 0.012
    )
