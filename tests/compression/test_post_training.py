"""What a trained network becomes in int8."""

import time
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.post_training import _Candidates
from jejunet_nas.compression.statistics import BATCH, CalibrationInputs, spread
from jejunet_nas.litert import Graph
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.records import GRAPH_NAMES, OUTSIDE_DELEGATE
from jejunet_nas.resize import thumbnails
from jejunet_nas.scoring.score import combine
from tests.builders import TinyRun, int8_graphs, tiny_run
from tests.scoring.whole_clips import score_clip


@pytest.fixture(scope="session")
def tiny() -> TinyRun:
    return tiny_run()


def int8_masks(tiny: TinyRun) -> np.ndarray:
    graph = Graph(tiny.graphs["key"])
    return np.concatenate([graph.run(image=f[None])["class_map"] for f in tiny.val_frames])


def test_int8_class_maps_agree_with_float_ones(tiny: TinyRun) -> None:
    floats, ints = tiny.network.masks(tiny.val_frames), int8_masks(tiny)

    # A pixel tips where its two best logits lie within an int8 step or two of each other: at most
    # 255 steps span them, so that is of the order of 1 in 100. Measured: 0.4 % to 1 % of pixels.
    assert (floats == ints).mean() > 0.97
    assert (floats == ints)[floats > 0].mean() > 0.9  # objects, where most of the edges are


def test_int8_costs_no_more_than_three_points_of_miou(tiny: TinyRun) -> None:
    miou = [
        combine(
            [
                score_clip(*pair, tiny.network.classes)
                for pair in zip(tiny.val.clips, masks.reshape(2, 8, 32, 32), strict=True)
            ]
        ).miou
        for masks in (tiny.network.masks(tiny.val_frames), int8_masks(tiny))
    ]

    # Three pixels in a hundred tipped, as above, weigh at most about three points.
    assert miou[1] == pytest.approx(miou[0], abs=0.03)
    assert miou[0] > 0.35


def test_pixels_go_in_and_classes_come_out_as_bytes(tiny: TinyRun) -> None:
    for name in ("key", "propagate"):
        tensors = Graph(tiny.graphs[name]).tensors
        assert tensors["image"].shape == (1, 64, 64, 3)
        assert tensors["class_map"].shape == (1, 32, 32)
        assert tensors["image"].dtype == tensors["class_map"].dtype == np.uint8
        assert tensors["image"].scale == pytest.approx(1 / 127.5, rel=1e-6)  # float32
        assert tensors["image"].zero_point in (127, 128)  # -1 is pixel 0, 1 is pixel 255


def test_the_context_passes_from_key_to_propagate_as_it_is(tiny: TinyRun) -> None:
    out, into = (Graph(tiny.graphs[name]).tensors["context"] for name in ("key", "propagate"))

    assert out == into
    assert out.dtype == np.int8


def test_the_gates_score_spans_0_to_1(tiny: TinyRun) -> None:
    tensors = Graph(tiny.graphs["gate"]).tensors

    assert tensors["now"].dtype == tensors["keyframe"].dtype == np.uint8
    assert tensors["now"].shape == tensors["keyframe"].shape == (1, 8, 8, 3)
    assert (tensors["score"].scale, tensors["score"].zero_point) == (1 / 256, -128)


def test_the_int8_gate_scores_as_the_float_one(tiny: TinyRun) -> None:
    graph, small = Graph(tiny.graphs["gate"]), thumbnails(tiny.val_frames)
    now = np.concatenate([small, small])
    keyframe = np.concatenate([np.roll(small, 1, axis=0), np.roll(small, 5, axis=0)])
    floats = tiny.network.gate([now / 127.5 - 1, keyframe / 127.5 - 1], training=False)

    stored = [
        graph.run(now=a[None], keyframe=b[None])["score"].item()
        for a, b in zip(now, keyframe, strict=True)
    ]

    # Seven layers of int8: 21 of 256 steps measured at most, 5 on average, over a span of 0.73.
    np.testing.assert_allclose((np.array(stored) + 128) / 256, floats[:, 0, 0, 0], atol=32 / 256)


@pytest.mark.parametrize("name", GRAPH_NAMES)
def test_every_operator_but_those_at_the_ends_is_delegated(tiny: TinyRun, name: str) -> None:
    record = check_graph(tiny.graphs[name])

    assert set(record.not_delegated) <= {*OUTSIDE_DELEGATE}
    assert record.operators > len(record.not_delegated)
    assert record.size_bytes == tiny.graphs[name].stat().st_size
    assert record.file == f"{name}.tflite"


@pytest.mark.slow
def test_a_graph_of_the_smallest_network_is_converted_in_seconds(
    tiny: TinyRun, tmp_path: Path
) -> None:
    began = time.perf_counter()
    int8_graphs(tiny.network, tiny.val_frames, tmp_path)

    # 0.2 s a graph on an idle core; 13 s is what a graph takes by way of a SavedModel.
    assert time.perf_counter() - began < 3 * len(GRAPH_NAMES)


def test_of_many_calibration_frames_some_of_all_clips_are_judged_and_corrected_on(
    tiny: TinyRun,
) -> None:
    frames = np.concatenate([tiny.train.clips[0].frames[:1]] * 60 + [tiny.val_frames[-4:]])
    seen = []

    class Watching(CalibrationInputs):
        def run(self, network: FoldedNetwork, *, at_once: int = BATCH) -> None:
            seen.append((len(self.frames), at_once))
            super().run(network, at_once=at_once)

    candidates = _Candidates(tiny.network.folded(), Watching.of(frames), "always")
    found = candidates.best(equalize=False)

    # All frames show how far values reach; 32 of them, at once, what biases have to make up for.
    assert seen == [(64, BATCH), (32, BATCH), (32, 32)]
    assert found.logits_db > 10


def test_an_index_is_spread_over_all_there_are() -> None:
    np.testing.assert_array_equal(spread(64, 4), [0, 21, 42, 63])
    np.testing.assert_array_equal(spread(3, 4), [0, 1, 2])
