"""The Keras models of a network, and what they become when folded."""

from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.networks.build import KerasNetwork, as_input, build_network
from jejunet_nas.networks.paths import context_stride, key_path
from tests.builders import noise, tiny_run, weights_of


def images(network: KerasNetwork, seed: int = 0) -> np.ndarray:
    return noise(seed, 2, network.network.input_height, network.network.input_width, 3)


def test_propagate_with_its_own_context_is_key(built: KerasNetwork) -> None:
    frames = images(built)

    logits, context = built.key(frames, training=False)
    other = built.decode_with(frames, images(built, seed=1), training=False)

    # The same operators on the same numbers: not a bit may differ.
    np.testing.assert_array_equal(built.propagate([frames, context], training=False), logits)
    np.testing.assert_array_equal(built.context(frames, training=False), context)
    np.testing.assert_array_equal(built.decode_with(frames, frames, training=False), logits)
    felt = np.abs(other - logits).max() > 0.01
    # Another frame's context is felt, where there is a detail of this one to make up for it.
    assert felt == built.network.propagates


def test_folded_propagate_with_its_own_context_is_folded_key(built: KerasNetwork) -> None:
    frames, folded = images(built), built.folded()

    class_map, context = folded.key(frames)

    stride = 2 if built.network.propagates else 1
    assert class_map.shape == (2, frames.shape[1] // stride, frames.shape[2] // stride)
    assert len(np.unique(class_map)) > 1
    np.testing.assert_array_equal(folded.propagate(frames, context), class_map)


def test_folding_changes_no_more_than_rounding(built: KerasNetwork) -> None:
    frames = images(built)
    folded = key_path(built.folded().layers, frames, built.network, built.classes)

    for ours, keras in zip(folded, built.key(frames, training=False), strict=True):
        # Folding rounds each weight once more: 2^-24 of it, through some 60 layers that may each
        # pass an error on as it is. Measured: at most 4e-5 of the largest value.
        bound = 1e-4 * np.abs(keras).max()
        np.testing.assert_allclose(ours, keras, atol=bound, rtol=0)


def test_the_folded_gate_is_the_gate(built: KerasNetwork) -> None:
    height, width = built.network.input_height // 8, built.network.input_width // 8
    now, keyframe = (noise(seed, 4, height, width, 3) for seed in (1, 2))

    folded = built.folded().gate(now, keyframe)

    # Scores lie in (0, 1); seven layers of float32.
    np.testing.assert_allclose(folded, built.gate([now, keyframe], training=False), atol=1e-5)


def test_key_and_propagate_share_their_layers(built: KerasNetwork) -> None:
    key = {layer.name: layer for layer in built.key.layers if layer.weights}
    propagate = {layer.name: layer for layer in built.propagate.layers if layer.weights}

    assert propagate.keys() < key.keys()
    assert all(key[name] is layer for name, layer in propagate.items())
    assert {layer.name for layer in built.path_layers()} == key.keys()
    assert len(built.path_layers()) == len(key)


def test_the_context_has_one_pixel_a_context_stride(built: KerasNetwork) -> None:
    network, stride = built.network, context_stride(built.network)

    assert built.context.output_shape == (
        None,
        network.input_height // stride,
        network.input_width // stride,
        network.decoder_channels,
    )


def test_shared_parameters_are_counted_once(built: KerasNetwork) -> None:
    variables = {
        weight.ref()
        for model in (built.key, built.propagate, built.gate)
        for weight in model.trainable_weights
    }

    assert built.parameters == sum(int(np.prod(ref.deref().shape)) for ref in variables)


def test_weights_read_back_from_their_file(tmp_path: Path) -> None:
    saved = tiny_run().network
    other = build_network(saved.network, saved.classes, seed=1)
    saved.save_weights(tmp_path / "weights.npz")
    assert not np.array_equal(weights_of(saved)["Conv1/0"], weights_of(other)["Conv1/0"])

    other.load_weights(tmp_path / "weights.npz")

    np.testing.assert_equal(weights_of(other), weights_of(saved))


def test_masks_do_not_depend_on_the_number_of_frames() -> None:
    network, frames = tiny_run().network, tiny_run().val_frames[:9]

    masks = network.masks(frames)

    assert masks.shape == (9, 32, 32)
    assert masks.dtype == np.uint8
    alone = np.concatenate([network.folded().key(as_input(frame[None]))[0] for frame in frames])
    # Traced and eager, by eight and by one, may sum in another order: a near tie may tip.
    assert (masks == alone).mean() > 0.999


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY"])
def test_damaged_weights_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(content)

    with pytest.raises(SettingError, match=r"weights\.npz, the weights of .* not a complete \.npz"):
        tiny_run().network.load_weights(tmp_path / "weights.npz")
