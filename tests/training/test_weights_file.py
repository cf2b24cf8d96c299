"""MobileNetV2 weights from files of every layout."""

import json
import re
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import tf_keras

from jejunet_nas.errors import SettingError
from jejunet_nas.training.h5_file import read_h5
from jejunet_nas.training.weights_file import (
    LAYER_NAMES,
    NORM_PARTS,
    Weights,
    layer_shapes,
    read_weights,
)
from tests.training.weights import (
    folded_weights,
    keras_layers,
    keras_mobilenet,
    write_folded,
    write_h5,
    write_keras,
)

NARROW = 0.35


def assert_keras_own(found: Weights, top: bool = False) -> None:
    assert found.depth_multiplier == NARROW
    assert list(found.layers) == list(LAYER_NAMES)
    for name, wanted in keras_layers(keras_mobilenet(NARROW, top=top)).items():
        layer = found.layers[name]
        assert layer.norm is not None
        norm = layer.norm
        np.testing.assert_equal(
            [layer.kernel, norm.gamma, norm.beta, norm.mean, norm.variance], wanted, err_msg=name
        )
        assert not layer.bias.any()


def by_names(**also: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz by Keras' names."""
    arrays: dict[str, np.ndarray] = {}
    for name, (kernel, *norm) in keras_layers(keras_mobilenet(NARROW)).items():
        arrays[f"{name}/{'depthwise_' if name.endswith('depthwise') else ''}kernel"] = kernel
        norm_name = "bn_Conv1" if name == "Conv1" else f"{name}_BN"
        arrays |= {f"{norm_name}/{p}": a for p, a in zip(NORM_PARTS, norm, strict=True)}
    return arrays | also


def test_weights_that_keras_wrote_are_read_as_they_are(tmp_path: Path) -> None:
    assert_keras_own(read_weights(write_keras(tmp_path / "w.h5", NARROW)))


@pytest.mark.parametrize("whole", [False, True], ids=["weights", "model"])
def test_a_classifier_is_ignored(whole: bool, tmp_path: Path) -> None:
    model = keras_mobilenet(NARROW, top=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras advises its own format
        (model.save if whole else model.save_weights)(tmp_path / "w.h5")

    assert_keras_own(read_weights(tmp_path / "w.h5"), top=True)


def test_layers_of_an_h5_are_identified_by_their_order(tmp_path: Path) -> None:
    layers = keras_layers(keras_mobilenet(NARROW)).values()
    pairs = [
        pair
        for number, (kernel, *norm) in enumerate(layers)
        for pair in ((f"mobl{number}", [kernel]), (f"bn{number}", norm), (f"relu{number}", []))
    ]

    assert_keras_own(read_weights(write_h5(tmp_path / "w.h5", pairs)))


def test_an_npz_with_keras_names_is_read_like_keras_own_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **by_names())

    assert_keras_own(read_weights(tmp_path / "w.npz"))


def test_another_epsilon_gives_the_same_function(tmp_path: Path) -> None:
    epsilons = {f"{name}_BN/epsilon": np.float64(1e-5) for name in LAYER_NAMES[1:]}
    np.savez(tmp_path / "w.npz", **by_names(**epsilons))
    theirs = tf_keras.layers.BatchNormalization(epsilon=1e-5)
    theirs.build((None, 1, 1, 8))
    _, *norm = keras_layers(keras_mobilenet(NARROW))["expanded_conv_project"]
    theirs.set_weights(norm)

    found = read_weights(tmp_path / "w.npz").layers["expanded_conv_project"].norm
    assert found is not None
    values = np.linspace(-3, 3, 8 * 5, dtype=np.float32).reshape(5, 1, 1, 8)

    scale = found.gamma / np.sqrt(found.variance + 1e-3)
    np.testing.assert_allclose(  # float32
        (values - found.mean) * scale + found.beta, theirs(values, training=False), rtol=1e-5
    )


def test_the_epsilons_of_a_saved_model_are_used(tmp_path: Path) -> None:
    pairs = [
        pair
        for name, (kernel, *norm) in keras_layers(keras_mobilenet(NARROW)).items()
        for pair in ((name, [kernel]), (f"{name}_BN", norm))
    ]
    norms = [{"config": {"name": f"{name}_BN", "epsilon": 1e-5}} for name in LAYER_NAMES]
    layers = [{"config": {"name": "input_1"}}, *norms]
    with h5py.File(write_h5(tmp_path / "w.h5", pairs), "r+") as opened:
        opened.attrs["model_config"] = json.dumps({"config": {"layers": layers}})

    found = read_weights(tmp_path / "w.h5").layers["Conv1"].norm

    assert found is not None
    _, gamma, _, _, variance = keras_layers(keras_mobilenet(NARROW))["Conv1"]
    wanted = gamma * np.sqrt((variance + 1e-3) / (variance + 1e-5))
    np.testing.assert_allclose(found.gamma, wanted, rtol=1e-6)  # float32


def test_folded_layers_are_read_in_forward_order_and_later_ones_ignored(
    tmp_path: Path,
) -> None:
    folded = folded_weights()
    head = {"Conv_1": (np.zeros((1, 1, 320, 1280)), np.zeros(1280))}

    found = read_weights(write_folded(tmp_path / "w.npz", folded | head))

    assert found.folded
    assert found.depth_multiplier == 1.0
    assert list(found.layers) == list(folded)
    for name, layer in found.layers.items():
        np.testing.assert_equal((layer.kernel, layer.bias), folded[name])


def test_a_folded_h5_is_read_as_a_folded_npz(tmp_path: Path) -> None:
    folded = folded_weights(0.5)

    found = read_weights(write_h5(tmp_path / "w.h5", folded.items()))

    assert (found.folded, found.depth_multiplier) == (True, 0.5)
    np.testing.assert_equal(found.layers["block_9_project"].bias, folded["block_9_project"][1])


@pytest.mark.parametrize("width", [0.1, 0.25, 0.35, 0.5, 0.6, 0.75, 1.0, 1.3, 1.4])
def test_the_width_of_a_file_follows_from_its_shapes(width: float, tmp_path: Path) -> None:
    found = read_weights(write_folded(tmp_path / "w.npz", folded_weights(width)))

    # Widths that round to the same channels are one network.
    assert layer_shapes(found.depth_multiplier) == layer_shapes(width)
    assert found.depth_multiplier == width or width not in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)


