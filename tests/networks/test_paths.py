"""The wiring: key and propagate are one decoder over one kind of detail."""

import itertools

import numpy as np
import pytest

from jejunet_nas.networks.operators import OperatorList
from jejunet_nas.networks.paths import context_stride, gate_path, key_path, propagate_path
from jejunet_nas.space.architecture import Detail
from tests.builders import noise, tiny_network
from tests.networks.drawn_layers import DrawnLayers

DEPTHS = ((6, 16), (9, 16), (12, 16), (13, 16), (13, 32), (16, 16), (16, 32))
WIRINGS = list(itertools.product(("shared", "thin", "narrow"), (4, 8), DEPTHS))


@pytest.mark.parametrize(("detail", "logit_stride", "depth"), WIRINGS)
def test_propagating_with_the_frames_own_context_is_the_key_path(
    detail: Detail, logit_stride: int, depth: tuple[int, int]
) -> None:
    network = tiny_network(
        detail=detail, logit_stride=logit_stride, last_block=depth[0], output_stride=depth[1]
    )
    layers, image = DrawnLayers(seed=0), noise(1, 2, 64, 64, 3)

    logits, context = key_path(layers, image, network, 3)
    propagated = propagate_path(layers, image, context, network, 3)
    stale = propagate_path(layers, image, context[::-1], network, 3)

    stride = context_stride(network)
    assert context.shape == (2, 64 // stride, 64 // stride, network.decoder_channels)
    assert logits.shape == (2, 64 // logit_stride, 64 // logit_stride, 3)
    # The same operators on the same numbers: not a bit may differ.
    np.testing.assert_array_equal(propagated, logits)
    assert np.abs(stale - logits).max() > 0.1  # the other frame's context is felt


@pytest.mark.parametrize("output_stride", [16, 32])
def test_without_detail_the_output_depends_only_on_the_context(output_stride: int) -> None:
    network = tiny_network(
        detail="none", logit_stride=output_stride, output_stride=output_stride, last_block=16
    )
    layers, image = DrawnLayers(seed=0), noise(1, 2, 64, 64, 3)

    logits, context = key_path(layers, image, network, 3)

    cells = 64 // output_stride
    assert logits.shape == (2, cells, cells, 3)
    np.testing.assert_array_equal(propagate_path(layers, image, context, network, 3), logits)
    np.testing.assert_array_equal(propagate_path(layers, -image, context, network, 3), logits)


@pytest.mark.parametrize(
    ("last_block", "output_stride", "expected"),
    # The tap after block 12 is the expansion of block 13, still in front of its stride.
    [(6, 16, 16), (12, 16, 16), (13, 16, 16), (13, 32, 32), (16, 32, 32)],
)
def test_the_context_comes_at_stride_32_from_block_13_on(
    last_block: int, output_stride: int, expected: int
) -> None:
    assert (
        context_stride(tiny_network(last_block=last_block, output_stride=output_stride)) == expected
    )


def test_the_gate_scores_a_pair_of_thumbnails_between_0_and_1() -> None:
    now, keyframe = noise(1, 5, 8, 8, 3), noise(2, 5, 8, 8, 3)
    score = np.asarray(gate_path(DrawnLayers(seed=0), now, keyframe))

    assert score.shape == (5, 1, 1, 1)
    assert ((score > 0) & (score < 1)).all()


@pytest.mark.parametrize("detail", ["thin", "narrow"])
def test_propagate_with_its_own_detail_branch_costs_less_than_half_of_key(detail: Detail) -> None:
    network = tiny_network(detail=detail, depth_multiplier=1.0, last_block=16, logit_stride=8)
    key, propagate = OperatorList(), OperatorList()

    _, context = key_path(key, (64, 64, 3), network, 3)
    propagate_path(propagate, (64, 64, 3), context, network, 3)

    macs = [sum(operator.macs for operator in reading.operators) for reading in (key, propagate)]
    assert macs[1] < macs[0] / 2
