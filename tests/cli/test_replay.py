"""The command `replay`, on a tiny study that is trained once."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.files import sha256_of
from jejunet_nas.search import prepare as preparing
from jejunet_nas.study.opened import open_study
from jejunet_nas.trial import replay as replaying
from jejunet_nas.trial.replay import require_data
from jejunet_nas.trial.setup import TrialSetup
from tests.cli.commands import answer, exit_code, refusal
from tests.search.build import SPACE, write_study

Capfd = pytest.CaptureFixture[str]
DATA = "data: {options: {clips: 2, val_clips: 1, frames: 6, height: 64, width: 64}}\n"
BRIEF = "steps: 2, pairs_per_step: 2, gate_pairs: 10, gate_steps: 1, seed: 3"
MORE = f"{DATA}compression: {{post_training: {{calibration_frames: 2}}}}\n"
ONE = SPACE.replace("[0.25, 0.5]", "[0.25]").replace("[8, 16, 24]", "[8]").replace("64, 96", "64")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one network with three policies: trial 0 was drawn, 1 and 2 are added."""
    folder = tmp_path_factory.mktemp("replayed")
    file = write_study(folder, f"{MORE}trials: 1\ntraining: {{{BRIEF}}}\n", ONE)
    assert exit_code("search", file) == 0
    return file


def state(study: Path) -> dict[str, str]:
    """Return the hash of each file of a study, by its path."""
    files = (each for each in (study.parent / "studies").rglob("*") if each.is_file())
    return {str(file): sha256_of(file) for file in files}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def with_setup(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Have the setup of a replay changed."""
    prepare = preparing.prepare

    def changed(*given: Any) -> TrialSetup:
        return dataclasses.replace(prepare(*given), **changes)

    monkeypatch.setattr(preparing, "prepare", changed)


def test_an_added_trial_is_reproduced_and_its_study_stays_as_it_was(
    study: Path, scratch: Path, capfd: Capfd
) -> None:
    before = state(study)

    plain, said = answer(capfd, "replay", study, "--trial", 2)

    trial = open_study(study).trial(2).result
    assert plain["verdict"] == "equal", plain
    assert [part["equal"] for part in plain["parts"]] == [True] * 9
    assert plain["miou_now"] == trial.score.miou
    assert plain["changes"] == []
    assert plain["provenance"]["seed"] == 3
    assert "trial 2 is reproduced: equal bit for bit" in said
    assert state(study) == before
    assert {each.name for each in scratch.iterdir()} <= {"cache"}  # locks of networks


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_data_are_another_trial(
    split: str, study: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    data = getattr(preparing.prepare(open_study(study).settings, study.parent, print), split)
    with_setup(monkeypatch, **{split: dataclasses.replace(data, fingerprint="0123")})

    line = refusal(capfd, "replay", study, "--trial", 0)

    assert line.startswith(f"the fingerprint of procedural {split} is 0123, but the trial was made")


def test_data_without_a_known_fingerprint_pass(study: Path) -> None:
    setup = preparing.prepare(open_study(study).settings, study.parent, print)

    require_data({}, setup)


def test_another_recipe_is_named(
    study: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    recipe = preparing.prepare(open_study(study).settings, study.parent, print).recipe
    longer = {**recipe["training"], "steps": 3}
    with_setup(monkeypatch, recipe={**recipe, "training": longer})

    line = refusal(capfd, "replay", study, "--trial", 0)

    assert "was made with another recipe: training.steps was 2, now 3. Restore" in line
    assert {each.name for each in scratch.iterdir()} <= {"cache"}  # locks of networks


def test_a_seed_that_nothing_was_trained_with_is_refused(study: Path, capfd: Capfd) -> None:
    line = refusal(capfd, "replay", study, "--trial", 0, "--seed", 9)

    assert line.startswith("--seed is 9; allowed for trial 0: none, because it was trained once.")


def test_a_replay_that_is_stopped_leaves_nothing_behind(
    study: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    def stopped(network: object, setup: TrialSetup, tell: object) -> None:
        setup.folder.mkdir(parents=True)
        (setup.folder / "weights.npz").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(replaying, "make_network", stopped)
    before = state(study)

    line = refusal(capfd, "replay", study, "--trial", 0, code=130)

    assert line.startswith("The replay was stopped; the study is as it was.")
    assert state(study) == before
    assert {each.name for each in scratch.iterdir()} <= {"cache"}  # locks of networks


def test_a_trial_that_is_not_reproduced_has_exit_code_1(
    study: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    trial = open_study(study).trial(0)

    def other(then: Any, *given: object, tolerance: float) -> Any:
        score = dataclasses.replace(then.streamed.score, miou=then.streamed.score.miou + 0.5)
        now = dataclasses.replace(then, streamed=dataclasses.replace(then.streamed, score=score))
        return replaying.compare(then, now, tolerance=tolerance)

    monkeypatch.setattr(replaying, "replay", other)

    assert exit_code("replay", study, "--trial", 0) == 1

    shown = capfd.readouterr()
    assert "differs  mIoU: " in shown.out
    assert f"jejunet-nas: trial {trial.number} is not reproduced: " in shown.err


@pytest.mark.slow
def test_every_kind_of_training_is_reproduced(tmp_path: Path, capfd: Capfd) -> None:
    more = "trials: 3\nsampler: {name: random, round: 3}\nlast_round: {seeds: 2, until: seeds}\n"
    pruned = f"{SPACE}  pruning: [0.5]\n"
    study = write_study(tmp_path, f"{MORE}{more}training: {{{BRIEF}, rungs: [1]}}\n", pruned)
    assert exit_code("search", study) == 0
    history = open_study(study).history
    below, above = (
        next(t for t in history.drawn if t.network.training.steps == steps) for steps in (1, 2)
    )
    number, (repeat,) = next(iter(history.repeats.items()))

    asked = [["--trial", below.number], ["--trial", above.number]]
    asked.append(["--trial", number, "--seed", repeat.seed])
    found = [answer(capfd, "replay", study, *options)[0] for options in asked]

    assert [each["verdict"] for each in found] == ["equal"] * 3, found
    assert found[2]["network_id"] == repeat.network_id != found[1]["network_id"]
    assert all(each.network.compressed_from for each in (below, above))
