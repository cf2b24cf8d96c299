import contextlib
import dataclasses
import sqlite3
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from sqlalchemy import Engine, event

from jejunet_nas.errors import SettingError
from jejunet_nas.records import DataFacts, RefusedTrial, TrialResult, VideoFacts, to_json
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.draw import choices_of, draw, network_choices
from jejunet_nas.study.history import OUTCOME, RECORD
from jejunet_nas.study.interrupted import take_up_interrupted
from jejunet_nas.study.kept_measurements import measured_trial
from jejunet_nas.study.known import known_architectures
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.samplers import chooser
from jejunet_nas.study.screens import Screens
from jejunet_nas.study.storage import storage_url
from tests.made_up import on_screen
from tests.search.build import result, tiny_study
from tests.search.measured import network_measurement

DAMAGED = r".*study\.db has a damaged row"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def open_ledger(folder: Path, more: str = "") -> Ledger:
    return Ledger(tiny_study(folder, more), storage_url(folder))


def begin(ledger: Ledger, **choices: Any) -> tuple[optuna.Trial, Architecture]:
    """Draw the next trial, with `choices` where there are any."""
    if choices:
        ledger.propose(choices)
    trial = ledger.ask()
    architecture = draw(ledger.settings.search_space, chooser(trial))
    ledger.begin(trial, architecture)
    return trial, architecture


def refused(trial: optuna.Trial, architecture: Architecture, mean_ms: float) -> RefusedTrial:
    return RefusedTrial(
        number=trial.number,
        architecture=architecture,
        mean_ms=mean_ms,
        worst_ms=mean_ms,
        dropped_frames=0.0,
        source="predicted",
        reason="too slow",
    )


def best_numbers(folder: Path) -> list[int]:
    """What Optuna itself makes of the study."""
    study = optuna.load_study(study_name="tiny", storage=storage_url(folder))
    return [trial.number for trial in study.best_trials]


def test_a_complete_trial_comes_back_with_its_whole_result(ledger: Ledger, tmp_path: Path) -> None:
    trial, architecture = begin(ledger)
    ledger.complete(trial, result(trial.number, architecture))

    assert open_ledger(tmp_path).history().complete == (result(0, architecture),)


def test_each_outcome_comes_back_in_its_place(ledger: Ledger, tmp_path: Path) -> None:
    (one, first), (two, second), (three, third), (four, _) = (begin(ledger) for _ in range(4))
    ledger.complete(one, result(0, first))
    ledger.refuse(two, refused(two, second, 99.0))
    ledger.drop(three, "failed", "it broke")
    ledger.drop(four, "duplicate", "the architecture of trial 0")

    history = open_ledger(tmp_path).history()

    assert [trial.number for trial in history.complete] == [0]
    assert history.refused == (refused(two, second, 99.0),)
    assert [(f.number, f.architecture, f.reason) for f in history.failed] == [
        (2, third, "it broke")
    ]
    assert history.duplicates == 1


@pytest.mark.parametrize(
    ("rule", "over_ms"), [("no_drops", 0.2 * 1000 / 24), ("every_frame", 60 - 1000 / 24)]
)
def test_samplers_learn_how_far_a_trial_that_drops_frames_misses_the_target(
    rule: str, over_ms: float, tmp_path: Path
) -> None:
    ledger = Ledger(tiny_study(tmp_path, f"feasible: {rule}\n"), storage_url(tmp_path))
    trial, architecture = begin(ledger)
    made = result(0, architecture)  # of 20 ms a frame
    latency = dataclasses.replace(made.predicted, worst_ms=60.0, dropped_frames=0.2)

    ledger.complete(trial, on_screen(made, latency=latency))

    study = optuna.load_study(study_name="tiny", storage=storage_url(tmp_path))
    assert study.trials[0].constraints == {"ms_over_target": pytest.approx(over_ms)}
    assert best_numbers(tmp_path) == []


def test_a_trial_that_runs_is_not_yet_in_the_history(ledger: Ledger) -> None:
    begin(ledger)

    history = ledger.history()

    assert (history.complete, history.refused, history.failed) == ((), (), ())
    assert known_architectures(ledger) == {}


def test_known_is_what_needs_no_further_trial(ledger: Ledger) -> None:
    one, first = begin(ledger, resolution=64, keyframe_interval=1)
    two, second = begin(ledger, resolution=64, keyframe_interval=2)
    three, third = begin(ledger, resolution=96, keyframe_interval=1)
    begin(ledger, resolution=96, keyframe_interval=2)  # and no word of it since
    ledger.complete(one, result(0, first))
    ledger.refuse(two, refused(two, second, 99.0))
    ledger.drop(three, "failed", "it broke")

    numbers = {canonical_json(each): n for n, each in enumerate((first, second, third))}
    assert known_architectures(ledger) == numbers


