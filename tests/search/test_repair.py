"""Repair, with made-up training: what `doctor` finds is made again, and counts afterwards."""

import dataclasses
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.records import NetworkRecord, Repeat, TrialResult, to_json
from jejunet_nas.search import repair
from jejunet_nas.search.loop import search
from jejunet_nas.space.architecture import Architecture, Network, network_id
from jejunet_nas.study.checkup import check_up
from jejunet_nas.study.kept_data import repeat_key
from jejunet_nas.study.kept_networks import record_in
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.named import find_named
from jejunet_nas.study.storage import storage_url
from tests.cli.commands import exit_code
from tests.search.build import QuietView, result, write_study
from tests.study.kept import (
    CONTENT,
    MADE_FROM,
    execute,
    folder_of,
    kept_study,
    made_network,
    write_network,
)

CUT_RECORD = "UPDATE trial_user_attributes SET value_json = '\"{\"' WHERE key = 'record'"


class FakeTraining:
    """Stands for making and scoring networks, whose graphs have `content`."""

    def __init__(self, networks: Path, content: str) -> None:
        self.networks, self.content = networks, content
        self.made: list[str] = []
        self.scored: list[int] = []
        self.error: TrialError | None = None

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "FakeTraining":
        setup = SimpleNamespace(folder=self.networks, top=0, seed="")
        setup.at_rung = lambda rung: setup
        setup.with_seed = lambda seed: SimpleNamespace(folder=self.networks, seed=f"{seed:x}")
        monkeypatch.setattr(repair, "prepare", lambda *_: setup)
        monkeypatch.setattr(repair, "made_from", lambda *_: MADE_FROM)
        monkeypatch.setattr(repair, "network_name", name_of)
        monkeypatch.setattr(repair, "find_network", self.find)
        monkeypatch.setattr(repair, "make_network", self.make)
        monkeypatch.setattr(repair, "evaluate_policy", self.evaluate)
        monkeypatch.setattr(repair, "train_again", self.train_again)
        return self

    def find(self, network: Network, setup: Any) -> NetworkRecord | None:
        return record_in(self.networks / name_of(network, setup))

    def make(self, network: Network, setup: Any, tell: object) -> NetworkRecord:
        if self.error:
            raise self.error
        made = dataclasses.replace(
            made_network(network, self.content), network_id=name_of(network, setup)
        )
        write_network(self.networks, made, self.content)
        self.made.append(made.network_id)
        return made

    def evaluate(
        self, number: int, architecture: Architecture, made: NetworkRecord, *_: object
    ) -> TrialResult:
        self.scored.append(number)
        return dataclasses.replace(result(number, architecture, mean_ms=11.0), network=made)

    def train_again(self, trial: TrialResult, setup: Any, tell: object) -> tuple[str, Any]:
        return name_of(trial.architecture.network, setup), trial.streamed


def name_of(network: Network, setup: Any) -> str:
    return network_id(network, {"seed": setup.seed} if setup.seed else {})


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_study(tmp_path_factory.mktemp("healthy")).parent


