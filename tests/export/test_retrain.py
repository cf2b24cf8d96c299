"""A trial's network is trained anew for an export and scored again; an interrupted one resumes."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from jejunet_nas.compression.settings import CompressionSettings, Pruning, QuantizationAware
from jejunet_nas.errors import SettingError
from jejunet_nas.export.retrain import retrain
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.records import GRAPH_NAMES, TrialResult
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.training import checkpoint
from jejunet_nas.training.material import Material
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.trial.run import run_trial
from jejunet_nas.trial.setup import NetworkJob, TrialSetup
from jejunet_nas.trial.store import WEIGHTS
from tests.builders import LONGEST_AGE, space_of, tiny_network, tiny_splits
from tests.training.scalars import read

POLICY = Policy(keyframe_interval=3)
BRIEF = TrainingSettings(
    steps=2, pairs_per_step=2, learning_rate=1e-2, gate_pairs=28, gate_steps=2, tensorboard=True
)
STEPS = 3


class PowerCutError(Exception):
    """Stands for whatever ends a process."""


@dataclasses.dataclass(frozen=True)
class Ran:
    setup: TrialSetup
    trial: TrialResult


def silence(what: str, done: int, total: int) -> None:
    pass


def cut_at(stage: str, step: int) -> Callable[[str, int, int], None]:
    """Return what is told of the stages, and ends all at a step of one."""

    def tell(what: str, done: int, total: int) -> None:
        if what.split(",")[0] == stage and done == step:
            raise PowerCutError

    return tell


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A trial of the tiny network, trained for two steps."""
    train, val = tiny_splits()
    architecture = Architecture(network=tiny_network(), policy=POLICY)
    setup = TrialSetup(
        train=train,
        val=val,
        training=BRIEF,
        compression=CompressionSettings(
            quantization_aware=QuantizationAware(steps=2, gate_steps=2), pruning=Pruning(steps=2)
        ),
        meter=PredictedMeter(profile=load_profile("pixel2")),
        space=space_of(architecture),
        target_fps=24.0,
        longest_age=LONGEST_AGE,
        recipe={"training": BRIEF.recipe()},
        source=None,
        folder=tmp_path_factory.mktemp("networks"),
    )
    (result,) = run_trial(5, architecture.network, setup, silence)
    return Ran(setup, result)


@pytest.fixture(scope="module")
def undisturbed(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialResult, Path]:
    exports = tmp_path_factory.mktemp("exports")
    return retrain(ran.trial, ran.setup, exports, steps=STEPS, qat=False, tell=silence)


