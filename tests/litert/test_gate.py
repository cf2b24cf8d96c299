"""A graph that would end the process ends a process of its own."""

import hashlib
import math
import time
from pathlib import Path

import pytest
import tensorflow as tf

from jejunet_nas.errors import SettingError
from jejunet_nas.litert import Graph, admit, countable_operators, gate, list_operators, vouch_for
from jejunet_nas.litert import metadata_buffer as metadata
from tests.litert.graphs import changed, small, two_signatures, with_the_last, write_float

STEP = 0.00784314  # the scale of the small graph's input: 2 / 255


@pytest.fixture
def deadly(tmp_path: Path) -> Path:
    """A graph that is whole to the reader, and ends LiteRT by a segmentation fault."""
    (tmp_path / "g.tflite").write_bytes(with_the_last(small(), 2 / 255, 4.6e-41))
    return tmp_path / "g.tflite"


@pytest.mark.parametrize("opens", [Graph, list_operators, admit])
def test_a_graph_that_ends_the_interpreter_does_not_end_this_process(
    deadly: Path, opens: type[Graph]
) -> None:
    with pytest.raises(
        SettingError, match=r"g\.tflite ends the interpreter \(signal 11, SIGSEGV\)\. The file is"
    ):
        opens(deadly)


def test_a_graph_of_others_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = changed(lambda model: setattr(model, "description", "of others"))
    (tmp_path / "g.tflite").write_bytes(content)
    admit(tmp_path / "g.tflite")
    monkeypatch.setattr(gate, "_TRIAL", tmp_path / "no such script")

    admit(tmp_path / "g.tflite")
    (tmp_path / "g.tflite").write_bytes(content + b" changed")
    with pytest.raises(SettingError, match=r"ends the interpreter with exit code 2"):
        admit(tmp_path / "g.tflite")


def test_a_graph_that_a_record_vouches_for_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_TRIAL", tmp_path / "no such script")
    content = changed(lambda model: setattr(model, "description", "ours"))
    (tmp_path / "g.tflite").write_bytes(content)

    vouch_for(hashlib.sha256(content).hexdigest())

    admit(tmp_path / "g.tflite")


def test_a_graph_that_does_not_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(gate, "_TRIAL", tmp_path / "slow.py")
    monkeypatch.setattr(gate, "TIMEOUT_S", 0.2)
    (tmp_path / "g.tflite").write_bytes(small() + b" slow")
    started_s = time.monotonic()

    with pytest.raises(SettingError, match=r"does not load and run within 0\.2 s"):
        admit(tmp_path / "g.tflite")

    assert time.monotonic() - started_s < 10


def test_what_litert_refuses_in_words_is_quoted(tmp_path: Path) -> None:
    def flat(model: object) -> None:
        model.subgraphs[0].tensors[0].shape = [64]  # type: ignore[attr-defined]

    (tmp_path / "g.tflite").write_bytes(changed(flat))

    with pytest.raises(SettingError, match=r"g\.tflite does not load: \S+.*\. The file is damaged"):
        Graph(tmp_path / "g.tflite")


def test_a_second_signature_is_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "g.tflite").write_bytes(changed(two_signatures))

    for opens in (Graph, list_operators):
        with pytest.raises(SettingError, match=r"several signatures, and decode would be left out"):
            opens(tmp_path / "g.tflite")


def test_an_open_size_is_asked_for_and_used(tmp_path: Path) -> None:
    file = write_float(tmp_path / "g.tflite", lambda x: {"y": tf.nn.relu(x)}, (None, None, None, 3))

    with pytest.raises(SettingError, match=r"height and width of its input \S+ open.*--input-size"):
        list_operators(file)
    (relu,) = list_operators(file, size=(6, 4))
    graph = Graph(file, size=(6, 4))

    assert relu.elements_out == 6 * 4 * 3
    assert [tensor.shape for tensor in graph.tensors.values()] == [(1, 6, 4, 3)] * 2
    graph.fill_inputs(seed=0)
    graph.invoke()


def test_a_size_for_a_graph_of_fixed_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "g.tflite").write_bytes(small())

    with pytest.raises(SettingError, match=r"--input-size is 6x4, .* fixed: 1x4x4x4\. Leave it"):
        Graph(tmp_path / "g.tflite", size=(6, 4))


def test_open_axes_that_are_no_picture_s_are_named(tmp_path: Path) -> None:
    file = write_float(tmp_path / "g.tflite", lambda x: {"y": x + 1.0}, (None, None))

    with pytest.raises(SettingError, match=r"leaves axes 0, 1 of its input \S+ open; allowed"):
        Graph(file)


def test_a_loop_is_named_where_work_is_counted_and_runs_where_it_is_timed(tmp_path: Path) -> None:
    def loop(x: tf.Tensor) -> dict[str, tf.Tensor]:
        def step(i: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1.0, y * 0.5

        return {"y": tf.while_loop(lambda i, y: i < tf.reduce_max(x), step, (0.0, x))[1]}

    file = write_float(tmp_path / "g.tflite", loop, (1, 4))

    with pytest.raises(SettingError, match=r"cannot be counted: WHILE\. Time it: --device adb"):
        countable_operators(file)
    assert "WHILE" in [operator.kind for operator in list_operators(file)]
    Graph(file).invoke()


@pytest.mark.parametrize(
    ("function", "shapes", "macs"),
    [
        (tf.matmul, [(1, 6, 8), (1, 8, 5)], 6 * 5 * 8),
        (lambda a, b: tf.nn.conv2d(a, b, 1, "SAME"), [(1, 6, 4, 8), (3, 3, 8, 2)], 48 * 9 * 8),
        (
            lambda a: tf.nn.conv2d_transpose(a, tf.ones((2, 2, 5, 8)), (1, 12, 8, 5), 2),
            [(1, 6, 4, 8)],
            6 * 4 * 8 * 2 * 2 * 5,
        ),
        (lambda a: tf.split(a, 2, axis=-1), [(1, 6, 4, 8)], 0),
        (tf.reduce_sum, [(1, 6, 4, 8)], 0),
    ],
    ids=["product of two inputs", "kernel as an input", "transposed", "split", "scalar"],
)
def test_operators_of_other_shapes_are_listed(
    tmp_path: Path, function: object, shapes: list[tuple[int, ...]], macs: int
) -> None:
    file = write_float(tmp_path / "g.tflite", function, *shapes)

    operators = countable_operators(file)

    assert sum(operator.macs for operator in operators) == macs
    assert math.prod(shapes[0]) * 4 in [operator.bytes_in for operator in operators] or macs


@pytest.mark.parametrize("data", [b"", b"words", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_metadata_of_no_graph_are_an_error_of_one_line(data: bytes) -> None:
    with pytest.raises(SettingError, match=r"the file is not a \.tflite graph: [^\n]*"):
        metadata(data, "TFLITE_METADATA")


def test_a_graph_without_metadata_has_empty_ones() -> None:
    assert metadata(small(), "TFLITE_METADATA") == b""
