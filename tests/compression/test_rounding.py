"""int8 arithmetic in floats: its laws, and that LiteRT computes the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jejunet_nas.compression.post_training import Candidate
from jejunet_nas.compression.rounding import (
    LEAST_WIDTH,
    MOST_DB,
    Ranges,
    Rounding,
    ranges_of,
    rounded_kernel,
    signal_to_noise_db,
)
from jejunet_nas.compression.statistics import Reach
from jejunet_nas.litert import Graph, layer_values
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.networks.folded_layers import DEPTHWISE_AXIS, OUT_AXIS, FoldedLayers
from jejunet_nas.networks.wiring import read_wiring
from jejunet_nas.records import GraphName
from jejunet_nas.resize import thumbnails
from tests.builders import TinyRun, tiny_network
from tests.compression.observed import masks_of, rounded

FLOAT = 1e-5  # relative: a few of float32's last digits (6e-8) each for scale, quotient, product
WIRING = read_wiring(tiny_network(), 4)
OUTPUTS = sorted({each for s in WIRING.streams.values() for each in s.outputs} | {*WIRING.ties})

few = settings(max_examples=25)  # of what costs TensorFlow or Hypothesis milliseconds each
values = st.floats(-100, 100, width=32).map(lambda x: x if abs(x) > 1e-3 else 0.0)
kernels = arrays(np.float32, (3, 3, 6, 4), elements=values)
signals = arrays(np.float64, 16, elements=st.floats(-10, 10).map(lambda x: round(x, 3)))


def channels(kernel: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Return a kernel's weights as [channels, weights]."""
    return np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)


@given(kernels, st.sampled_from([OUT_AXIS, DEPTHWISE_AXIS]))
@few
def test_a_rounded_channel_holds_whole_steps_of_its_own(
    kernel: npt.NDArray[np.float32], axis: int
) -> None:
    rounded = rounded_kernel(kernel, axis).numpy()

    before, after = channels(kernel, axis), channels(rounded, axis)
    step = np.maximum(np.abs(before).max(axis=1, keepdims=True), 1e-8) / 127
    np.testing.assert_allclose(after / step, (after / step).round(), atol=127 * FLOAT)
    assert np.abs(after / step).round().max() <= 127  # so 255 values at most
    assert (np.abs(after - before) <= step * (0.5 + 127 * FLOAT)).all()


@given(kernels, st.sampled_from([OUT_AXIS, DEPTHWISE_AXIS]))
@few
def test_what_is_rounded_stays_as_it_is(kernel: npt.NDArray[np.float32], axis: int) -> None:
    once = rounded_kernel(kernel, axis).numpy()

    twice = rounded_kernel(once, axis).numpy()

    np.testing.assert_allclose(twice, once, rtol=FLOAT)


@given(kernels, st.sampled_from([OUT_AXIS, DEPTHWISE_AXIS]))
@few
def test_zero_stays_zero(kernel: npt.NDArray[np.float32], axis: int) -> None:
    assert (rounded_kernel(kernel, axis).numpy()[kernel == 0] == 0).all()


@given(kernels)
@few
def test_equal_weights_of_one_channel_stay_equal(kernel: npt.NDArray[np.float32]) -> None:
    rounded = channels(rounded_kernel(kernel.round(), OUT_AXIS).numpy(), OUT_AXIS)

    for before, after in zip(channels(kernel.round(), OUT_AXIS), rounded, strict=True):
        assert len(np.unique(after)) <= len(np.unique(before))


@pytest.mark.parametrize("axis", [OUT_AXIS, DEPTHWISE_AXIS])
def test_training_feels_every_weight_the_largest_too(axis: int) -> None:
    kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 8, 8)), tf.float32)

    with tf.GradientTape() as tape:
        tape.watch(kernel)
        total = tf.reduce_sum(rounded_kernel(kernel, axis))

    np.testing.assert_array_equal(tape.gradient(total, kernel), np.ones(kernel.shape))


# How far the outputs of the tiny network reach, of two channels each.
seen = arrays(np.float32, (len(OUTPUTS), 2, 2), elements=st.floats(0, 50, width=32)).map(
    lambda ends: {n: Reach(low=-e[0], high=e[1]) for n, e in zip(OUTPUTS, ends, strict=True)}
)


@given(seen)
@few
def test_a_range_holds_0_and_all_that_was_seen(outputs: dict[str, Reach]) -> None:
    ranges = ranges_of(outputs, WIRING)

    assert ranges.keys() == outputs.keys()
    for name, (low, high) in ranges.items():
        assert low <= 0 <= high
        assert high - low >= LEAST_WIDTH * (1 - FLOAT)
        if name not in WIRING.fixed_ranges:
            assert low <= outputs[name].low.min()
            assert high >= outputs[name].high.max()


@given(seen)
@few
def test_outputs_that_are_tied_share_what_any_of_them_reaches(outputs: dict[str, Reach]) -> None:
    ranges = ranges_of(outputs, WIRING)

    for name, root in WIRING.ties.items():
        tied = [each for each in OUTPUTS if WIRING.ties.get(each) == root]
        assert {ranges[each] for each in tied} == {ranges[name]}
        if root in ("decoder_join", "class_map"):
            assert ranges[root][1] <= max(*(outputs[e].high.max() for e in tied), LEAST_WIDTH)


@given(seen)
@few
def test_the_range_of_pixels_is_known_beforehand(outputs: dict[str, Reach]) -> None:
    assert ranges_of(outputs, WIRING)["image"] == WIRING.fixed_ranges["image"]


