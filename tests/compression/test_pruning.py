"""Channels are taken out, or single weights; what is left is what mattered most."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.post_training import quantize_after_training
from jejunet_nas.compression.pruning import cut_channels, train_sparse, unwrapped
from jejunet_nas.compression.settings import PostTrainingInt8, Pruning, When
from jejunet_nas.compression.statistics import CalibrationInputs
from jejunet_nas.litert import list_operators
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.networks.folded_layers import fold
from jejunet_nas.networks.mobilenet_v2 import narrowed
from jejunet_nas.networks.operators import network_operators
from jejunet_nas.networks.wiring import Wiring, read_wiring
from jejunet_nas.records import GRAPH_NAMES
from tests.builders import TinyRun, int8_graphs, shake, tiny_network, weights_of
from tests.compression.observed import is_pruned, kernels_of, observed
from tests.compression.rehearsal import DRIFT, Rehearsal, silence

Frames = npt.NDArray[np.uint8]
SHARE, STEPS = 0.4, 13  # of 13 steps 8 raise the share, every fifth, and so step 5 to all of it


@pytest.fixture(scope="module")
def cut(tiny: TinyRun, frames: Frames) -> KerasNetwork:
    return cut_channels(tiny.network, SHARE, frames)


def macs(network: KerasNetwork) -> dict[str, int]:
    operators = network_operators(network.network, network.classes)
    return {name: sum(each.macs for each in operators[name]) for name in GRAPH_NAMES}


def assert_converts_to_what_is_counted(cut: KerasNetwork, frames: Frames, folder: Path) -> None:
    graphs = int8_graphs(cut, frames, folder)
    counted = network_operators(cut.network, cut.classes)
    for name in GRAPH_NAMES:
        # Kind, kernel, MACs and all bytes, as of networks that nothing was cut from.
        assert Counter(counted[name]) == Counter(list_operators(graphs[name])), name


def test_what_is_left_is_a_network_of_its_own(
    tiny: TinyRun, cut: KerasNetwork, frames: Frames, tmp_path: Path
) -> None:
    assert cut.network == tiny_network(pruning=SHARE)
    assert_converts_to_what_is_counted(cut, frames, tmp_path)


def test_channels_are_cut_from_a_deep_network_too(frames: Frames, tmp_path: Path) -> None:
    deep = {"detail": "shared", "logit_stride": 8, "last_block": 13, "output_stride": 32}
    network = build_network(tiny_network(**deep), 3, seed=0)
    shake(network, seed=1)

    assert_converts_to_what_is_counted(cut_channels(network, 0.8, frames), frames, tmp_path)


def test_with_fewer_channels_the_paths_compute_less_and_the_gate_as_much(
    tiny: TinyRun, cut: KerasNetwork
) -> None:
    whole, left = macs(tiny.network), macs(cut)

    assert left["key"] < whole["key"]
    assert left["propagate"] < whole["propagate"]
    assert left["gate"] == whole["gate"]


def pruned_groups(network: KerasNetwork, share: float) -> dict[str, int]:
    """Return how many channels each group loses, of those that lose any."""
    narrow = tiny_network(pruning=share)
    whole, left = (read_wiring(n, network.classes).groups for n in (network.network, narrow))
    return {
        name: whole[name].channels - left[name].channels
        for name in whole
        if whole[name].channels > left[name].channels
    }


def test_channels_go_from_the_decoder_and_the_last_blocks_alone(
    tiny: TinyRun, cut: KerasNetwork
) -> None:
    lost = pruned_groups(tiny.network, SHARE)
    decoder = {"context_local", "decoder_1_pointwise", "decoder_2_pointwise"}

    # The decoder's detail has 8 channels, the least there are.
    assert lost.keys() == decoder | {f"block_{number}_expand" for number in range(3, 8)}
    whole = read_wiring(tiny.network.network, tiny.network.classes).groups
    for name, count in lost.items():
        assert whole[name].channels - count == narrowed(whole[name].channels, SHARE)


def test_what_no_cut_touches_stays_as_it_is(tiny: TinyRun, cut: KerasNetwork) -> None:
    before, after = weights_of(tiny.network), weights_of(cut)

    assert before.keys() == after.keys()
    whole = [name for name in before if before[name].shape == after[name].shape]
    assert {"Conv1/0", "block_2_expand/0", "thin_1/0", "gate_1/0"} <= {*whole}
    for name in whole:
        np.testing.assert_array_equal(after[name], before[name], name)


def test_the_channels_that_are_read_most_strongly_are_kept(
    tiny: TinyRun, wiring: Wiring, frames: Frames
) -> None:
    name = "block_7_expand"  # which two layers sum over, one of them its mean
    network, group = unwrapped(tiny.network), wiring.groups[name]
    count = pruned_groups(network, SHARE)[name]
    alone = np.random.default_rng(0).choice(group.channels, count, replace=False)
    for reader in group.readers:
        if reader.dense:
            whisper(network.layers[reader.layer], reader.first + alone)

    cut = cut_channels(network, SHARE, frames)

    heard = np.setdiff1d(np.arange(group.channels), alone)
    expected = [each[heard] for each in network.layers[f"{name}_BN"].get_weights()]
    np.testing.assert_array_equal(cut.layers[f"{name}_BN"].get_weights(), expected)


def whisper(layer: Any, channels: npt.NDArray[np.intp]) -> None:
    """Let a convolution read `channels` ten thousand times more softly."""
    kernel, *bias = layer.get_weights()
    kernel[:, :, channels] /= 1e4
    layer.set_weights([kernel, *bias])


def mute(network: KerasNetwork, name: str, channels: npt.NDArray[np.intp]) -> None:
    """Let a layer hand on 0 in `channels`, whatever it is given."""
    if f"{name}_BN" in network.layers:
        gamma, beta, *others = network.layers[f"{name}_BN"].get_weights()
        gamma[channels] = beta[channels] = 0
        network.layers[f"{name}_BN"].set_weights([gamma, beta, *others])
    else:
        kernel, bias = network.layers[name].get_weights()
        kernel[..., channels] = bias[channels] = 0
        network.layers[name].set_weights([kernel, bias])


def test_channels_that_are_always_0_can_be_cut_and_nothing_changes(
    tiny: TinyRun, wiring: Wiring, frames: Frames, inputs: CalibrationInputs
) -> None:
    network, rng = unwrapped(tiny.network), np.random.default_rng(0)
    for name, count in pruned_groups(network, SHARE).items():
        group = wiring.groups[name]
        dead = rng.choice(group.channels, count, replace=False)
        for writer in group.writers:
            mute(network, writer, dead)
        for reader in group.readers:
            if not reader.dense:  # a depthwise layer would make a constant of them
                mute(network, reader.layer, reader.first + dead)

    cut = cut_channels(network, SHARE, frames)

    before, after = (observed(each, fold(each.layers), inputs).logits for each in (network, cut))
    # The same sums without the zeros, added up by float32 (6e-8) in another order, layer by layer.
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4 * np.abs(before).max())


@pytest.fixture(scope="module")
def sparse(tiny: TinyRun, rehearsal: Rehearsal) -> KerasNetwork:
    settings = Pruning(kind="magnitude", share=SHARE, steps=STEPS)
    return train_sparse(tiny.network, settings, rehearsal, silence)


def test_each_kernel_has_the_asked_share_of_zeros(sparse: KerasNetwork) -> None:
    for name, kernel in kernels_of(sparse).items():
        zeros = int((kernel == 0).sum())
        # A whole number of weights, rounded to the nearest.
        wanted = SHARE * kernel.size if is_pruned(name) else 0
        assert abs(zeros - wanted) <= 0.5 + 1e-4 * kernel.size, name


def test_the_weights_of_least_magnitude_become_0(tiny: TinyRun, sparse: KerasNetwork) -> None:
    drifted = 2 * STEPS * DRIFT
    for name, kernel in kernels_of(sparse).items():
        before = np.abs(kernels_of(tiny.network)[name])
        zero = kernel == 0
        if is_pruned(name):
            assert before[zero].max() <= before[~zero].min() + drifted, name
        assert np.abs(kernel - kernels_of(tiny.network)[name])[~zero].max() <= drifted, name


@pytest.mark.parametrize("equalize", ["never", "always"])
def test_zeros_are_zeros_in_int8(
    sparse: KerasNetwork, frames: Frames, tmp_path: Path, equalize: When
) -> None:
    settings = PostTrainingInt8(equalize=equalize)

    found = quantize_after_training(sparse.folded(), frames, settings)

    kernels = kernels_of(sparse)
    for name, kernel in kernels.items():
        assert (found.int8.weights[name].kernel[kernel == 0] == 0).all(), name
    record = check_graph(found.int8.write(tmp_path)["key"])
    of_key = [kernel for name, kernel in kernels.items() if not name.startswith("gate_")]
    zeros = sum(int((kernel == 0).sum()) for kernel in of_key)
    # Some weights that are not 0 are smaller than half a step.
    assert record.zero_weights >= zeros / sum(kernel.size for kernel in of_key)
    assert record.zero_weights < SHARE + 0.05


def test_the_smallest_decoder_keeps_what_it_has(frames: Frames) -> None:
    network = build_network(tiny_network(decoder_channels=8), 3, seed=0)

    cut = cut_channels(network, 0.5, frames)

    before, after = (kernels_of(each)["decoder_detail"].shape for each in (network, cut))
    assert before[-1] == after[-1] == 4  # of 8 channels, half: no fewer than 8 are ever made of it