def test_an_interrupted_trial_is_proposed_again_and_counted_nowhere(tmp_path: Path) -> None:
    _, architecture = begin(open_ledger(tmp_path))

    later = open_ledger(tmp_path)
    taken_up = take_up_interrupted(later)
    trial, again = begin(later)
    later.complete(trial, result(trial.number, again))

    assert (taken_up, again) == (1, architecture)
    assert later.history().complete == (result(1, architecture),)
    assert (later.history().failed, later.history().duplicates) == ((), 0)


def test_a_trial_is_taken_up_once(tmp_path: Path) -> None:
    begin(open_ledger(tmp_path))

    assert take_up_interrupted(open_ledger(tmp_path)) == 1
    assert take_up_interrupted(open_ledger(tmp_path)) == 0


def test_a_trial_that_died_between_its_record_and_its_end_is_counted_once(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    trial, _ = begin(ledger)
    trial.set_user_attr("outcome", "complete")

    take_up_interrupted(ledger)

    assert ledger.history().complete == ()
    assert known_architectures(ledger) == {}


def measured(result: TrialResult) -> TrialResult:
    """Return `result` as it is once its network was measured: 30 ms a frame."""
    return measured_trial(result, network_measurement(30.0), Screens(Path(), 24.0))


def values(folder: Path) -> list[list[float] | None]:
    """Return what Optuna's samplers learn of each trial."""
    study = optuna.load_study(study_name="tiny", storage=storage_url(folder))
    return [trial.values for trial in study.trials]


def test_a_held_trial_is_neither_complete_nor_known(ledger: Ledger, tmp_path: Path) -> None:
    trial, architecture = begin(ledger)
    ledger.hold(trial, result(0, architecture))

    assert ledger.history().complete == ()
    assert known_architectures(ledger) == {}
    assert values(tmp_path) == [None]


def test_a_held_trial_is_closed_with_what_is_known_by_then(ledger: Ledger, tmp_path: Path) -> None:
    trial, architecture = begin(ledger)
    ledger.hold(trial, result(0, architecture))
    begin(ledger)
    ledger.complete(trial, measured(result(0, architecture)))

    assert ledger.history().complete == (measured(result(0, architecture)),)
    assert values(tmp_path)[0] == [result(0, architecture).score.miou, 30.0]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_held_trials_that_a_dead_process_left_are_closed_and_not_tried_again(
    sampler: str, tmp_path: Path
) -> None:
    more = f"sampler: {{name: {sampler}}}\n"
    dead = open_ledger(tmp_path, more)
    (one, first), (two, second), (_, third) = (begin(dead, keyframe_interval=n) for n in (1, 2, 3))
    dead.hold(two, result(1, second))
    dead.hold(one, result(0, first))

    later = open_ledger(tmp_path, more)
    taken_up = take_up_interrupted(later, measured)

    assert taken_up == 1
    assert later.history().complete == (measured(result(0, first)), measured(result(1, second)))
    assert values(tmp_path)[:2] == [
        [result(0, first).score.miou, 30.0],
        [result(1, second).score.miou, 30.0],
    ]
    assert set(known_architectures(later).values()) == {0, 1}
    assert begin(later)[1].network == third.network
    assert take_up_interrupted(later, measured) == 0  # the third, which died once more
    (failed,) = later.history().failed
    assert failed.architecture is not None
    assert failed.architecture.network == third.network


def test_a_held_trial_that_was_never_measured_is_closed_as_predicted(tmp_path: Path) -> None:
    trial, architecture = begin(open_ledger(tmp_path))
    open_ledger(tmp_path).hold(trial, result(0, architecture))

    later = open_ledger(tmp_path)

    assert take_up_interrupted(later) == 0
    assert later.history().complete == (result(0, architecture),)
    assert take_up_interrupted(open_ledger(tmp_path), measured) == 0  # once closed, it stays so
    assert values(tmp_path) == [[result(0, architecture).score.miou, 20.0]]


def test_a_trial_that_died_just_before_its_end_is_closed(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    trial, architecture = begin(ledger)
    ledger.hold(trial, result(0, architecture))
    trial.set_user_attr("outcome", "complete")

    assert take_up_interrupted(open_ledger(tmp_path), measured) == 0
    assert ledger.history().complete == (measured(result(0, architecture)),)


def test_a_refusal_that_died_before_its_end_is_no_held_trial(tmp_path: Path) -> None:
    trial, architecture = begin(open_ledger(tmp_path))
    trial.set_user_attr("record", to_json(refused(trial, architecture, 99.0)))

    later = open_ledger(tmp_path)

    assert take_up_interrupted(later, measured) == 1
    assert begin(later)[1].network == architecture.network


def test_a_held_trial_of_another_version_is_named(tmp_path: Path) -> None:
    trial, architecture = begin(open_ledger(tmp_path))
    open_ledger(tmp_path).hold(trial, result(0, architecture))
    trial.set_user_attr("record", "{}")

    with pytest.raises(SettingError, match=r"written by another version of jejunet_nas\. Use that"):
        take_up_interrupted(open_ledger(tmp_path))


@pytest.mark.parametrize("record", ["{", "[" * 5000])
def test_a_held_trial_whose_row_is_damaged_is_named(record: str, tmp_path: Path) -> None:
    trial, architecture = begin(open_ledger(tmp_path))
    open_ledger(tmp_path).hold(trial, result(0, architecture))
    trial.set_user_attr("record", record)

    with pytest.raises(SettingError, match=r"study\.db.* has a damaged row"):
        take_up_interrupted(open_ledger(tmp_path))


def test_starting_points_come_first_in_their_order(tmp_path: Path) -> None:
    ledger = open_ledger(
        tmp_path, "start_with: [{resolution: 96, keyframe_interval: 3}, {depth_multiplier: 0.5}]\n"
    )

    first, second = (choices_of(begin(ledger)[1]) for _ in range(2))

    assert (first["resolution"], first["keyframe_interval"]) == (96, 3)
    assert second["depth_multiplier"] == 0.5


def test_starting_points_are_proposed_to_a_new_study_only(tmp_path: Path) -> None:
    start = "start_with: [{resolution: 96}]\n"
    trial, architecture = begin(open_ledger(tmp_path, start))
    open_ledger(tmp_path, start).complete(trial, result(0, architecture))

    study = optuna.load_study(study_name="tiny", storage=storage_url(tmp_path))

    assert len(study.get_trials(states=[optuna.trial.TrialState.WAITING])) == 0


def test_a_network_is_proposed_under_one_more_policy(ledger: Ledger) -> None:
    _, architecture = begin(ledger)
    ledger.propose(network_choices(architecture.network))

    assert begin(ledger)[1].network == architecture.network


def test_a_study_that_was_not_begun_is_not_made_by_looking_for_it(tmp_path: Path) -> None:
    assert Ledger.find(tiny_study(tmp_path), storage_url(tmp_path)) is None
    assert not (tmp_path / "study.db").exists()


def test_a_study_may_hold_out_clips_once_its_trials_are_made(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path)
    Ledger(settings, storage_url(tmp_path)).keep_identity(settings.identity())
    half = tiny_study(tmp_path, "validation: {pick_on: half, report_on: half}\n")

    found = Ledger.find(half, storage_url(tmp_path))

    assert found is not None
    assert found.history().validation == "half"


def test_a_study_is_found_with_its_settings_and_refused_with_others(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path)
    Ledger(settings, storage_url(tmp_path)).keep_identity(settings.identity())

    assert Ledger.find(settings, storage_url(tmp_path)) is not None
    with pytest.raises(SettingError, match=r"^latency.threads of tiny is 2, .* made with 1\. Rest"):
        Ledger.find(tiny_study(tmp_path, "latency: {threads: 2}\n"), storage_url(tmp_path))


def test_trials_made_with_a_setting_that_is_gone_are_refused_by_its_name(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path)
    identity = settings.identity()
    identity["training"] |= {"teacher": "t.tflite", "teacher_on": "all"}
    Ledger(settings, storage_url(tmp_path)).keep_identity(identity)

    with pytest.raises(
        SettingError, match=r"^the trials of tiny were made with training.teacher t.tflite, .*name"
    ):
        Ledger.find(settings, storage_url(tmp_path))


def test_other_data_under_the_same_settings_are_refused(ledger: Ledger) -> None:
    ledger.keep_identity({"made_from": {"val_fingerprint": "a"}})

    with pytest.raises(SettingError, match=r"^made_from.val_fingerprint of tiny is b, .* with a\."):
        ledger.keep_identity({"made_from": {"val_fingerprint": "b"}})


def test_a_storage_that_does_not_open_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"^--storage is nonsense, which cannot be opened .* Use"
    ):
        Ledger(tiny_study(tmp_path), "nonsense")


def test_optuna_counts_among_the_best_only_what_meets_the_target(
    ledger: Ledger, tmp_path: Path
) -> None:
    fast, first = begin(ledger, keyframe_interval=3)
    slow, second = begin(ledger, keyframe_interval=1)
    late, third = begin(ledger, keyframe_interval=2)
    ledger.complete(fast, result(0, first, mean_ms=41.0))  # 24 fps leave 41.7 ms
    ledger.complete(slow, result(1, second, mean_ms=42.0))
    ledger.refuse(late, refused(late, third, 99.0))

    assert best_numbers(tmp_path) == [0]


def test_the_names_of_the_classes_are_kept_with_the_study(ledger: Ledger, tmp_path: Path) -> None:
    ledger.note_class_names(("background", "object"))
    ledger.keep_identity(ledger.settings.identity())

    assert open_ledger(tmp_path).history().class_names == ("background", "object")


def test_seconds_are_those_from_a_trial_s_start_to_its_end(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, 0.0)
    (one, first) = begin(ledger)
    at(monkeypatch, 90.5)
    ledger.complete(one, result(0, first))
    (two, second) = begin(ledger)
    at(monkeypatch, 91.0)
    ledger.refuse(two, refused(two, second, 99.0))
    (three, _) = begin(ledger)
    at(monkeypatch, 101.0)
    ledger.drop(three, "failed", "it broke")
    begin(ledger)  # runs still

    assert open_ledger(tmp_path).history().spent_s == {0: 90.5, 1: 0.5, 2: 10.0}


def test_a_trial_that_waits_for_the_phone_counts_until_the_next_one_begins(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, 0.0)
    (one, first) = begin(ledger)
    at(monkeypatch, 60.0)
    ledger.hold(one, result(0, first))
    (two, second) = begin(ledger)
    at(monkeypatch, 100.0)
    ledger.complete(one, result(0, first))
    ledger.complete(two, result(1, second))

    assert ledger.history().spent_s == {0: 60.0, 1: 40.0}


def test_a_trial_whose_process_died_before_its_end_has_no_seconds(
    ledger: Ledger, tmp_path: Path
) -> None:
    trial, architecture = begin(ledger)
    ledger.hold(trial, result(0, architecture))
    trial.set_user_attr("outcome", "complete")

    assert open_ledger(tmp_path).history().spent_s == {}


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let Optuna's clocks stand `seconds` after noon."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Clock":
            return cls(2026, 11, 25, 12, tzinfo=tz) + timedelta(seconds=seconds)

    monkeypatch.setattr(optuna.storages._rdb.storage, "datetime", Clock)
    monkeypatch.setattr(optuna.trial._frozen, "datetime", SimpleNamespace(datetime=Clock))


def test_who_only_reads_a_study_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    trial, architecture = begin(ledger)
    ledger.complete(trial, result(trial.number, architecture))
    ledger.keep_identity(ledger.settings.identity())
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement.split()[0].upper())

    event.listen(Engine, "before_cursor_execute", note)
    try:
        found = Ledger.find(ledger.settings, storage_url(tmp_path))
        assert found is not None
        assert len(found.history().complete) == 1
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert {*said} <= {"SELECT", "PRAGMA"}, {*said}


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("trial", RECORD, "{"),
        ("trial", RECORD, "5"),
        ("trial", OUTCOME, '"complete'),
        ("trial", OUTCOME, '["complete"]'),
        ("study", "class_names", "7"),
        ("study", "class_names", "[1, 2]"),
        ("study", "data", "7"),
        ("study", "data", '"{}}"'),
        ("study", "data", '"{\\"photos\\": -1, \\"videos\\": 3}"'),
        ("study", "identity", "[[1"),
        ("study", "identity", '"x"'),
    ],
)
def test_a_damaged_row_is_told_in_one_line(
    table: str, key: str, value: str, tmp_path: Path
) -> None:
    ledger = open_ledger(tmp_path)
    ledger.keep_identity(ledger.settings.identity())
    ledger.note_class_names(("background", "object"))
    ledger.note_data(DataFacts(photos=2))
    trial, architecture = begin(ledger)
    ledger.complete(trial, result(trial.number, architecture))
    with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as database, database:
        change = f"update {table}_user_attributes set value_json = ? where key = ?"
        assert database.execute(change, (value, key)).rowcount == 1

    def read() -> None:
        found = Ledger.find(ledger.settings, storage_url(tmp_path))
        assert found is not None
        found.history()

    with pytest.raises(SettingError, match=r"study\.db has a damaged row \([^\n]*\.$"):
        read()


def test_what_is_known_about_the_data_is_kept_and_missing_in_older_studies(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    video = VideoFacts(name="ride", frames=40, annotated_frames=12, fps=29.97)
    facts = DataFacts(videos=(video,), photos=2, warnings=("val has only 4 annotated frames",))

    assert ledger.history().data == DataFacts()
    ledger.note_data(facts)
    assert ledger.history().data == facts