@given(signals)
def test_a_signal_without_noise_is_as_near_as_can_be(signal: npt.NDArray[np.float64]) -> None:
    assert signal_to_noise_db(signal, signal.copy()) == MOST_DB


@given(signals, signals, st.floats(0.01, 100))
def test_decibels_do_not_depend_on_the_unit(
    signal: npt.NDArray[np.float64], noise: npt.NDArray[np.float64], unit: float
) -> None:
    db = signal_to_noise_db(signal, signal + noise)

    if signal.any():
        # Float64 loses 16 digits' last one where noise is added and taken away again.
        assert signal_to_noise_db(unit * signal, unit * (signal + noise)) == pytest.approx(db, 1e-6)
    assert db <= MOST_DB


@given(signals.filter(np.any), signals.filter(np.any))
def test_a_tenth_of_the_noise_is_20_decibels_more(
    signal: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]
) -> None:
    loud, soft = (signal_to_noise_db(signal, signal + noise / by) for by in (1, 10))

    assert soft == pytest.approx(min(loud + 20, MOST_DB), abs=1e-6)


def test_noise_as_strong_as_the_signal_is_at_0_decibels() -> None:
    assert signal_to_noise_db([3.0, -4.0], [0.0, 0.0]) == pytest.approx(0.0)


Layers = dict[str, npt.NDArray[np.float32]]


class OneByOne(Rounding):
    """Hands each layer what the graph's layer before it made, and notes how far it is from there.

    apart: in steps of the output's range.
    """

    def __init__(self, ranges: Ranges, of_graph: Layers) -> None:
        super().__init__(ranges)
        self._of_graph = of_graph
        self.apart: Layers = {}

    def output(self, name: str, x: Any) -> Any:
        rounded = super().output(name, x)
        if name not in self._of_graph:
            return rounded
        if name not in ("image", "now", "keyframe"):
            low, high = self.ranges[name]
            distance = np.abs(np.asarray(rounded) - self._of_graph[name])
            self.apart[name] = distance / ((high - low) / 255)
        return tf.constant(self._of_graph[name])


def run_in_litert(file: Path, **pictures: npt.NDArray[np.uint8]) -> Layers:
    """Return what the layers of a graph hand on, and its inputs as it has them, stacked."""
    count = len(next(iter(pictures.values())))
    runs = [{name: each[t : t + 1] for name, each in pictures.items()} for t in range(count)]
    layers = list(layer_values(file, runs))
    inputs = {name: real_pixels(file, name, each) for name, each in pictures.items()}
    made = {name: np.concatenate([each[name] for each in layers]) for name in layers[0]}
    made.pop("class_map", None)  # in the graph, what is left of the logits of that name
    return made | inputs


def real_pixels(file: Path, name: str, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    stored = Graph(file).tensors[name]
    return np.asarray(stored.scale * (pixels.astype(np.float32) - stored.zero_point), np.float32)


def simulated(candidate: Candidate, of_graph: Layers) -> tuple[OneByOne, FoldedNetwork]:
    int8 = candidate.int8
    taps = OneByOne(int8.ranges, of_graph)
    return taps, FoldedNetwork(int8.network, int8.classes, FoldedLayers(int8.weights, taps))


def assert_a_step_apart_at_most(apart: Mapping[str, npt.NDArray[np.float32]]) -> None:
    for name, steps in apart.items():
        # LiteRT rounds the bias and the scales to whole numbers: what lies half way between two
        # steps may come out on either side. Measured: 1 in 200 values, 1 in 10 of a mean.
        assert steps.max() < 1.01, name
        assert (steps > 0.01).mean() < (0.2 if name.endswith("_mean") else 0.03), name


def test_each_layer_by_itself_computes_what_litert_does(
    tiny: TinyRun, candidate: Candidate, graphs: Mapping[GraphName, Path]
) -> None:
    pictures = tiny.val_frames[::4]
    of_graph = run_in_litert(graphs["key"], image=pictures)
    taps, network = simulated(candidate, of_graph)

    network.key(of_graph["image"])

    convolutions = {name for name in candidate.int8.weights if not name.startswith("gate_")}
    assert taps.apart.keys() >= convolutions
    assert_a_step_apart_at_most(taps.apart)


def test_each_layer_of_the_gate_computes_what_litert_does(
    tiny: TinyRun, candidate: Candidate, graphs: Mapping[GraphName, Path]
) -> None:
    small = thumbnails(tiny.val_frames)
    of_graph = run_in_litert(graphs["gate"], now=small, keyframe=np.roll(small, 3, axis=0))
    taps, network = simulated(candidate, of_graph)

    network.gate(of_graph["now"], of_graph["keyframe"])

    assert len(taps.apart) >= 7
    assert_a_step_apart_at_most(taps.apart)


def test_noise_of_layers_one_behind_the_other_leaves_class_maps_as_they_are(
    tiny: TinyRun, candidate: Candidate, graphs: Mapping[GraphName, Path]
) -> None:
    graph = Graph(graphs["key"])
    ints = np.concatenate([graph.run(image=each[None])["class_map"] for each in tiny.val_frames])

    simulated_maps = masks_of(rounded(candidate.int8), tiny.val_frames)

    # As many pixels tip as between float and int8 at most; see test_post_training.
    assert (simulated_maps == ints).mean() > 0.98
