"""A network that is trained on with its rounding stays the network that int8 graphs hold."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.compression.compress import CompressedNetwork
from jejunet_nas.compression.post_training import Candidate
from jejunet_nas.compression.quantization_aware import quantized_network
from jejunet_nas.litert import Graph, list_operators
from jejunet_nas.networks.build import KerasNetwork, as_input
from jejunet_nas.networks.folded_layers import fold
from jejunet_nas.networks.wiring import Wiring
from jejunet_nas.records import GRAPH_NAMES, GraphName
from tests.builders import TinyRun
from tests.compression.chains import AWARE
from tests.compression.observed import masks_of, rounded


@pytest.fixture(scope="module")
def quantized(candidate: Candidate) -> KerasNetwork:
    return quantized_network(candidate.int8, seed=0)


@pytest.fixture(scope="module")
def aware(made: Callable[[str], CompressedNetwork]) -> CompressedNetwork:
    return made(AWARE)


def test_before_any_step_it_is_the_network_that_it_was_made_of(
    quantized: KerasNetwork, candidate: Candidate, tiny: TinyRun
) -> None:
    start, folded = rounded(candidate.int8), quantized.folded()

    for name, ends in folded.layers.taps.ranges.items():
        np.testing.assert_allclose(ends, candidate.int8.ranges[name], rtol=1e-6)  # float32's
    np.testing.assert_array_equal(
        masks_of(folded, tiny.val_frames), masks_of(start, tiny.val_frames)
    )


def test_what_is_trained_says_what_the_rounded_network_says(
    quantized: KerasNetwork, candidate: Candidate, tiny: TinyRun
) -> None:
    images = as_input(tiny.val_frames)
    wanted = masks_of(rounded(candidate.int8), tiny.val_frames)

    for logits in (
        quantized.key(images, training=False)[0],
        quantized.decode_with(images, images, training=False),
    ):
        classes = np.argmax(tf.image.resize(logits, wanted.shape[1:]), axis=-1)
        # Training leaves pixels and the enlarged logits unrounded: half a step each.
        assert (classes == wanted).mean() > 0.98


def test_the_gate_that_is_trained_scores_as_the_rounded_one(
    quantized: KerasNetwork, candidate: Candidate
) -> None:
    now = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 3)).astype(np.float32)
    keyframe = np.roll(now, 1, axis=0)

    trained = quantized.gate([now, keyframe], training=False)
    score = rounded(candidate.int8).gate(now, keyframe)

    # Half a step of pixels, which training does not round, through seven layers of int8.
    np.testing.assert_allclose(trained, score, atol=0.1)


def test_key_and_propagate_are_trained_on_the_same_layers(quantized: KerasNetwork) -> None:
    key, context, propagate = (
        {layer.name: layer for layer in model.layers}
        for model in (quantized.key, quantized.context, quantized.propagate)
    )

    assert {"thin_1", "decoder_1_depthwise", "logits", "class_map_range"} <= {*key} & {*propagate}
    for model in (context, propagate):
        weighted = {name: layer for name, layer in model.items() if layer.weights}
        assert len(weighted) > 15
        for name, layer in weighted.items():
            assert layer is key[name]
            assert quantized.layers.get(name, layer) is layer


def test_outputs_that_share_a_range_in_the_graphs_share_one_in_training(
    quantized: KerasNetwork, wiring: Wiring
) -> None:
    following = {layer.name for layer in quantized.key.layers if layer.name.endswith("_range")}

    shared = {wiring.ties[name] for name in ("context", "decoder_detail", "decoder_upsample")}
    assert shared == {"decoder_join"}
    assert following & {f"{name}_range" for name in wiring.ties} == {
        "decoder_join_range",
        "class_map_range",
    }


def test_a_few_steps_change_every_kernel_and_bias(tiny: TinyRun, aware: CompressedNetwork) -> None:
    assert aware.int8 is not None
    for name, (kernel, bias) in fold(tiny.network.layers).items():
        assert np.abs(aware.int8.weights[name].kernel - kernel).max() > 0, name
        assert np.abs(aware.int8.weights[name].bias - bias).max() > 0, name


def test_ranges_follow_what_is_seen_but_for_those_that_are_known(
    candidate: Candidate, aware: CompressedNetwork, wiring: Wiring
) -> None:
    assert aware.int8 is not None
    before, after = candidate.int8.ranges, aware.int8.ranges

    assert after.keys() == before.keys()
    for low, high in after.values():
        assert low <= 0 <= high
        assert high > low
    for name in wiring.fixed_ranges:
        assert after[name] == before[name]
    for name, root in wiring.ties.items():
        if root in after:
            assert after[name] == after[root]
    assert after["logits"] != before["logits"]


def test_its_graphs_have_the_operators_of_int8_after_training(
    graphs: Mapping[GraphName, Path], aware: CompressedNetwork
) -> None:
    for name in GRAPH_NAMES:
        trained, plain = (list_operators(files[name]) for files in (aware.files, graphs))
        assert Counter(trained) == Counter(plain), name


def test_its_context_passes_from_key_to_propagate_as_it_is(aware: CompressedNetwork) -> None:
    out, into = (Graph(aware.files[name]).tensors["context"] for name in ("key", "propagate"))

    assert out == into
    assert out.dtype == np.int8


def test_its_graphs_say_what_the_trained_network_says(
    aware: CompressedNetwork, tiny: TinyRun
) -> None:
    assert aware.int8 is not None
    graph = Graph(aware.files["key"])
    ints = np.concatenate([graph.run(image=f[None])["class_map"] for f in tiny.val_frames])

    assert (masks_of(rounded(aware.int8), tiny.val_frames) == ints).mean() > 0.97
    assert (tiny.network.masks(tiny.val_frames) == ints).mean() > 0.9  # three steps away
