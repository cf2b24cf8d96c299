"""Rows of trials that we write are those that Optuna writes, in SQLite and in PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import event

from jejunet_nas.study.storage import open_storage, optuna_study
from jejunet_nas.study.trial_rows import insert_trial, update_trial

KINDS = {"width": CategoricalDistribution((0.5, 1.0)), "channels": IntDistribution(8, 24, step=8)}
WORDS = 'it "broke", 50 % of it \u2014 \U0001f4a5'


@pytest.fixture(params=["sqlite", "postgresql"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[optuna.Study]:
    url = f"sqlite:///{tmp_path}/study.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_database()
    storage = open_storage(url)
    yield optuna_study("tiny", storage)
    storage.remove_session()
    storage.engine.dispose()


def template(state: TrialState, **given: Any) -> FrozenTrial:
    params = given.pop("params", {"width": 1.0, "channels": 16})
    return create_trial(
        state=state,
        params=params,
        distributions={name: KINDS[name] for name in params},
        **given,
    )


COMPLETE = template(
    TrialState.COMPLETE,
    values=[0.7, 12.5],
    user_attrs={"outcome": "complete", "reason": WORDS, "added": True},
    constraints={"ms_over_target": -3.5},
)
RUNNING = template(TrialState.RUNNING, user_attrs={"architecture": WORDS})
REFUSED = template(TrialState.PRUNED, params={}, constraints={"ms_over_target": 8.0})
INFINITE = template(TrialState.COMPLETE, values=[0.0, float("inf")])


def plain(trial: FrozenTrial) -> dict[str, Any]:
    """Return all that a trial has but its id and its number."""
    left_out = ("_number", "_trial_id")
    return {key: value for key, value in vars(trial).items() if key not in left_out}


def insert(study: optuna.Study, trial: FrozenTrial) -> tuple[int, int]:
    return insert_trial(rdb(study).engine, study._study_id, trial)


def rdb(study: optuna.Study) -> Any:
    """Return the database's own storage, without Optuna's cache."""
    return study._storage._backend  # type: ignore[attr-defined]


@pytest.mark.parametrize("trial", [COMPLETE, RUNNING, REFUSED, INFINITE])
def test_an_inserted_trial_is_as_optuna_inserts_it(study: optuna.Study, trial: FrozenTrial) -> None:
    study.add_trial(trial)

    trial_id, number = insert(study, trial)

    by_optuna, ours = study.get_trials()
    assert (ours._trial_id, ours.number, number) == (trial_id, 1, 1)
    assert plain(ours) == plain(by_optuna)


def test_an_updated_trial_is_as_optuna_updates_it(study: optuna.Study) -> None:
    drawn = template(
        TrialState.RUNNING, params={"width": 0.5}, user_attrs={"outcome": "held", "round": 3}
    )
    trials = [optuna.Trial(study, insert(study, drawn)[0]) for _ in range(2)]
    rdb(study).set_trial_param(trials[0]._trial_id, "channels", 16, KINDS["channels"])
    for key, value in COMPLETE.user_attrs.items():
        trials[0].set_user_attr(key, value)
    trials[0].set_constraint("ms_over_target", -3.5)
    study.tell(trials[0], COMPLETE.values)

    update_trial(rdb(study).engine, trials[1]._trial_id, COMPLETE)

    by_optuna, ours = study.get_trials()
    assert ours.user_attrs["round"] == 3
    assert ours.params == {"width": 0.5, "channels": 16}
    assert ours.datetime_complete == COMPLETE.datetime_complete
    ours.datetime_start, ours.datetime_complete = (
        by_optuna.datetime_start,
        by_optuna.datetime_complete,
    )
    assert plain(ours) == plain(by_optuna)


def test_a_trial_is_held_twice_and_then_closed_once(study: optuna.Study) -> None:
    trial_id, _ = insert(study, RUNNING)
    engine = rdb(study).engine
    held = template(TrialState.RUNNING, user_attrs={"record": "first"})
    again = template(TrialState.RUNNING, user_attrs={"record": "second"})

    for each in (held, again, COMPLETE):
        update_trial(engine, trial_id, each)

    (trial,) = study.get_trials()
    assert trial.state == TrialState.COMPLETE
    assert trial.user_attrs == {"architecture": WORDS, "record": "second", **COMPLETE.user_attrs}
    with pytest.raises(UpdateFinishedTrialError):
        update_trial(engine, trial_id, COMPLETE)


def test_a_change_that_fails_leaves_nothing(study: optuna.Study) -> None:
    trial_id, _ = insert(study, RUNNING)
    before, engine = plain(study.get_trials()[0]), rdb(study).engine

    def fail(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "trial_values" in statement:
            raise OSError("no space left on device")

    event.listen(engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(OSError, match="no space left"):
            update_trial(engine, trial_id, COMPLETE)
        with pytest.raises(OSError, match="no space left"):
            insert(study, COMPLETE)
    finally:
        event.remove(engine, "before_cursor_execute", fail)

    (trial,) = study.get_trials()
    assert plain(trial) == before


def test_trials_that_are_inserted_at_once_have_numbers_of_their_own(study: optuna.Study) -> None:
    ready = threading.Barrier(4)

    def some(_: int) -> list[int]:
        ready.wait()
        return [insert(study, COMPLETE)[1] for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for each in pool.map(some, range(4)) for number in each]

    assert sorted(numbers) == list(range(20))


def test_the_cache_of_optuna_sees_what_was_written_beside_it(study: optuna.Study) -> None:
    running, _ = insert(study, RUNNING)
    assert [each.state for each in study.get_trials()] == [TrialState.RUNNING]

    insert(study, COMPLETE)
    update_trial(rdb(study).engine, running, COMPLETE)

    assert [each.state for each in study.get_trials()] == [TrialState.COMPLETE] * 2
