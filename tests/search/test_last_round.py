"""The last round, without training: every network scores what it should, and then some luck."""

import dataclasses
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jejunet_nas.errors import JejunetError, TrialError
from jejunet_nas.records import LastRoundPlan, StudyHistory, TrialResult
from jejunet_nas.reporting.markdown import page
from jejunet_nas.scoring import contenders
from jejunet_nas.scoring.ranking import picks
from jejunet_nas.search import work
from jejunet_nas.search.last_round import LastRound, next_training
from jejunet_nas.search.loop import search
from jejunet_nas.search.work import InThisProcess
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.tables import failures
from tests.reporting.build import history, measured
from tests.scoring.networks import again, network
from tests.search.build import QuietView, install, tiny_study
from tests.search.test_rounds import FakeNetworks

TRUE = {0: 0.60, 1: 0.62}  # trial 0 had luck in its first training
FIRST = {0: 0.63, 1: 0.62}
PLAN = LastRoundPlan(contenders=4)


def study_in(folder: Path, last: str = "{seeds: 3, contenders: 2}") -> StudySettings:
    return tiny_study(folder, f"target_fps: 25\nlast_round: {last}\n")


def ledger_in(folder: Path, last: str = "{seeds: 3, contenders: 2}") -> Ledger:
    """A ledger of two complete trials, of different networks."""
    ledger = Ledger(study_in(folder, last), storage_url(folder))
    for number, iou in FIRST.items():
        trial, done = ledger.ask(), network(number, [iou] * 6)
        ledger.begin(trial, done.architecture)
        ledger.complete(trial, done)
    return ledger


class FakeTraining:
    """Stands for training and scoring a network: it is as good as it should be, and steady."""

    def __init__(self, breaks: int | None = None) -> None:
        self.trained: list[tuple[float, int]] = []
        self.breaks = breaks

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "FakeTraining":
        monkeypatch.setattr(work, "train_again", self)
        return self

    def __call__(self, trial: TrialResult, setup: Any, tell: object) -> tuple[str, Any]:
        if len(self.trained) == self.breaks:
            raise TrialError("the loss became nan")
        self.trained.append((trial.number, setup.seed))
        luck = 0.001 * (setup.seed % 2)
        repeat = again(trial, setup.seed, [TRUE[trial.number] + luck] * 6)
        return repeat.network_id, repeat.streamed


def setup_in(folder: Path) -> Any:
    return SimpleNamespace(folder=folder, with_seed=lambda seed: SimpleNamespace(seed=seed))


def run(ledger: Ledger, folder: Path, trainings: int | None = None) -> QuietView:
    """Run the last round, over after so many trainings."""
    view, done = QuietView(), iter(range(1000))
    executor = InThisProcess(setup_in(folder), view.stage)
    LastRound(ledger, folder, executor, view).run(
        lambda: trainings is not None and next(done) >= trainings
    )
    return view


def test_contenders_take_turns_until_their_seeds_are_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTraining().install(monkeypatch)
    ledger = ledger_in(tmp_path)

    view = run(ledger, tmp_path)

    assert fake.trained == [(0, 1), (1, 1), (0, 2), (1, 2)]
    assert picks(ledger.history())["best"].number == 1  # trial 0 had luck
    assert view.lines[0].startswith("last round: 2 networks within the noise of the best at 25 fps")
    assert "trial 1 is the best at 25 fps, 62.0 mIoU in the mean of 3 trainings" in view.lines[-1]


def test_all_networks_of_a_baseline_get_all_their_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FIRST, 1, 0.40)  # far below the best, and surely told apart from it
    fake = FakeTraining().install(monkeypatch)

    view = run(ledger_in(tmp_path, "{seeds: 3, until: seeds}"), tmp_path)

    assert fake.trained == [(0, 1), (1, 1), (0, 2), (1, 2)]
    assert view.lines[0] == "last round: 2 networks trained again with other seeds"


def test_a_last_round_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTraining().install(monkeypatch)
    run(ledger_in(tmp_path), tmp_path, trainings=3)

    again = Ledger.find(study_in(tmp_path), storage_url(tmp_path))
    assert again is not None
    run(again, tmp_path)

    assert fake.trained == [(0, 1), (1, 1), (0, 2), (1, 2)]
    assert {n: len(each) for n, each in again.history().repeats.items()} == {0: 2, 1: 2}


def test_a_training_that_fails_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTraining(breaks=1).install(monkeypatch)
    ledger = ledger_in(tmp_path, "{seeds: 2, contenders: 2}")

    view = run(ledger, tmp_path)

    assert fake.trained == [(0, 1)]
    assert ledger.history().failed_repeats == {(1, 1): "the loss became nan"}
    assert "trial 1 with seed 1 failed: the loss became nan" in view.lines


