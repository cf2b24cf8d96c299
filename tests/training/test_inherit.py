"""Backbone weights from a source, cut to a network's width."""

import dataclasses
import itertools
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
import tf_keras

from jejunet_nas.errors import SettingError
from jejunet_nas.networks.build import build_network
from jejunet_nas.networks.folded_layers import FoldedLayer, FoldedLayers
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.mobilenet_v2 import END, backbone, blocks
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX
from jejunet_nas.training.inherit import inherit, kept_channels
from jejunet_nas.training.source import (
    Source,
    SourceLayer,
    load_source,
    measure_source,
    save_source,
    source_for,
    source_of,
)
from jejunet_nas.training.weights_file import Norm, read_weights
from tests.builders import noise, tiny_network
from tests.training.weights import (
    folded_weights,
    keras_layers,
    keras_mobilenet,
    write_folded,
    write_keras,
)

TAPS = {1: "block_1_expand_relu", 13: "block_13_expand_relu", END: "block_16_project_BN"}


def numbered_source(depth_multiplier: float = 1.0) -> Source:
    """Return a source whose beta numbers the channels, so that those kept can be read off."""
    rng = np.random.default_rng(1)
    layers = {}
    for name, (kernel, bias) in folded_weights(depth_multiplier).items():
        channels = len(bias)
        layers[name] = SourceLayer(
            kernel=kernel,
            norm=Norm(
                gamma=np.ones(channels, np.float32),
                beta=np.arange(channels, dtype=np.float32),
                mean=rng.normal(0, 1, channels).astype(np.float32),
                variance=np.ones(channels, np.float32),
            ),
            deviation=rng.uniform(0.5, 2, channels).astype(np.float32),
        )
    return Source(depth_multiplier=depth_multiplier, layers=layers)


def keras_backbone(
    depth_multiplier: float, size: tuple[int, int] = (64, 64), taps: Collection[int] = TAPS
) -> tuple[dict[str, Any], Any]:
    layers, image = KerasLayers(), tf_keras.Input((*size, 3))
    tapped = backbone(layers, image, depth_multiplier=depth_multiplier, taps=taps)
    return layers.by_name, tf_keras.Model(image, list(tapped.values()))


def test_at_full_width_a_network_computes_the_same_as_its_source(tmp_path: Path) -> None:
    folded = folded_weights()
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    layers, model = keras_backbone(1.0)

    inherit(
        layers, measure_source(read_weights(write_folded(tmp_path / "w.npz", folded)), frames), 1.0
    )

    image = noise(3, 2, 64, 64, 3)
    as_stored = FoldedLayers({name: FoldedLayer(*layer) for name, layer in folded.items()})
    wanted = backbone(as_stored, image, depth_multiplier=1.0, taps={1, 13, END})
    for found, source in zip(model(image, training=False), wanted.values(), strict=True):
        # Batch norm scales by gamma / sqrt(variance), which is 1 but for float32's rounding, in
        # each of 52 layers.
        np.testing.assert_allclose(found, source, atol=1e-4 * np.abs(source).max(), rtol=0)


