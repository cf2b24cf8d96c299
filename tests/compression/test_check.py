from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.compression.check import check_graph, context_table
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.litert import Graph
from tests.builders import write_graph

SHAPE = (1, 4, 4, 8)


def test_a_graph_is_described(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.reduce_max(x, 1)}, SHAPE)

    record = check_graph(file)

    assert (record.file, record.size_bytes) == ("g.tflite", file.stat().st_size)
    assert (record.operators, record.macs, record.not_delegated) == (2, 0, ("QUANTIZE",))


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("REVERSE_V2", lambda x: {"y": tf.reverse(x, [1])}),
        ("GATHER", lambda x: {"y": tf.gather(x, [3, 1], axis=1)}),
        ("CUMSUM, REVERSE_V2", lambda x: {"y": tf.reverse(tf.cumsum(x, 1), [2])}),
    ],
)
def test_an_operator_that_the_delegate_leaves_aside_is_named(
    tmp_path: Path, kind: str, function: Callable[[Any], dict[str, Any]]
) -> None:
    file = write_graph(tmp_path / "g.tflite", function, SHAPE)

    with pytest.raises(TrialError, match=rf"g\.tflite: .* does not run {kind}; allowed .*ARG_MAX"):
        check_graph(file)


@pytest.mark.parametrize("content", [b"", b"no graph at all"], ids=["empty", "text"])
def test_a_file_that_is_no_graph_does_not_run(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "g.tflite").write_bytes(content)

    with pytest.raises(TrialError, match=r"^g\.tflite does not run under LiteRT: .*Convert it"):
        check_graph(tmp_path / "g.tflite")


@pytest.mark.parametrize("reach", [0.5, 1.0, 3.0])
def test_a_context_table_keeps_values_where_scales_differ(tmp_path: Path, reach: float) -> None:
    key = write_graph(tmp_path / "key.tflite", lambda image: {"context": 2 * image}, SHAPE)
    propagate = write_graph(
        tmp_path / "p.tflite",
        lambda context: {"y": tf.nn.relu(context)},
        SHAPE,
        reach=reach,
        int8=True,
    )

    table = context_table(key, propagate)

    assert table is not None
    out, into = Graph(key).tensors["context"], Graph(propagate).tensors["context"]
    for stored in range(-128, 128):
        real = out.scale * (stored - out.zero_point)
        low, high = (into.scale * (end - into.zero_point) for end in (-128, 127))
        carried = into.scale * (int(table[stored % 256]) - into.zero_point)
        # Half a step of rounding; beyond what propagate can hold, its nearest value.
        assert abs(carried - np.clip(real, low, high)) <= 0.5001 * into.scale


def test_a_context_table_is_needed_only_where_scales_differ(tmp_path: Path) -> None:
    key = write_graph(
        tmp_path / "key.tflite", lambda image: {"context": tf.abs(image)[:, 1:]}, SHAPE
    )

    assert context_table(key, key) is None


@pytest.mark.parametrize(("frames", "nearest"), [(0, 1), (-3, 1), (1025, 1024)])
def test_calibration_frames_out_of_range_name_the_nearest(frames: int, nearest: int) -> None:
    with pytest.raises(SettingError, match=rf"is {frames}; .* nearest is {nearest}\."):
        PostTrainingInt8(calibration_frames=frames)