def test_a_contender_that_ends_the_process_twice_is_left_out_with_all_its_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for the end of the process: no code of the search runs after it."""

    def train_again(trial: TrialResult, setup: Any, tell: object) -> tuple[str, Any]:
        if trial.number == 1:
            monkeypatch.setattr(Ledger, "note", None)
            raise Killed
        return fake(trial, setup, tell)

    fake, note = FakeTraining(), Ledger.note
    monkeypatch.setattr(work, "train_again", train_again)
    ledger = ledger_in(tmp_path)
    ledger.note_class_names(("object",))
    for _ in range(2):
        with pytest.raises(Killed):
            run(ledger, tmp_path)
        monkeypatch.setattr(Ledger, "note", note)

    view = run(ledger, tmp_path)

    reason = "ended the process 2 times: a crash, or not enough memory"
    assert fake.trained == [(0, 1), (0, 2)]
    assert failures(ledger.history()) == [(reason, ["1 with seed 1", "1 with seed 2"])]
    assert next_training(ledger.settings, ledger.history()) is None
    assert f"trial 1 with seed 1 failed: {reason}" in view.lines
    assert f"- trials 1 with seed 1, 1 with seed 2: {reason}" in page(ledger.history(), "a.png")


def test_a_training_that_the_user_stops_is_tried_again_however_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, stops = FakeTraining(), iter(range(4))

    def train_again(trial: TrialResult, setup: Any, tell: object) -> tuple[str, Any]:
        if next(stops, None) is not None:
            raise KeyboardInterrupt
        return fake(trial, setup, tell)

    monkeypatch.setattr(work, "train_again", train_again)
    ledger = ledger_in(tmp_path)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run(ledger, tmp_path)

    run(ledger, tmp_path)

    assert len(fake.trained) == 4
    assert ledger.history().failed_repeats == {}


def test_five_further_trainings_that_fail_in_a_row_stop_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTraining(breaks=0).install(monkeypatch)
    ledger = ledger_in(tmp_path, "{seeds: 4, contenders: 2}")

    with pytest.raises(JejunetError, match=r"last 5 trainings with other seeds failed; .* nan"):
        run(ledger, tmp_path)

    assert len(ledger.history().failed_repeats) == 5


def test_a_study_without_a_last_round_trains_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTraining().install(monkeypatch)

    assert run(ledger_in(tmp_path, "{}"), tmp_path).lines == []
    assert fake.trained == []


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_it_ends_when_the_pick_is_told_apart(tmp_path: Path, seeds: int) -> None:
    sure, worse = network(0, [0.70] * 6), network(1, [0.68] * 6)
    repeats = {
        0: [again(sure, seed, [0.70 + seed / 1e4] * 6) for seed in (1, 2)],
        1: [again(worse, seed, [0.68 + seed / 1e4] * 6) for seed in (1, 2)],
    }
    study = dataclasses.replace(history(sure, worse), repeats=repeats, last_round=PLAN)
    settings = study_in(tmp_path, f"{{seeds: {seeds}}}")

    assert next_training(settings, study) is None


def test_a_repeat_with_predicted_latency_is_scored_again_once_its_trial_is_measured(
    tmp_path: Path,
) -> None:
    trials = [network(0, [0.70] * 6), network(1, [0.69] * 6)]
    repeats = {each.number: [again(each, 1, [0.7] * 6)] for each in trials}
    settings = study_in(tmp_path, "{seeds: 2}")

    def following(*complete: TrialResult) -> tuple[int, int] | None:
        study: StudyHistory = dataclasses.replace(
            history(*complete), repeats=repeats, last_round=PLAN
        )
        found = next_training(settings, study)
        return (found[0].number, found[1]) if found else None

    assert following(*trials) is None
    assert following(*(measured(each, 25.0) for each in trials)) == (0, 1)


def test_a_search_ends_with_its_last_round_and_the_same_command_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, FakeNetworks())  # type: ignore[arg-type]
    trained: list[int] = []

    def train_again(trial: TrialResult, setup: Any, tell: object) -> tuple[str, Any]:
        trained.append(setup.seed)
        return "again", trial.streamed

    monkeypatch.setattr(work, "train_again", train_again)
    monkeypatch.setattr(contenders, "WITHIN", 1000.0)  # so that all four contend
    settings = tiny_study(tmp_path, "trials: 4\nlast_round: {seeds: 2, contenders: 3}\n")
    history = search(settings, tmp_path / "tiny", QuietView())
    again = QuietView()

    assert search(settings, tmp_path / "tiny", again).repeats == history.repeats
    assert trained == [1, 1, 1]
    assert again.lines[0].startswith("tiny is complete: 4 of 4 trials")


def test_a_time_budget_keeps_a_quarter_for_the_last_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, trained = FakeNetworks(), list[int]()
    install(monkeypatch, fake)  # type: ignore[arg-type]
    monkeypatch.setattr(contenders, "WITHIN", 1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: 10.0 * (len(fake.trained) + len(trained)))

    def train_again(trial: TrialResult, setup: Any, tell: object) -> tuple[str, Any]:
        trained.append(setup.seed)
        return "again", trial.streamed

    monkeypatch.setattr(work, "train_again", train_again)
    settings = tiny_study(tmp_path, "last_round: {seeds: 9}\n")
    view = QuietView()
    search(settings, tmp_path / "tiny", view, seconds=40.0)

    assert "the time budget of 40 s is spent, but for 10 s of the last round" in view.lines
    assert [len(fake.trained), len(trained)] == [3, 1]
