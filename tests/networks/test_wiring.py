"""Who writes and who reads each channel of a network."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from jejunet_nas.compression.statistics import Observer
from jejunet_nas.networks.build import FoldedNetwork, KerasNetwork
from jejunet_nas.networks.folded_layers import Folded, FoldedLayer, FoldedLayers, fold
from jejunet_nas.networks.mobilenet_v2 import blocks
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX
from jejunet_nas.networks.wiring import INPUTS, Wiring, read_wiring
from tests.builders import noise
from tests.networks.scaled_channels import scaled

SMALL = np.float32(2**-24)  # a shaken network enlarges what it sees ten-thousandfold at most


@pytest.fixture(scope="session")
def wiring(built: KerasNetwork) -> Wiring:
    return read_wiring(built.network, built.classes)


def residuals(built: KerasNetwork) -> Iterator[tuple[str, str]]:
    """Yield the convolutions on both sides of each addition of a block's input to its output."""
    for prefix, multiplier in (
        ("", built.network.depth_multiplier),
        (NARROW_PREFIX, NARROW_DEPTH_MULTIPLIER),
    ):
        before = f"{prefix}Conv1"
        for block in blocks(multiplier):
            after = f"{prefix}{block.name}_project"
            if block.residual and after in built.layers:
                yield before, after
            before = after


def stream_of(wiring: Wiring, writer: str) -> str:
    (name,) = (name for name, stream in wiring.streams.items() if writer in stream.writers)
    return name


def test_each_convolution_writes_exactly_one_stream(built: KerasNetwork, wiring: Wiring) -> None:
    written = Counter(writer for stream in wiring.streams.values() for writer in stream.writers)

    assert written == Counter(fold(built.layers).keys())


def test_a_stream_has_the_channels_of_its_writers(built: KerasNetwork, wiring: Wiring) -> None:
    weights = fold(built.layers)

    for kept in (wiring.streams, wiring.groups):
        for stream in kept.values():
            assert {len(weights[each].bias) for each in stream.writers} <= {stream.channels}


@pytest.mark.parametrize("kept", ["streams", "groups"])
def test_the_streams_that_a_layer_reads_fill_its_input_without_gap_or_overlap(
    built: KerasNetwork, wiring: Wiring, kept: str
) -> None:
    read: dict[str, list[int]] = {name: [] for name in fold(built.layers)}
    for stream in getattr(wiring, kept).values():
        for reader in stream.readers:
            read[reader.layer] += range(reader.first, reader.first + stream.channels)

    for name, layer in fold(built.layers).items():
        assert sorted(read[name]) == list(range(layer.kernel.shape[2])), name
        assert sum(part.channels for part in wiring.inputs[name]) == layer.kernel.shape[2]


def test_only_depthwise_layers_are_not_dense(built: KerasNetwork, wiring: Wiring) -> None:
    for stream in (*wiring.streams.values(), *wiring.groups.values()):
        for reader in stream.readers:
            assert reader.dense != hasattr(built.layers[reader.layer], "depthwise_kernel")


def test_added_blocks_are_one_stream_and_one_group(built: KerasNetwork, wiring: Wiring) -> None:
    added = list(residuals(built))

    assert len(added) >= 4
    for before, after in added:
        assert stream_of(wiring, before) == stream_of(wiring, after)
        assert wiring.made[before] == wiring.made[after]


def test_streams_that_are_not_added_stay_separate(built: KerasNetwork, wiring: Wiring) -> None:
    together = {frozenset(pair) for pair in residuals(built)} | {
        frozenset({"context_local", "context_pooled"})
    }
    united = sum(len(stream.writers) - 1 for stream in wiring.streams.values() if stream.writers)

    # Each addition makes one of two streams: as many have gone as there are additions.
    assert united == len(together)


def test_the_context_is_written_by_its_local_and_its_pooled_branch(
    built: KerasNetwork, wiring: Wiring
) -> None:
    context = wiring.streams[stream_of(wiring, "context_local")]

    assert sorted(context.writers) == ["context_local", "context_pooled"]
    assert context.relu6
    if built.network.propagates:
        assert {"context", "decoder_upsample"} <= {*context.outputs}
        assert [reader.layer for reader in context.readers] == ["decoder_1_depthwise"]
    else:
        assert "context" in context.outputs
        assert [reader.layer for reader in context.readers] == ["logits"]


def test_the_inputs_of_a_concatenation_share_one_range(built: KerasNetwork, wiring: Wiring) -> None:
    tied = {
        frozenset(output for output in wiring.ties if wiring.ties[output] == root)
        for root in wiring.ties.values()
    }

    joined = {frozenset({"context", "decoder_upsample", "decoder_detail", "decoder_join"})}
    assert tied == (joined if built.network.propagates else set()) | {
        frozenset({"logits", "class_map"}),
        frozenset({"gate_join", "now", "keyframe"}),
    }


def test_inputs_and_outputs_of_the_network_are_fixed(built: KerasNetwork, wiring: Wiring) -> None:
    for kept in (wiring.streams, wiring.groups):
        fixed = {name for name, stream in kept.items() if stream.fixed}
        assert fixed == {*INPUTS, "logits", "gate_logit"}


def test_a_depthwise_layer_starts_a_stream_but_stays_in_the_group(
    built: KerasNetwork, wiring: Wiring
) -> None:
    depthwise = [n for n, layer in built.layers.items() if hasattr(layer, "depthwise_kernel")]

    for name in depthwise:
        assert wiring.streams[name].writers == wiring.streams[name].outputs == [name]
        (reader,) = wiring.streams[name].readers
        assert wiring.inputs[reader.layer] == wiring.inputs[name]
        assert name not in wiring.made
    assert not {*wiring.groups} & {*depthwise}


def shrunk(weights: Folded) -> Folded:
    return {name: FoldedLayer(kernel, bias * SMALL) for name, (kernel, bias) in weights.items()}


def seen_of(built: KerasNetwork, weights: Folded) -> Observer:
    seen = Observer()
    network = FoldedNetwork(built.network, built.classes, FoldedLayers(weights, seen))
    height, width = built.network.input_height, built.network.input_width
    network.key(SMALL * noise(0, 1, height, width, 3))
    network.gate(*(SMALL * noise(n, 1, height // 8, width // 8, 3) for n in (1, 2)))
    return seen


def test_scaling_a_stream_between_writers_and_readers_changes_nothing(
    built: KerasNetwork, wiring: Wiring
) -> None:
    rng, weights = np.random.default_rng(0), shrunk(fold(built.layers))
    factors = {
        name: np.exp2(rng.integers(-3, 4, stream.channels)).astype(np.float32)
        for name, stream in wiring.streams.items()
        if not stream.fixed
    }

    plain, larger = seen_of(built, weights), seen_of(built, scaled(weights, wiring, factors))

    assert max(float(reach.most.max()) for reach in plain.outputs.values()) < 6 / 2**3
    # Powers of two move no bit of a float's digits, only its exponent.
    np.testing.assert_array_equal(larger.logits, plain.logits)
    np.testing.assert_array_equal(larger.means["gate_logit"], plain.means["gate_logit"])
    for name, by in factors.items():
        for output in wiring.streams[name].outputs:
            expected = plain.outputs[output].most * by
            np.testing.assert_array_equal(larger.outputs[output].most, expected, output)