# numpy leaves a torn zip's file open, and Python says so when it is collected.
@pytest.mark.parametrize(
    "content",
    [b"hello", b"PK\x03\x04 torn", b"", b"\x89HDF\r\n\x1a\n torn"],
    ids=["text", "torn zip", "empty", "torn h5"],
)
def test_a_file_without_weights_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(content)

    with pytest.raises(SettingError, match=r"w\.npz, which does not contain NN_op/kernel [^\n]*\Z"):
        read_weights(tmp_path / "w.npz")


def test_a_single_array_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.zeros(3))

    with pytest.raises(SettingError, match=r"w\.npy, which does not contain .*not a zip file"):
        read_weights(tmp_path / "w.npy")


def test_an_npz_of_other_arrays_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", masks=np.zeros(3))

    with pytest.raises(SettingError, match=r"w\.npz, which does not contain .*masks/kernel"):
        read_weights(tmp_path / "w.npz")


def test_an_h5_of_another_layout_is_named(tmp_path: Path) -> None:
    write_h5(tmp_path / "w.h5", [])
    with h5py.File(tmp_path / "w.h5", "r+") as opened:
        del opened.attrs["layer_names"]

    with pytest.raises(
        SettingError, match=r"w\.h5, which does not contain .*no attribute layer_names"
    ):
        read_weights(tmp_path / "w.h5")


def test_weights_of_another_network_name_the_first_layer_that_differs(tmp_path: Path) -> None:
    folded = folded_weights(0.5)
    folded["block_3_expand"] = (np.zeros((1, 1, 16, 97)), np.zeros(97))

    with pytest.raises(
        SettingError,
        match=r"layer 9 \(block_3_expand\) is \(1, 1, 16, 97\); allowed: \(1, 1, 16, 96\), as in M",
    ):
        read_weights(write_folded(tmp_path / "w.npz", folded))


def test_weights_that_end_early_name_the_first_layer_missing(tmp_path: Path) -> None:
    folded = folded_weights()
    folded.pop("block_16_project")

    with pytest.raises(SettingError, match=r"layer 50 \(block_16_project\) is missing; allowed: "):
        read_weights(write_folded(tmp_path / "w.npz", folded))


def test_a_bias_of_another_size_is_named(tmp_path: Path) -> None:
    folded = folded_weights(NARROW)
    folded["Conv1"] = (folded["Conv1"][0], np.zeros(3, np.float32))

    with pytest.raises(
        SettingError, match=r"bias of Conv1 has the shape \(3,\); allowed: \(16,\)\."
    ):
        read_weights(write_folded(tmp_path / "w.npz", folded))


@pytest.mark.parametrize(
    ("part", "value"),
    [(0, np.nan), (0, 1e20), (1, -np.inf)],
)
def test_values_that_no_training_survives_are_named_before_it(
    part: int, value: float, tmp_path: Path
) -> None:
    folded = folded_weights(NARROW)
    folded["block_1_project"][part].flat[1] = value

    with pytest.raises(
        SettingError,
        match=rf"(kernel|bias) of block_1_project holds {re.escape(f'{value:g}')}; allowed: -1e",
    ):
        read_weights(write_folded(tmp_path / "w.npz", folded))


def test_a_negative_variance_is_named(tmp_path: Path) -> None:
    channels = layer_shapes(NARROW)["Conv1"][3]
    arrays = by_names(**{"bn_Conv1/moving_variance": np.full(channels, -1, np.float32)})
    np.savez(tmp_path / "w.npz", **arrays)

    with pytest.raises(SettingError, match=r"variance of Conv1 holds -1; allowed: 0 to 1e\+09"):
        read_weights(tmp_path / "w.npz")


def test_an_h5_that_keeps_its_reader_busy_is_given_up(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "w.h5", [("a", [np.zeros((1, 1, 1, 1))])])

    with pytest.raises(ValueError, match=r"it is damaged: reading did not end in 0 s"):
        read_h5(file, timeout_s=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_a_garbled_h5_is_told_in_one_line(seed: int, tmp_path: Path) -> None:
    file = write_keras(tmp_path / "w.h5", NARROW)
    content, rng = bytearray(file.read_bytes()), np.random.default_rng(seed)
    for at in rng.integers(8, 4096, 64):
        content[at] = rng.integers(256)
    file.write_bytes(content)

    with pytest.raises(SettingError, match=r"w\.h5, which does not contain [^\n]*\. Export the we"):
        read_weights(file)
