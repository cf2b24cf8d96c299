"""The copy of a study that a dashboard shows."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from optuna_dashboard import get_note

from jejunet_nas.study.opened import open_study
from jejunet_nas.study.optuna_copy import copy_study
from tests.searched_study import measure_network, searched_study


def test_the_best_trials_are_the_front_and_slower_ones_are_pruned(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    measure_network(file, key_ms=50.0)
    study = open_study(file)

    storage = copy_study(study.ledger.trials(), study.history, note="", notes={})
    copied = optuna.load_study(study_name="tiny", storage=storage)

    assert copied.best_trials == []
    assert copied.trials[0].state == TrialState.PRUNED
    assert copied.trials[0].values == [0.9, 50.0]
    assert copied.trials[0].user_attrs["reason"] == (
        "misses 25 fps without a dropped frame: 50.0 ms a frame, 0.0 % dropped, worst 50.0 ms"
    )


def test_trials_keep_their_numbers_and_have_the_latencies_that_count_now(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    study = open_study(file)
    study.ledger.drop(study.ledger.ask(), "duplicate", "the architecture of trial 0")
    study.ledger.ask()
    measure_network(file, key_ms=25.0)

    storage = copy_study(study.ledger.trials(), study.history, note="", notes={1: "one"})
    copied = optuna.load_study(study_name="tiny", storage=storage).trials

    assert [trial.number for trial in copied] == [0, 1, 2, 3, 4, 5]
    assert [trial.state for trial in copied[2:]] == [
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.FAIL,
        TrialState.RUNNING,
    ]
    assert [trial.values for trial in copied[:2]] == [[0.9, 25.0], [0.4, 25.0]]
    assert copied[2].user_attrs["reason"] == "too slow"


def test_notes_are_those_of_save_note_and_their_cost_does_not_grow_with_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(searched_study(tmp_path))
    notes = {0: "one\n" * 1000, 1: "*two*", 3: ""}
    reads: list[int] = []
    read = InMemoryStorage.get_study_system_attrs

    def count(storage: InMemoryStorage, study_id: int) -> dict[str, Any]:
        reads.append(study_id)
        return read(storage, study_id)

    monkeypatch.setattr(InMemoryStorage, "get_study_system_attrs", count)
    copy_study(study.ledger.trials(), study.history, note="", notes={})
    without, reads[:] = len(reads), []
    storage = copy_study(study.ledger.trials(), study.history, note="", notes=notes)

    assert len(reads) == without
    copied = optuna.load_study(study_name="tiny", storage=storage)
    found = {n: get_note(optuna.Trial(copied, copied.trials[n]._trial_id)) for n in notes}
    assert found == notes
