"""The trained tiny network, what it is calibrated on, and how int8 holds it."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from jejunet_nas.compression.chain import chain_from_words
from jejunet_nas.compression.compress import CompressedNetwork, compress
from jejunet_nas.compression.post_training import Candidate, quantize_after_training
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.compression.statistics import CalibrationInputs
from jejunet_nas.datasets.calibration import calibration_frames
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.networks.wiring import Wiring, read_wiring
from jejunet_nas.records import GraphName
from jejunet_nas.training.material import Material
from tests.builders import LONGEST_AGE, TINY_TRAINING, TinyRun, tiny_run, weights_of
from tests.compression.chains import PRUNED
from tests.compression.rehearsal import Rehearsal, silence


@pytest.fixture(scope="session")
def tiny() -> TinyRun:
    return tiny_run()


@pytest.fixture(scope="session")
def wiring(tiny: TinyRun) -> Wiring:
    return read_wiring(tiny.network.network, tiny.network.classes)


@pytest.fixture(scope="session")
def frames(tiny: TinyRun) -> npt.NDArray[np.uint8]:
    """Training frames to calibrate on, uint8 [16, 64, 64, 3]."""
    return calibration_frames(tiny.train, height=64, width=64, count=16, seed=0)


@pytest.fixture(scope="session")
def inputs(frames: npt.NDArray[np.uint8]) -> CalibrationInputs:
    return CalibrationInputs.of(frames)


@pytest.fixture(scope="session")
def candidate(tiny: TinyRun, frames: npt.NDArray[np.uint8]) -> Candidate:
    """The tiny network in int8 after training."""
    return quantize_after_training(tiny.network.folded(), frames, PostTrainingInt8())


@pytest.fixture(scope="session")
def graphs(
    candidate: Candidate, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[GraphName, Path]:
    """The graphs of `candidate`."""
    return candidate.int8.write(tmp_path_factory.mktemp("int8"))


@pytest.fixture(scope="session")
def keyframes(tiny: TinyRun) -> Keyframes:
    """All validation frames."""
    return Keyframes(tiny.val, tiny.network.network, count=16)


@pytest.fixture(scope="session")
def material(tiny: TinyRun) -> Material:
    return Material(split=tiny.train, training=TINY_TRAINING, longest_age=LONGEST_AGE)


@pytest.fixture(scope="session")
def rehearsal(tiny: TinyRun) -> Rehearsal:
    return Rehearsal(split=tiny.train, training=TINY_TRAINING, longest_age=LONGEST_AGE)


@pytest.fixture(scope="session")
def trained_weights(tiny: TinyRun) -> Mapping[str, npt.NDArray[np.float32]]:
    """The weights of the tiny network before anything was made of it."""
    return {name: weight.copy() for name, weight in weights_of(tiny.network).items()}


@pytest.fixture(scope="session")
def made(
    tiny: TinyRun,
    material: Material,
    rehearsal: Rehearsal,
    trained_weights: Mapping[str, npt.NDArray[np.float32]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], CompressedNetwork]:
    """What a chain, in words, makes of the tiny network; made once a session."""

    @functools.cache
    def make(words: str) -> CompressedNetwork:
        # Of a network with fewer channels the training is plain, and tested where others train.
        steps, folder = rehearsal if words == PRUNED else material, tmp_path_factory.mktemp("made")
        return compress(tiny.network, chain_from_words(words), steps, folder, silence)

    return make
