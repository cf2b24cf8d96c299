"""Backbone weights from a folded file, cut to a network's width."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
import tf_keras

from jejunet_nas.errors import SettingError
from jejunet_nas.networks.build import build_network
from jejunet_nas.networks.folded_layers import FoldedLayers
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.networks.mobilenet_v2 import END, backbone, blocks, stem_channels
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX
from jejunet_nas.training.inherit import (
    Source,
    SourceLayer,
    inherit,
    load_source,
    measure_source,
    read_folded,
    save_source,
)
from tests.builders import noise, tiny_network

Folded = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


def folded_weights(depth_multiplier: float = 1.0) -> Folded:
    """Return kernel and bias of each backbone layer, drawn with He's spread."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"Conv1": (3, 3, 3, stem_channels(depth_multiplier))}
    for block in blocks(depth_multiplier):
        if block.expands:
            shapes[f"{block.name}_expand"] = (1, 1, block.channels_in, block.channels_expanded)
        shapes[f"{block.name}_depthwise"] = (3, 3, block.channels_expanded, 1)
        shapes[f"{block.name}_project"] = (1, 1, block.channels_expanded, block.channels_out)
    made: Folded = {}
    for name, shape in shapes.items():
        depthwise = name.endswith("depthwise")
        fan_in = 9 if depthwise else shape[0] * shape[1] * shape[2]
        kernel = rng.normal(0, np.sqrt(2 / fan_in), shape)
        bias = rng.normal(0, 0.1, shape[2] if depthwise else shape[3])
        made[name] = (kernel.astype(np.float32), bias.astype(np.float32))
    return made


def write_folded(file: Path, folded: Folded) -> Path:
    arrays = {
        f"{number:02d}_op/{part}": array
        for number, pair in enumerate(folded.values())
        for part, array in zip(("kernel", "bias"), pair, strict=True)
    }
    np.savez(file, **arrays)
    return file


def numbered_source() -> Source:
    """Return a source whose biases number the channels, so that those kept can be read off."""
    rng = np.random.default_rng(1)
    return {
        name: SourceLayer(
            kernel=kernel,
            bias=np.arange(len(bias), dtype=np.float32),
            mean=rng.normal(0, 1, len(bias)).astype(np.float32),
            deviation=rng.uniform(0.5, 2, len(bias)).astype(np.float32),
        )
        for name, (kernel, bias) in folded_weights().items()
    }


def keras_backbone(depth_multiplier: float) -> tuple[dict[str, Any], Any]:
    layers, image = KerasLayers(), tf_keras.Input((64, 64, 3))
    taps = backbone(layers, image, depth_multiplier=depth_multiplier, taps={1, 13, END})
    return layers.by_name, tf_keras.Model(image, [taps[1], taps[13], taps[END]])


class BiasLayers(FoldedLayers):
    """The source as it stands in its file: kernels and biases, no batch norm."""

    def __init__(self, folded: Folded) -> None:
        super().__init__({})
        self._folded = folded

    def conv(
        self, x: Any, name: str, filters: int, *, stride: int = 1, relu6: bool = True, **how: Any
    ) -> Any:
        kernel, bias = self._folded[name]
        x = tf.nn.conv2d(x, kernel, stride, "SAME") + bias
        return tf.nn.relu6(x) if relu6 else x

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        kernel, bias = self._folded[name]
        return tf.nn.relu6(tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), "SAME") + bias)


def test_at_full_width_a_network_computes_what_its_source_does(tmp_path: Path) -> None:
    folded = folded_weights()
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    layers, model = keras_backbone(1.0)

    inherit(layers, measure_source(write_folded(tmp_path / "w.npz", folded), frames), 1.0)

    image = noise(3, 2, 64, 64, 3)
    wanted = backbone(BiasLayers(folded), image, depth_multiplier=1.0, taps={1, 13, END})
    for found, source in zip(model(image, training=False), wanted.values(), strict=True):
        # Batch norm scales by gamma / sqrt(variance), which is 1 but for float32's rounding, in
        # each of 52 layers.
        np.testing.assert_allclose(found, source, atol=1e-4 * np.abs(source).max(), rtol=0)


