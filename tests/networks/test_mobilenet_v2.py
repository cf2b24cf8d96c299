"""The backbone is the published one: channels, parameters, strides."""

import itertools
import math
from typing import Any

import pytest
import tf_keras
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.mobilenet_v2 import (
    END,
    backbone,
    blocks,
    scaled_channels,
    stem_channels,
)
from jejunet_nas.networks.operators import OperatorList

PUBLISHED_END = "block_16_project_BN"


def published(depth_multiplier: float) -> list[Any]:
    """Return the layers of Keras' MobileNetV2 up to its last block."""
    layers = tf_keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=depth_multiplier, include_top=False, weights=None
    ).layers
    return layers[: [layer.name for layer in layers].index(PUBLISHED_END) + 1]


def kernel_shapes(depth_multiplier: float) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"Conv1": (3, 3, 3, stem_channels(depth_multiplier))}
    for block in blocks(depth_multiplier):
        if block.expands:
            shapes[f"{block.name}_expand"] = (1, 1, block.channels_in, block.channels_expanded)
        shapes[f"{block.name}_depthwise"] = (3, 3, block.channels_expanded, 1)
        shapes[f"{block.name}_project"] = (1, 1, block.channels_expanded, block.channels_out)
    return shapes


@pytest.mark.parametrize("depth_multiplier", [0.35, 0.5, 0.75, 1.0])
def test_every_kernel_has_the_published_shape(depth_multiplier: float) -> None:
    theirs = {
        layer.name: tuple(layer.weights[0].shape)
        for layer in published(depth_multiplier)
        if layer.weights and "BN" not in layer.name and not layer.name.startswith("bn_")
    }

    assert kernel_shapes(depth_multiplier) == theirs


def test_the_backbone_has_the_published_number_of_parameters() -> None:
    layers = KerasLayers()
    backbone(layers, tf_keras.Input((32, 32, 3)), depth_multiplier=1.0, taps={END})

    ours = sum(layer.count_params() for layer in layers.by_name.values())

    # 2 257 984 without its head, less the last convolution: 320 x 1280 and four a channel.
    assert ours == 2_257_984 - 320 * 1280 - 4 * 1280
    assert ours == sum(layer.count_params() for layer in published(1.0))


@given(channels=st.integers(16, 320), depth_multiplier=st.floats(0.1, 1.4))
def test_scaled_channels_are_a_multiple_of_8_and_at_most_a_tenth_too_few(
    channels: int, depth_multiplier: float
) -> None:
    scaled, wanted = scaled_channels(channels, depth_multiplier), channels * depth_multiplier

    assert scaled % 8 == 0
    assert 0.9 * wanted <= scaled <= max(8, wanted + 8)


@given(depth_multiplier=st.floats(0.1, 1.4))
def test_the_channels_of_successive_blocks_match(depth_multiplier: float) -> None:
    made = blocks(depth_multiplier)

    assert len(made) == END == 17
    assert [block.index for block in made if not block.expands] == [0]
    assert math.prod(block.stride for block in made) == 16  # the stem halves once more
    for before, after in itertools.pairwise(made):
        assert after.channels_in == before.channels_out


@pytest.mark.parametrize(
    ("tap", "output_stride", "size"),
    # A tap is the expansion in front of the block's own stride.
    [
        *((1, 32, 32), (3, 32, 16), (6, 32, 8), (7, 32, 4), (13, 32, 4)),
        *((14, 32, 2), (14, 16, 4), (END, 32, 2), (END, 16, 4)),
    ],
)
def test_a_tap_has_the_size_of_its_stride(tap: int, output_stride: int, size: int) -> None:
    tapped = backbone(
        OperatorList(), (64, 64, 3), depth_multiplier=0.5, taps={tap}, output_stride=output_stride
    )

    assert tapped[tap][:2] == (size, size)


@given(tap=st.integers(1, 16))
def test_the_backbone_ends_at_its_last_tap(tap: int) -> None:
    reading = OperatorList()
    tapped = backbone(reading, (64, 64, 3), depth_multiplier=0.5, taps={1, tap})

    assert set(tapped) == {1, tap}
    assert tapped[tap][2] == blocks(0.5)[tap].channels_expanded
    assert reading.operators[-1].elements_out == math.prod(tapped[tap])


def test_stride_16_costs_no_parameters_over_stride_32() -> None:
    readings = [OperatorList(), OperatorList()]
    for reading, output_stride in zip(readings, (16, 32), strict=True):
        backbone(
            reading, (64, 64, 3), depth_multiplier=0.5, taps={END}, output_stride=output_stride
        )

    fine, coarse = ([o.weight_bytes for o in reading.operators] for reading in readings)
    assert fine == coarse