def graphs_in(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.tflite").read_bytes() for name in GRAPH_NAMES}


def test_it_begins_anew_and_is_scored_again(
    ran: Ran, undisturbed: tuple[TrialResult, Path]
) -> None:
    result, folder = undisturbed

    kept = ran.setup.folder / ran.trial.network_id
    assert result.number == 5
    assert result.architecture == ran.trial.architecture
    training = result.network.training
    assert [step for step, _ in training.curve] == [1, 2, 3]
    best = max(training.curve, key=lambda point: point[1])[0]
    assert (training.steps, len(training.losses)) == (best, STEPS)
    # With the first weights and the first batch of the trial.
    assert training.losses[0] == pytest.approx(ran.trial.network.training.losses[0], rel=1e-5)
    assert [walk.letters for walk in result.walks] == ["kppkppkp"] * 2
    assert graphs_in(folder)["key"] != graphs_in(kept)["key"]
    assert folder.name == result.network_id != ran.trial.network_id
    assert not (folder / "checkpoints").exists()


def test_a_trial_leaves_its_scalars_beside_its_network(ran: Ran) -> None:
    scalars = read(ran.setup.folder / ran.trial.network_id / "events" / "train")

    assert [step for step, _ in scalars["loss"]] == [1, 2]


def test_the_rate_is_that_of_the_trial_over_the_longer_schedule(
    undisturbed: tuple[TrialResult, Path],
) -> None:
    scalars = read(undisturbed[1] / "events" / "train")

    assert max(rate for _, rate in scalars["learning_rate"]) == pytest.approx(1e-2)
    assert len(scalars["loss"]) == STEPS


@pytest.mark.parametrize("steps", [1, 2])
def test_no_fewer_steps_than_the_trial_had_are_allowed(
    steps: int, ran: Ran, tmp_path: Path
) -> None:
    with pytest.raises(
        SettingError,
        match=f"--steps is {steps}; allowed: more than the 2 that trial 5 was trained for, or 0",
    ):
        retrain(ran.trial, ran.setup, tmp_path, steps=steps, qat=False, tell=silence)


@pytest.mark.parametrize(
    ("stage", "step", "trained_again"),
    [("train", 2, 1), pytest.param("convert", 0, 0, marks=pytest.mark.slow)],
)
def test_an_interrupted_export_resumes_and_ends_with_the_same_graphs(
    stage: str,
    step: int,
    trained_again: int,
    ran: Ran,
    undisturbed: tuple[TrialResult, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    with pytest.raises(PowerCutError, match=r"^$"):
        retrain(ran.trial, ran.setup, tmp_path, steps=STEPS, qat=False, tell=cut_at(stage, step))
    told: list[str] = []

    result, folder = retrain(
        ran.trial,
        ran.setup,
        tmp_path,
        steps=STEPS,
        qat=False,
        tell=lambda what, done, total: told.append(what.split(",")[0]),
    )

    assert told.count("train") == trained_again
    assert graphs_in(folder) == graphs_in(undisturbed[1])
    assert result.score == undisturbed[0].score
    assert result.network.training.losses == undisturbed[0].network.training.losses


def test_what_is_done_is_found_again(ran: Ran, undisturbed: tuple[TrialResult, Path]) -> None:
    told: list[str] = []

    again, folder = retrain(
        ran.trial,
        ran.setup,
        undisturbed[1].parent,
        steps=STEPS,
        qat=False,
        tell=lambda what, done, total: told.append(what),
    )

    assert set(told) <= {"evaluate"}
    assert (again.score, folder) == (undisturbed[0].score, undisturbed[1])


def test_the_last_training_has_all_clips_and_keeps_the_figures_from_before(
    ran: Ran, undisturbed: tuple[TrialResult, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folder = undisturbed
    best = before.network.training.steps
    sizes: list[int] = []

    def trained(job: NetworkJob) -> Material:
        sizes.append(len(job.setup.train.clips))
        return material(job)

    material = NetworkJob.material.fget
    monkeypatch.setattr(NetworkJob, "material", property(trained))
    result, made = retrain(
        ran.trial,
        ran.setup,
        folder.parent,
        steps=STEPS,
        qat=False,
        train_on="all",
        tell=silence,
    )

    assert set(sizes) == {len(ran.setup.train.clips) + len(ran.setup.val.clips)}
    assert len(result.network.training.losses) == best
    assert (result.score, result.network_id) == (before.score, made.name)
    assert result.network.training.curve == ()
    assert graphs_in(made)["key"] != graphs_in(folder)["key"]


def test_all_clips_need_steps(ran: Ran, tmp_path: Path) -> None:
    with pytest.raises(
        SettingError,
        match=r"all without --steps; .*more than the 2 that trial 5 .* Add --steps, or leave",
    ):
        retrain(ran.trial, ran.setup, tmp_path, steps=0, qat=True, train_on="all", tell=silence)


def test_another_number_of_steps_and_another_compression_are_other_exports(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: object, watched: bool) -> None:
        raise PowerCutError

    monkeypatch.setattr("jejunet_nas.export.retrain._make", make)
    for steps, qat in ((3, False), (4, False), (4, True), (0, True), (4, True)):
        with pytest.raises(PowerCutError, match=r"^$"):
            retrain(ran.trial, ran.setup, tmp_path, steps=steps, qat=qat, tell=silence)

    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, STEPS])
def test_a_pruned_trial_is_cut_again_and_trained_with_rounding(
    steps: int, ran: Ran, tmp_path: Path
) -> None:
    """With steps, the whole network is trained anew and cut once, as in the search."""
    network = dataclasses.replace(tiny_network(), pruning=0.5)
    record = dataclasses.replace(
        ran.trial.network, network=network, compressed_from=ran.trial.network_id
    )
    pruned = dataclasses.replace(
        ran.trial,
        architecture=Architecture(network=network, policy=POLICY),
        network=record,
    )
    told: list[str] = []

    result, folder = retrain(
        pruned,
        ran.setup,
        tmp_path,
        steps=steps,
        qat=True,
        tell=lambda what, done, total: told.append(what.split(",")[0]),
    )

    assert result.network.network.pruning == 0.5
    assert result.network.network.quantization == "quantization_aware"
    assert {"train with fewer channels", "train with rounding"} <= set(told)
    assert ("train" in told) == bool(steps)
    before = ran.setup.folder / ran.trial.network_id
    with np.load(before / WEIGHTS) as whole:
        shapes = {name: whole[name].shape for name in whole.files}
    if steps:  # the whole network was trained
        with np.load(folder / "trained.npz") as trained:
            assert {name: trained[name].shape for name in trained.files} == shapes
    assert (folder / "key.tflite").stat().st_size < (before / "key.tflite").stat().st_size


def test_weights_that_are_gone_are_named(ran: Ran, tmp_path: Path) -> None:
    setup = dataclasses.replace(ran.setup, folder=tmp_path / "elsewhere")

    with pytest.raises(SettingError, match=r"weights\.npz, the weights that the search left, is"):
        retrain(ran.trial, setup, tmp_path, steps=0, qat=True, tell=silence)


def test_two_processes_do_not_make_one_export(
    ran: Ran, undisturbed: tuple[TrialResult, Path]
) -> None:
    exports = undisturbed[1].parent

    with (
        FileLock(undisturbed[1] / "lock"),
        pytest.raises(SettingError, match="Another process is writing"),
    ):
        retrain(ran.trial, ran.setup, exports, steps=STEPS, qat=False, tell=silence)
