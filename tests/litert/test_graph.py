from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.errors import SettingError
from jejunet_nas.litert import Graph, list_operators
from tests.builders import write_graph


def test_a_graph_runs_by_the_names_of_its_tensors(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.nn.relu(x)}, (1, 2, 2, 8))
    graph = Graph(file)

    outputs = graph.run(x=np.full((1, 2, 2, 8), 255, np.uint8))

    assert graph.tensors["x"].shape == (1, 2, 2, 8)
    assert list(outputs) == ["y"]
    np.testing.assert_array_equal(outputs["y"], np.full((1, 2, 2, 8), 127, np.int8))


@pytest.mark.parametrize("content", [b"", b"no graph at all"], ids=["empty", "text"])
def test_a_file_that_is_not_a_graph_does_not_load(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "g.tflite").write_bytes(content)

    for opens in (Graph, list_operators):
        with pytest.raises(SettingError, match=r"g\.tflite is not a \.tflite graph: it does not"):
            opens(tmp_path / "g.tflite")


def test_noise_fills_the_input_and_gives_the_same_with_and_without_a_delegate(
    tmp_path: Path,
) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.nn.relu(x)}, (1, 4, 4, 8))
    outputs = []
    for delegate in (True, False):
        graph = Graph(file, delegate=delegate)
        graph.fill_inputs(seed=0)
        graph.invoke()
        outputs.append(graph.run()["y"])

    assert len(np.unique(outputs[0])) > 20  # of 128 values, at half of them 0
    np.testing.assert_array_equal(*outputs)