def test_statistics_of_the_source_are_those_of_its_layers_over_the_frames(tmp_path: Path) -> None:
    folded = folded_weights()
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)

    source = measure_source(read_weights(write_folded(tmp_path / "w.npz", folded)), frames)

    kernel, bias = folded["Conv1"]
    values = tf.nn.conv2d(frames / np.float32(127.5) - 1, kernel, 2, "SAME").numpy() + bias
    stem = source.layers["Conv1"]
    np.testing.assert_allclose(stem.norm.beta, values.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(stem.deviation, values.std((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (65, 97)])
def test_a_network_of_published_width_computes_the_same_as_keras(
    size: tuple[int, int], tmp_path: Path
) -> None:
    """Keras pads by hand in front of a stride and then convolves VALID.

    It does so by (0, 1) where the size is even and by (1, 1) where it is odd, which is what SAME
    does: no pixel is shifted.
    """
    model = keras_mobilenet(0.35, size)
    source = source_of(read_weights(write_keras(tmp_path / "w.h5", 0.35)))
    layers, ours = keras_backbone(0.35, size)

    inherited = inherit(layers, source, 0.35)

    assert inherited == {name for name, layer in layers.items() if layer.weights}
    image = noise(3, 2, *size, 3)
    theirs = tf_keras.Model(model.input, [model.get_layer(n).output for n in TAPS.values()])
    pairs = zip(ours(image, training=False), theirs(image, training=False), strict=True)
    for found, wanted in pairs:
        # float32 through 51 layers, fused in another order where Keras pads by a layer of its own
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max(), rtol=0)


def test_keras_shifts_by_a_pixel_only_where_it_does_not_know_an_odd_size(tmp_path: Path) -> None:
    open_size = keras_mobilenet(0.35, (None, None))
    first = tf_keras.Model(open_size.input, open_size.get_layer("block_1_depthwise").output)
    source = source_of(read_weights(write_keras(tmp_path / "w.h5", 0.35)))

    def ours(size: int) -> Any:
        layers, _ = keras_backbone(0.35, (size, size))
        inherit(layers, source, 0.35)
        whole = tf_keras.Model(layers["Conv1"].input, layers["block_1_depthwise"].output)
        return whole(noise(3, 1, size, size, 3), training=False)

    # Of 66 px the stem makes 33, an odd size: Keras, not knowing it, pads (0, 1) and loses a row.
    assert ours(66).shape[1:3] == (17, 17)
    assert first(noise(3, 1, 66, 66, 3), training=False).shape[1:3] == (16, 16)
    # Networks here take multiples of 32: every stride meets an even size.
    even = first(noise(3, 1, 64, 64, 3), training=False)
    np.testing.assert_allclose(ours(64), even, atol=1e-4 * np.abs(even).max())  # as above


def test_a_network_of_the_sources_width_gets_every_weight(tmp_path: Path) -> None:
    source = source_of(read_weights(write_keras(tmp_path / "w.h5", 0.5)))
    network = build_network(tiny_network(depth_multiplier=0.5, last_block=16), 3, seed=0)

    inherit(network.layers, source, 0.5)

    assert source.is_as_wide_as(0.5)
    for name, wanted in keras_layers(keras_mobilenet(0.5)).items():
        found = network.layers[name].get_weights() + network.layers[f"{name}_BN"].get_weights()
        np.testing.assert_equal(found, wanted, err_msg=name)


@pytest.mark.parametrize(("wide", "depth_multiplier"), [(1.0, 0.5), (0.35, 0.25)])
def test_a_cut_layer_holds_the_sources_weights_of_the_channels_kept(
    wide: float, depth_multiplier: float
) -> None:
    source = numbered_source(wide)
    layers, _ = keras_backbone(depth_multiplier)

    inherit(layers, source, depth_multiplier)

    inputs = np.arange(3)
    for name, layer in source.layers.items():
        (kernel,), outputs = layers[name].get_weights(), numbers_kept(layers, name)
        whole = layer.kernel[:, :, outputs if name.endswith("depthwise") else inputs]
        part = whole if name.endswith("depthwise") else whole[..., outputs]
        np.testing.assert_array_equal(kernel, part, err_msg=name)
        assert (np.diff(outputs) > 0).all()  # none twice, and in their own order
        inputs = outputs


def numbers_kept(layers: dict[str, Any], name: str) -> npt.NDArray[np.int64]:
    """Return which of the source's channels a layer kept: its beta numbers them."""
    return layers[f"{name}_BN"].get_weights()[1].astype(np.int64)


@pytest.mark.parametrize(
    ("wide", "depth_multiplier"), [(1.0, 0.35), (1.0, 0.5), (0.75, 0.6), (0.35, 0.25), (1.4, 1.3)]
)
def test_channels_that_a_residual_adds_are_cut_alike(wide: float, depth_multiplier: float) -> None:
    kept = kept_channels(numbered_source(wide), depth_multiplier)

    made = blocks(1.0)
    residuals = [(a.name, b.name) for a, b in itertools.pairwise(made) if b.residual]
    assert len(residuals) == 10
    for before, block in residuals:
        (_, added), (_, to) = kept[f"{block}_project"], kept[f"{before}_project"]
        np.testing.assert_array_equal(added, to)


def test_the_most_important_channels_are_kept_and_of_equal_ones_the_first() -> None:
    source = numbered_source()
    last = source.layers["block_16_project"]  # nothing reads it: how far it varies is all
    varies = np.where(np.arange(320) % 2, np.float32(2), np.float32(1))
    layers = {**source.layers, "block_16_project": dataclasses.replace(last, deviation=varies)}
    source = dataclasses.replace(source, layers=layers)

    (_, few), (_, more) = (kept_channels(source, w)["block_16_project"] for w in (0.35, 0.75))

    np.testing.assert_array_equal(few, np.arange(1, 2 * 112, 2))
    np.testing.assert_array_equal(more[more % 2 == 0], np.arange(0, 2 * 80, 2))
    assert len(more) == 240


def test_a_wider_network_keeps_all_channels_of_a_narrower_one() -> None:
    source = numbered_source()

    few, more = kept_channels(source, 0.35), kept_channels(source, 0.5)

    for name in source.layers:
        assert all(set(a) <= set(b) for a, b in zip(few[name], more[name], strict=True)), name


def test_all_layers_of_the_backbone_and_of_a_narrow_detail_inherit() -> None:
    network = build_network(tiny_network(depth_multiplier=0.5, detail="narrow"), 3, seed=0)
    source = numbered_source()

    wide = inherit(network.layers, source, 0.5)
    narrow = inherit(network.layers, source, NARROW_DEPTH_MULTIPLIER, prefix=NARROW_PREFIX)

    own = ("context", "decoder", "gate", "logits")
    with_weights = {name for name, layer in network.layers.items() if layer.weights}
    assert wide | narrow == {name for name in with_weights if not name.startswith(own)}
    assert all(name.startswith(NARROW_PREFIX) for name in narrow)
    # The optimizer finds the layers that inherited by the names of their variables.
    named = {v.name.split("/")[0] for layer in network.path_layers() for v in layer.weights}
    assert wide | narrow < named


def test_a_source_reads_back_from_its_file(tmp_path: Path) -> None:
    source = numbered_source()

    save_source(source, tmp_path / "source.npz")
    found = load_source(tmp_path / "source.npz")

    assert found.depth_multiplier == 1.0
    assert list(found.layers) == list(source.layers)
    for name, layer in source.layers.items():
        for part in ("kernel", "norm", "deviation"):
            np.testing.assert_equal(getattr(found.layers[name], part), getattr(layer, part))
    assert [file.name for file in tmp_path.iterdir()] == ["source.npz"]


def test_a_network_gets_the_narrowest_source_that_is_wide_enough() -> None:
    sources = [Source(depth_multiplier=width, layers={}) for width in (1.0, 0.35, 0.5)]

    chosen = [source_for(sources, width).depth_multiplier for width in (0.25, 0.35, 0.4, 0.6)]

    assert chosen == [0.35, 0.35, 0.5, 1.0]


def test_a_wider_network_than_the_source_is_refused() -> None:
    with pytest.raises(
        SettingError, match=r"depth_multiplier is 1\.4 .* at most 1\.0\. Use a narrower network"
    ):
        source_for([numbered_source()], 1.4)


@pytest.mark.parametrize("change", ["cut", "nan", "another width", "one layer less"])
def test_a_damaged_source_is_not_believed(change: str, tmp_path: Path) -> None:
    file = tmp_path / "source.npz"
    save_source(numbered_source(), file)
    with np.load(file) as stored:
        arrays = dict(stored)
    if change == "nan":
        arrays["Conv1/gamma"] = arrays["Conv1/gamma"] * np.nan
    elif change == "another width":
        arrays["depth_multiplier"] = np.float64(0.5)
    else:
        del arrays["Conv1/mean"]
    np.savez(file, **arrays)
    if change == "cut":
        file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(ValueError, match=r"^(it is not|its layers|Conv1/gamma has)"):
        load_source(file)