def test_statistics_of_the_source_are_those_of_its_layers_over_the_frames(tmp_path: Path) -> None:
    folded = folded_weights()
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)

    source = measure_source(write_folded(tmp_path / "w.npz", folded), frames)

    kernel, bias = folded["Conv1"]
    values = tf.nn.conv2d(frames / np.float32(127.5) - 1, kernel, 2, "SAME").numpy() + bias
    np.testing.assert_allclose(source["Conv1"].mean, values.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(source["Conv1"].deviation, values.std((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("depth_multiplier", [0.35, 0.5])
def test_a_cut_layer_holds_the_sources_weights_of_the_channels_kept(
    depth_multiplier: float,
) -> None:
    source = numbered_source()
    layers, _ = keras_backbone(depth_multiplier)

    inherit(layers, source, depth_multiplier)

    inputs = np.arange(3)
    for name in source:
        (kernel,), outputs = layers[name].get_weights(), kept_channels(layers, name)
        whole = source[name].kernel[:, :, outputs if name.endswith("depthwise") else inputs]
        part = whole if name.endswith("depthwise") else whole[..., outputs]
        np.testing.assert_array_equal(kernel, part, err_msg=name)
        assert (np.diff(outputs) > 0).all()  # none twice, and in their own order
        inputs = outputs


def kept_channels(layers: dict[str, Any], name: str) -> npt.NDArray[np.int64]:
    """Return which of the source's channels a layer kept: its biases number them."""
    _, mean, mean_less_bias, _ = layers[f"{name}_BN"].get_weights()
    return (mean - mean_less_bias).round().astype(np.int64)


@pytest.mark.parametrize("depth_multiplier", [0.35, 0.5])
def test_channels_that_a_residual_adds_are_cut_alike(depth_multiplier: float) -> None:
    layers, _ = keras_backbone(depth_multiplier)

    inherit(layers, numbered_source(), depth_multiplier)

    made = blocks(1.0)
    residuals = [(a.name, b.name) for a, b in itertools.pairwise(made) if b.residual]
    assert len(residuals) == 10
    for before, block in residuals:
        np.testing.assert_array_equal(
            kept_channels(layers, f"{block}_project"), kept_channels(layers, f"{before}_project")
        )


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


def test_a_source_comes_back_from_its_file(tmp_path: Path) -> None:
    source = numbered_source()

    save_source(source, tmp_path / "source.npz")
    found = load_source(tmp_path / "source.npz")

    assert list(found) == list(source)
    for name, layer in source.items():
        for part in ("kernel", "bias", "mean", "deviation"):
            np.testing.assert_array_equal(getattr(found[name], part), getattr(layer, part))
    assert [file.name for file in tmp_path.iterdir()] == ["source.npz"]


def test_layers_are_read_in_forward_order_and_others_behind_them_left(tmp_path: Path) -> None:
    folded = folded_weights()
    head = {"Conv_1": (np.zeros((1, 1, 320, 1280)), np.zeros(1280))}

    found = read_folded(write_folded(tmp_path / "w.npz", folded | head))

    assert list(found) == list(folded)
    np.testing.assert_equal(found, folded)


def test_a_wider_network_than_the_source_is_refused() -> None:
    with pytest.raises(
        SettingError, match=r"depth_multiplier is 1\.4 .* at most 1\.0\. Use a narrower network"
    ):
        inherit({}, numbered_source(), 1.4)


def test_a_missing_file_of_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"init is .*no\.npz, which is no file; .*scratch"):
        read_folded(tmp_path / "no.npz")


# numpy leaves a torn zip's file open, and Python says so when it is collected.
@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04 torn"], ids=["text", "torn zip"])
def test_a_file_that_is_no_npz_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.npz").write_bytes(content)

    with pytest.raises(SettingError, match=r"w\.npz, which does not hold NN_op/kernel"):
        read_folded(tmp_path / "w.npz")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.npz").touch()

    with pytest.raises(SettingError, match=r"w\.npz, which does not hold NN_op/kernel"):
        read_folded(tmp_path / "w.npz")


def test_a_single_array_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.zeros(3))

    with pytest.raises(SettingError, match=r"w\.npy, which does not hold NN_op/kernel"):
        read_folded(tmp_path / "w.npy")


def test_an_npz_of_other_arrays_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", masks=np.zeros(3))

    with pytest.raises(SettingError, match=r"w\.npz, which does not hold .*masks/kernel"):
        read_folded(tmp_path / "w.npz")


def test_weights_of_another_width_name_the_first_layer_that_differs(tmp_path: Path) -> None:
    file = write_folded(tmp_path / "w.npz", folded_weights(depth_multiplier=0.5))

    with pytest.raises(
        SettingError,
        match=r"layer 0 \(Conv1\) is \(3, 3, 3, 16\); allowed: \(3, 3, 3, 32\), .*multiplier 1\.0",
    ):
        read_folded(file)


def test_weights_that_end_early_name_the_first_layer_missing(tmp_path: Path) -> None:
    folded = folded_weights()
    folded.pop("block_16_project")

    with pytest.raises(SettingError, match=r"layer 50 \(block_16_project\) is missing; allowed: "):
        read_folded(write_folded(tmp_path / "w.npz", folded))
