"""A trained network goes through a chain of methods, and comes out as graphs that run."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from jejunet_nas.compression import clustering
from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.compress import CompressedNetwork, compress
from jejunet_nas.compression.metadata import labels_of
from jejunet_nas.compression.settings import (
    Clustering,
    Format,
    PostTrainingInt8,
    QuantizationAware,
)
from jejunet_nas.errors import TrialError
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.resize import thumbnails
from jejunet_nas.training.material import Material
from jejunet_nas.video.graphs import NetworkGraphs
from tests.builders import TinyRun, tiny_network, weights_of
from tests.compression.chains import AWARE, FLOATS, INT8, KEPT, PRUNED
from tests.compression.observed import is_pruned, kernels_of, most_values_a_channel, values_of
from tests.compression.rehearsal import silence

Made = Callable[[str], CompressedNetwork]
CHAINS = (*FLOATS, INT8, AWARE, PRUNED)
every_chain = pytest.mark.parametrize(
    "words", [*CHAINS, pytest.param(KEPT, marks=pytest.mark.slow, id="kept")]
)


@every_chain
def test_the_graphs_of_every_chain_run(made: Made, tiny: TinyRun, words: str) -> None:
    found = made(words)
    graphs = NetworkGraphs(found.files)
    frame, other = tiny.val_frames[0], tiny.val_frames[5]

    mask, context = graphs.key(frame)
    propagated = graphs.propagate(other, context)
    score = graphs.gate(*thumbnails(np.stack([other, frame])))

    assert [found.files[name].name for name in GRAPH_NAMES] == [f"{n}.tflite" for n in GRAPH_NAMES]
    assert mask.shape == propagated.shape == (32, 32)
    assert mask.dtype == np.uint8
    assert max(mask.max(), propagated.max()) < tiny.network.classes
    assert 0 <= score <= 1


@every_chain
def test_propagating_with_a_frames_own_context_is_what_the_key_graph_does(
    made: Made, tiny: TinyRun, words: str
) -> None:
    graphs = NetworkGraphs(made(words).files)
    for frame in tiny.val_frames[::5]:
        mask, context = graphs.key(frame)

        # One decoder on the same context; where weights are rounded on the fly 1 in 100 may tip.
        assert (graphs.propagate(frame, context) == mask).mean() >= 0.99


def masks_of(found: CompressedNetwork, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    graphs = NetworkGraphs(found.files)
    return np.stack([graphs.key(frame)[0] for frame in frames])


@pytest.mark.parametrize(
    ("words", "alike"),
    # float32 adds up in another order; float16 keeps 11 bits of a weight, int8 8 of everything.
    [("float32", 0.999), ("float16", 0.998), ("dynamic", 0.99), ("int8", 0.97)],
)
def test_a_format_says_what_the_trained_network_says(
    made: Made, tiny: TinyRun, words: str, alike: float
) -> None:
    found = made(words)

    assert (masks_of(found, tiny.val_frames) == tiny.network.masks(tiny.val_frames)).mean() > alike


@pytest.mark.parametrize("words", ["float32", "int8"])
def test_graphs_carry_the_class_names(made: Made, tiny: TinyRun, words: str) -> None:
    for name, file in made(words).files.items():
        labels = () if name == "gate" else tiny.train.class_names
        assert labels_of(file.read_bytes()) == labels


def test_fewer_bits_are_fewer_bytes(made: Made) -> None:
    size = {
        words: {name: file.stat().st_size for name, file in made(words).files.items()}
        for words in ("float32", "float16", "int8")
    }

    for name in ("propagate", "gate"):
        assert size["float32"][name] > size["float16"][name] > size["int8"][name]
    # The key graph of the tiny network is more names, scales and biases than weights.
    assert size["float32"]["key"] > size["float16"]["key"]
    assert sum(size["float16"].values()) > sum(size["int8"].values())


def test_pictures_go_in_as_pixels_whatever_the_graph_computes_in(made: Made) -> None:
    for words in CHAINS:
        for name, pictures in (("key", ["image"]), ("propagate", ["image"]), ("gate", ["now"])):
            graph = NetworkGraphs(made(words).files)._graphs[name]  # type: ignore[index]
            assert {graph.tensors[each].dtype for each in pictures} == {np.dtype(np.uint8)}


@pytest.mark.slow
def test_zeros_and_clusters_make_a_compressed_file_smaller(made: Made) -> None:
    plain, kept = (check_graph(made(words).files["key"]) for words in (INT8, KEPT))

    assert kept.size_bytes == plain.size_bytes
    # A tenth of all bytes: in the tiny network half of them are scales, biases and names.
    assert kept.deflated_bytes < 0.93 * plain.deflated_bytes
    assert plain.zero_weights < 0.05 < 0.35 < kept.zero_weights
    assert kept.values_a_channel < plain.values_a_channel


def test_fewer_channels_are_fewer_bytes_and_macs(made: Made) -> None:
    for name in ("key", "propagate"):
        plain, pruned = (check_graph(made(words).files[name]) for words in (INT8, PRUNED))
        assert pruned.size_bytes < plain.size_bytes
        assert pruned.macs < plain.macs
        assert pruned.deflated_bytes < plain.deflated_bytes
    assert made(PRUNED).trained.network == tiny_network(pruning=0.5)


def test_a_chain_says_what_it_spent_on_training(made: Made) -> None:
    for words in CHAINS:
        found = made(words)
        assert (found.train_s > 0) == (words in (AWARE, PRUNED))
        assert found.convert_s > 0
        assert (found.int8 is None) == (words in FLOATS)


@every_chain
def test_the_graphs_agree_with_the_network_that_they_were_made_of(made: Made, words: str) -> None:
    record = made(words).agreement()

    # Of class maps, as of int8 after training; of scores, as in test_post_training.
    assert min(record.key, record.propagate) > 0.97
    assert record.gate_error < 32 / 256
    assert record.logits_db > 20
    assert [each.snr_db for each in record.noisiest] == sorted(e.snr_db for e in record.noisiest)
    assert record.frames == 4


def test_the_trained_network_stays_as_it_was(
    made: Made, tiny: TinyRun, trained_weights: Mapping[str, npt.NDArray[np.float32]]
) -> None:
    assert made(INT8).trained is tiny.network
    for words in CHAINS:
        made(words)

    for name, weight in weights_of(tiny.network).items():
        np.testing.assert_array_equal(weight, trained_weights[name], name)


@pytest.fixture
def calibrations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, PostTrainingInt8]]:
    """On how many frames, and how, networks were to be held in int8; none is."""
    asked: list[tuple[int, PostTrainingInt8]] = []

    def ask(network: object, frames: npt.NDArray[np.uint8], settings: PostTrainingInt8) -> None:
        asked.append((len(frames), settings))
        raise TrialError("that is all that was asked")

    monkeypatch.setattr("jejunet_nas.compression.compress.quantize_after_training", ask)
    return asked


@pytest.mark.parametrize(
    ("form", "taken"),
    [
        (QuantizationAware(), PostTrainingInt8(calibration_frames=3, equalize="always")),
        (PostTrainingInt8(calibration_frames=5), PostTrainingInt8(calibration_frames=5)),
    ],
    ids=["given", "its own"],
)
def test_a_chain_that_says_nothing_of_calibration_takes_what_is_given(
    tiny: TinyRun,
    material: Material,
    tmp_path: Path,
    calibrations: list[tuple[int, PostTrainingInt8]],
    form: Format,
    taken: PostTrainingInt8,
) -> None:
    given = PostTrainingInt8(calibration_frames=3, equalize="always")

    with pytest.raises(TrialError, match="all that was asked"):
        compress(tiny.network, (form,), material, tmp_path, silence, calibration=given)

    assert calibrations == [(taken.calibration_frames, taken)]


def test_clusters_are_not_equalised_apart(
    tiny: TinyRun,
    material: Material,
    tmp_path: Path,
    calibrations: list[tuple[int, PostTrainingInt8]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clustering, "train_clustered", lambda network, *_, keep_zeros: network)
    chain = (Clustering(), PostTrainingInt8(equalize="always", correct_bias="never"))

    with pytest.raises(TrialError, match="all that was asked"):
        compress(tiny.network, chain, material, tmp_path, silence)

    assert calibrations == [(8, PostTrainingInt8(equalize="never", correct_bias="never"))]


@pytest.mark.slow
def test_zeros_and_clusters_outlive_what_comes_after_them(made: Made) -> None:
    kept = made(KEPT)

    assert kept.int8 is not None
    assert not kept.agreement().equalized
    for name, kernel in kernels_of(kept.trained).items():
        if is_pruned(name):
            int8 = kept.int8.weights[name].kernel
            assert (kernel == 0).mean() >= 0.5 - 0.5 / kernel.size, name
            assert (int8[kernel == 0] == 0).all(), name
            assert values_of(kernel) <= 16, name
            assert most_values_a_channel(int8) <= 16, name
