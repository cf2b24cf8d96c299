"""What is shown of a study is laid over its storage when that is read; the storage stays."""

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.search.shown import Picture, Shown, ShownStorage

URL = "sqlite:///{}/study.db"
PICTURE = Picture(name="0a", title="front.png")
SHOWN = Shown(
    note="the study",
    notes={0: "trial 0", 7: "of a trial that is not there"},
    figures={0: {"worst ms": 30.0}},
    values={0: (0.9, 25.0)},
    over_ms={0: -15.0, 1: 59.0},
    pictures={1: (PICTURE,)},
    study_pictures=(PICTURE,),
)


@pytest.fixture
def study(tmp_path: object) -> optuna.Study:
    """A study of a complete and a pruned trial, and another study beside it."""
    storage = URL.format(tmp_path)
    for name in ("other", "tiny"):
        study = optuna.create_study(
            study_name=name, storage=storage, directions=["maximize", "minimize"]
        )
        first = study.ask()
        first.set_constraint("mean_ms_over_deadline", 5.0)
        first.set_user_attr("record", "long")
        first.set_user_attr("outcome", "complete")
        study.tell(first, [0.9, 45.0])
        study.tell(study.ask(), state=TrialState.PRUNED)
    return study


def shown_of(study: optuna.Study, tmp_path: object, shown: Shown = SHOWN) -> list[FrozenTrial]:
    storage = ShownStorage(URL.format(tmp_path), "tiny", lambda: shown)
    return storage.get_all_trials(study._study_id)


def test_values_and_constraints_are_those_that_count_now(
    study: optuna.Study, tmp_path: object
) -> None:
    first, second = shown_of(study, tmp_path)

    assert first.values == [0.9, 25.0]
    assert first.system_attrs["constraints"] == [-15.0]
    assert first.constraints == {"0": -15.0}  # that of the search is not beside it
    assert second.state == TrialState.PRUNED
    assert second.values is None
    assert second.system_attrs["constraints"] == [59.0]
    assert first.user_attrs == {"outcome": "complete", "worst ms": 30.0}


def test_another_study_is_shown_as_it_is_with_its_constraints(
    study: optuna.Study, tmp_path: object
) -> None:
    storage = ShownStorage(URL.format(tmp_path), "tiny", lambda: SHOWN)
    other = storage.get_study_id_from_name("other")

    first, second = storage.get_all_trials(other)

    assert (first.values, first.system_attrs["constraints"]) == ([0.9, 45.0], [5.0])
    assert first.user_attrs["record"] == "long"
    assert "constraints" not in second.system_attrs
    assert "dashboard:note_ver" not in storage.get_study_system_attrs(other)


def test_notes_and_pictures_stand_where_the_dashboard_looks_for_them(
    study: optuna.Study, tmp_path: object
) -> None:
    storage = ShownStorage(URL.format(tmp_path), "tiny", lambda: SHOWN)
    first, second = (trial._trial_id for trial in study.trials)

    attrs = storage.get_study_system_attrs(study._study_id)
    (listed,) = (s for s in storage.get_all_studies() if s._study_id == study._study_id)

    assert attrs["dashboard:note_str:0"] == "the study"
    assert attrs[f"dashboard:{first}:note_str:0"] == "trial 0"
    assert '"front.png"' in attrs["artifacts:0a"]
    assert '"image/png"' in attrs[f"dashboard:artifacts:{second}:0a"]
    assert not any("not there" in str(value) for value in attrs.values())
    assert listed.system_attrs == attrs


def test_a_note_that_a_person_wrote_stays(study: optuna.Study, tmp_path: object) -> None:
    storage = ShownStorage(URL.format(tmp_path), "tiny", lambda: SHOWN)

    storage.set_study_system_attr(study._study_id, "dashboard:note_ver", 1)
    storage.set_study_system_attr(study._study_id, "dashboard:note_str:0", "mine")

    attrs = storage.get_study_system_attrs(study._study_id)
    assert (attrs["dashboard:note_ver"], attrs["dashboard:note_str:0"]) == (1, "mine")


def test_looking_writes_nothing(study: optuna.Study, tmp_path: object) -> None:
    before = study._storage.get_study_system_attrs(study._study_id)
    trials = study.get_trials()
    storage = ShownStorage(URL.format(tmp_path), "tiny", lambda: SHOWN)

    storage.get_all_trials(study._study_id)
    storage.get_all_studies()

    assert study._storage.get_study_system_attrs(study._study_id) == before
    assert study.get_trials() == trials


def test_a_study_is_looked_at_once_in_a_while(
    study: optuna.Study, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    now = [0.0]
    monkeypatch.setattr("jejunet_nas.search.shown.time.monotonic", lambda: now[0])

    def look() -> Shown:
        looks.append(None)
        return SHOWN

    storage = ShownStorage(URL.format(tmp_path), "tiny", look)
    for _ in range(3):
        storage.get_all_trials(study._study_id)
    assert len(looks) == 1

    now[0] = 3.0
    storage.get_all_trials(study._study_id)
    assert len(looks) == 2


def test_what_takes_long_to_look_at_is_looked_at_less_often(
    study: optuna.Study, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    now = [0.0]
    monkeypatch.setattr("jejunet_nas.search.shown.time.monotonic", lambda: now[0])

    def look() -> Shown:
        looks.append(None)
        now[0] += 5.0
        return SHOWN

    storage = ShownStorage(URL.format(tmp_path), "tiny", look)
    for moment, seen in ((0.0, 1), (24.0, 1), (26.0, 2)):
        now[0] = moment
        storage.get_all_trials(study._study_id)
        assert len(looks) == seen
