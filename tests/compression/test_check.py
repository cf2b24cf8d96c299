import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from jejunet_nas.compression.check import check_agreement, check_graph
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.litert import Graph
from jejunet_nas.networks.folded_layers import FoldedLayer
from tests.builders import TinyRun, write_graph
from tests.compression.observed import with_weights

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


def test_what_a_compressed_file_is_smaller_for_is_counted(tmp_path: Path) -> None:
    values = np.array(
        [0, 0, 0, 0.5, -0.5, 1, -1, 1], np.float32
    )  # by input channel, of each output
    kernel = np.tile(values[None, None, :, None], (3, 3, 1, 4))
    file = write_graph(
        tmp_path / "g.tflite", lambda x: {"y": tf.nn.conv2d(x, kernel, 1, "SAME")}, SHAPE
    )

    record = check_graph(file)

    assert record.zero_weights == 3 / 8
    assert record.values_a_channel == 5
    assert record.macs == 4 * 4 * 4 * 9 * 8
    assert record.deflated_bytes == len(zlib.compress(file.read_bytes())) < record.size_bytes


def test_a_graph_without_convolutions_has_no_zeros(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.reduce_max(x, 1)}, SHAPE)

    assert (check_graph(file).zero_weights, check_graph(file).values_a_channel) == (0, 0)


def test_an_operator_that_the_delegate_leaves_aside_may_be_described(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.reverse(x, [1])}, SHAPE)

    assert check_graph(file, delegated=False).not_delegated == ("QUANTIZE", "REVERSE_V2")


def test_agreement_is_that_of_class_maps_scores_and_logits(
    tiny: TinyRun, frames: npt.NDArray[np.uint8]
) -> None:
    record = check_agreement(tiny.graphs, tiny.network.folded(), frames, bias_corrected=True)

    key = Graph(tiny.graphs["key"])
    maps = np.concatenate([key.run(image=each[None])["class_map"] for each in frames[:4]])
    # With the delegate as without: a value half way between two steps may tip, 1 in 100.
    alike = (maps == tiny.network.masks(frames[:4])).mean()
    assert record.key == pytest.approx(alike, abs=0.01)
    assert min(record.key, record.propagate) > 0.97
    assert 0 < record.gate_error < 32 / 256  # see test_post_training
    assert record.logits_db > 25
    assert (record.frames, record.equalized, record.bias_corrected) == (4, False, True)


def test_the_noisiest_layers_are_named_the_worst_first(
    tiny: TinyRun, frames: npt.NDArray[np.uint8]
) -> None:
    weights = tiny.network.folded().layers.weights
    kernel, bias = weights["decoder_1_pointwise"]
    other = with_weights(
        tiny.network, weights | {"decoder_1_pointwise": FoldedLayer(-kernel, bias + 3)}
    )

    record = check_agreement(tiny.graphs, other, frames)

    noise = [each.snr_db for each in record.noisiest]
    assert noise == sorted(noise)
    assert len({each.layer for each in record.noisiest}) == 3
    assert record.noisiest[0].snr_db < 5
    assert {each.layer for each in record.noisiest} & {"decoder_1_pointwise", "logits"}
    assert record.key < 0.9
    assert record.logits_db < 10


@pytest.mark.parametrize(("frames", "nearest"), [(0, 1), (-3, 1), (1025, 1024)])
def test_calibration_frames_out_of_range_name_the_nearest(frames: int, nearest: int) -> None:
    with pytest.raises(SettingError, match=rf"is {frames}; .* nearest is {nearest}\."):
        PostTrainingInt8(calibration_frames=frames)
