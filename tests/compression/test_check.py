from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.errors import SettingError, TrialError
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


@pytest.mark.parametrize(("frames", "nearest"), [(0, 1), (-3, 1), (1025, 1024)])
def test_calibration_frames_out_of_range_name_the_nearest(frames: int, nearest: int) -> None:
    with pytest.raises(SettingError, match=rf"is {frames}; .* nearest is {nearest}\."):
        PostTrainingInt8(calibration_frames=frames)