@pytest.fixture
def state(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(healthy, tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    return Path("studies") / "tiny"


@pytest.fixture
def training(state: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    """Training after which the graphs are others than before."""
    return FakeTraining(state / "networks", "again").install(monkeypatch)


def run_the_command_of_the_only_finding() -> None:
    """Check the study, run the command that mends it, and check it again."""
    (finding,) = check_up("tiny", None, print).findings
    assert exit_code(*shlex.split(finding.command)[1:]) == 0
    assert check_up("tiny", None, print).findings == ()


def ledger(state: Path) -> Ledger:
    return Ledger(find_named("tiny").settings, storage_url(state))


def test_a_healthy_study_is_left_as_it_is(state: Path, training: FakeTraining) -> None:
    before = ledger(state).history()

    repair.repair(find_named("tiny"), QuietView())

    assert (training.made, training.scored) == ([], [])
    assert ledger(state).history() == before


def test_trials_of_a_lost_network_are_scored_again(state: Path, training: FakeTraining) -> None:
    shutil.rmtree(folder_of(state, 0))

    run_the_command_of_the_only_finding()

    first, added, other = ledger(state).history().complete
    assert (training.made, training.scored) == ([first.network_id], [0, 1])
    assert first.network == added.network == made_network(first.architecture.network, "again")
    assert [each.latency.mean_ms for each in (first, added, other)] == [11.0, 11.0, 20.0]
    assert [each.added for each in (first, added, other)] == [False, True, False]


def test_equal_graphs_keep_figures_and_measurements(state: Path, training: FakeTraining) -> None:
    before, training.content = ledger(state).history(), CONTENT
    (folder_of(state, 2) / "measured").mkdir()
    (folder_of(state, 2) / "measured" / "0-1.json").write_text("kept")
    (folder_of(state, 2) / "weights.npz").unlink()

    repair.repair(find_named("tiny"), QuietView())

    assert len(training.made) == 1
    assert training.scored == []
    assert ledger(state).history() == before
    assert (folder_of(state, 2) / "measured" / "0-1.json").read_text() == "kept"


def test_a_repair_that_was_killed_after_training_does_not_train_again(
    state: Path, training: FakeTraining
) -> None:
    again = made_network(ledger(state).history().complete[2].architecture.network, "again")
    write_network(state / "networks", again, "again")

    run_the_command_of_the_only_finding()

    assert (training.made, training.scored) == ([], [2])


def test_a_record_that_cannot_be_read_is_made_again(state: Path, training: FakeTraining) -> None:
    execute(state, f"{CUT_RECORD} AND trial_id = 2")

    run_the_command_of_the_only_finding()

    assert (training.made, training.scored) == ([], [1])
    assert [each.added for each in ledger(state).history().complete] == [False, True, False]


def test_a_lost_network_of_another_seed_is_trained_again(
    state: Path, training: FakeTraining
) -> None:
    kept = ledger(state)
    streamed = kept.history().complete[0].streamed
    repeat = Repeat(number=0, seed=3, network_id="ab" * 6, streamed=streamed)
    kept.note(repeat_key(0, 3), to_json(repeat))
    assert check_up("tiny", None, print).damages == 1

    repair.repair(find_named("tiny"), QuietView())

    assert check_up("tiny", None, print).findings == ()
    (again,) = ledger(state).history().repeats[0]
    assert training.made == [again.network_id]


def test_a_missing_study_yaml_is_written_again(state: Path, training: FakeTraining) -> None:
    before = (state / "study.yaml").read_text()
    (state / "study.yaml").unlink()

    run_the_command_of_the_only_finding()

    assert (state / "study.yaml").read_text().startswith(before[:200])
    assert training.made == []


def test_a_network_that_fails_again_does_not_keep_the_others_damaged(
    state: Path, training: FakeTraining
) -> None:
    training.error, view = TrialError("the loss became nan"), QuietView()
    shutil.rmtree(folder_of(state, 0))
    execute(state, f"{CUT_RECORD} AND trial_id = 3")

    repair.repair(find_named("tiny"), view)

    assert "trial 0 cannot be repaired: the loss became nan" in view.lines
    assert training.scored == [2]


def test_a_study_that_is_searched_is_not_repaired(state: Path, training: FakeTraining) -> None:
    with study_lock(state, "tiny"), pytest.raises(SettingError, match="searched by another"):
        repair.repair(find_named("tiny"), QuietView())


SMALL = """\
trials: 1
data: {options: {clips: 2, val_clips: 1, frames: 6, height: 64, width: 64}}
training: {rungs: [1], steps: 2, pairs_per_step: 2, gate_pairs: 10, gate_steps: 1}
compression: {post_training: {calibration_frames: 2}}
sampler: {name: random, round: 2}
"""


@pytest.mark.slow
def test_networks_of_a_real_study_are_made_again_at_their_rungs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies", SMALL)
    named = find_named("tiny")
    before = search(named.settings, named.folder, QuietView(), notes=named.notes)
    assert check_up("tiny", None, print).findings == ()
    names = {trial.network_id for trial in before.complete}
    for name in names:
        shutil.rmtree(named.folder / "networks" / name)
    assert check_up("tiny", None, print).damages == len(names)

    repair.repair(named, QuietView())

    assert check_up("tiny", None, print).findings == ()
    after = Ledger(named.settings, storage_url(named.folder)).history()
    assert [each.network_id for each in after.complete] == [
        each.network_id for each in before.complete
    ]
