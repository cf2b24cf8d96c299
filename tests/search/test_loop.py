import dataclasses
import errno
import itertools
import os
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from jejunet_nas.errors import DataError, JejunetError, MachineError, SettingError, TrialError
from jejunet_nas.faults import fault_of
from jejunet_nas.records import StudyHistory
from jejunet_nas.search import feasibility, loop
from jejunet_nas.search.lines import trial_words
from jejunet_nas.search.loop import search
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from tests.made_up import on_screen
from tests.search.build import (
    NETWORKS,
    SPACE,
    FakeTrials,
    QuietView,
    install,
    result,
    tiny_study,
)
from tests.space.build import ARCHITECTURE

BROKEN = TrialError("the loss is no number")
SOME_TOO_SLOW = SPACE.replace("[64, 96]", "[64, 1024]")  # no policy runs 1024 px at 24 fps
MOST_TOO_SLOW = SPACE.replace("[64, 96]", "[1024, 64, 992, 960, 928, 896, 864, 832, 800, 768]")
ALL_TOO_SLOW = SPACE.replace("[64, 96]", "[1024]")


class Died(BaseException):
    """Stands for the end of the process: no code of the search runs after it."""


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> FakeTrials:
    """Trials that all end well; a space counts as exhausted after a few draws."""
    return install(monkeypatch, FakeTrials())


def run(
    folder: Path, budget: int, *, more: str = "", space: str = SPACE, view: QuietView | None = None
) -> StudyHistory:
    study = tiny_study(folder, more, space).model_copy(update={"trials": budget})
    return search(study, folder / "tiny", view or QuietView())


def numbers(history: StudyHistory) -> list[int]:
    return [trial.number for trial in history.complete]


def assert_all_differ(trials: FakeTrials) -> None:
    assert len({canonical_json(each) for each in trials.tried}) == len(trials.tried)


def test_a_resumed_search_says_its_end_and_not_the_whole_forecast_again(
    trials: FakeTrials, tmp_path: Path
) -> None:
    first, second = QuietView(), QuietView()
    run(tmp_path, 2, view=first)

    run(tmp_path, 3, view=second)

    assert any(line.startswith("forecast for tiny: ") for line in first.lines)
    assert not any("forecast for" in line or "can meet it" in line for line in second.lines)
    assert any(line.startswith("tiny: 1 network left to train") for line in second.lines)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_no_network_is_tried_twice_and_an_exhausted_space_ends_the_search(
    sampler: str, trials: FakeTrials, tmp_path: Path
) -> None:
    view = QuietView()

    history = run(tmp_path, 99, more=f"sampler: {{name: {sampler}}}\n", view=view)

    assert_all_differ(trials)
    assert len(history.complete) == len(trials.tried) == NETWORKS
    assert view.lines[-1] == "the search ends: no untried network can meet the target"


def test_what_is_too_slow_is_refused_untried_and_recorded(
    trials: FakeTrials, tmp_path: Path
) -> None:
    view = QuietView()

    history = run(tmp_path, 6, space=SOME_TOO_SLOW, view=view)

    assert {each.input_height for each in trials.tried} == {64}
    assert {each.architecture.network.input_height for each in history.refused} == {1024}
    assert all(each.mean_ms > 1000 / 24 for each in history.refused)
    assert re.search(
        r"refused: cannot meet 24 fps \(41\.7 ms a frame\): at best \d+\.\d % of frames dropped, "
        r"mean \d+\.\d ms over 41\.7 ms",
        str(view.lines),
    )


def test_a_space_that_is_too_slow_throughout_stops_the_search_before_the_data_are_read(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "prepare", None)

    with pytest.raises(SettingError, match=r"No network .* can meet 24 fps .* Lower target_fps to"):
        run(tmp_path, 3, space=ALL_TOO_SLOW)

    assert trials.tried == []
    assert not (tmp_path / "tiny" / "study.db").exists()


def test_the_only_network_that_can_meet_the_target_is_tried_first(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feasibility, "SAMPLE", 3)  # draws, none of which can meet it

    history = run(tmp_path, 1, space=MOST_TOO_SLOW)

    assert [each.input_height for each in trials.tried] == [64]
    assert (numbers(history), history.refused) == ([0], ())


def test_a_search_begins_with_its_forecast_and_repeats_its_end_after_two_networks(
    trials: FakeTrials, tmp_path: Path
) -> None:
    view = QuietView()

    run(tmp_path, 6, view=view)

    said = "\n".join(view.lines)
    assert re.search(r"^forecast for tiny: 24 fps .*\n.*Google Pixel 2.*\n  100 % of all 12 ", said)
    assert "6 networks left to train; end: known after the first 2" in said
    assert re.search(r"tiny: \d+ s a network \(2 networks of tiny\)\ntiny: \d networks? left", said)
    assert said.count("a network (2 networks of tiny)") == 1


@pytest.mark.parametrize("error", [BROKEN, ValueError("a bug of one network")])
def test_a_failed_trial_is_kept_with_its_reason_and_the_search_goes_on(
    error: Exception, trials: FakeTrials, tmp_path: Path
) -> None:
    trials.breaks = {2: error}

    history = run(tmp_path, 4)

    assert len(history.complete) == 4
    assert [failed.architecture.network for failed in history.failed if failed.architecture] == [
        trials.tried[1]
    ]
    assert str(error) in history.failed[0].reason
    assert_all_differ(trials)


def test_five_failures_in_a_row_stop_the_search_with_the_reason(
    trials: FakeTrials, tmp_path: Path
) -> None:
    trials.breaks = dict.fromkeys(range(2, 99), BROKEN)

    with pytest.raises(JejunetError, match=r"the last 5 trials failed; .*: the loss is no number"):
        run(tmp_path, 9)

    assert len(trials.tried) == 1 + 5
    assert len(run(tmp_path, 1).failed) == 5  # all of them are kept


def test_failures_with_a_success_between_do_not_stop_the_search(
    trials: FakeTrials, tmp_path: Path
) -> None:
    trials.breaks = dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 9), BROKEN)

    assert len(run(tmp_path, 3).complete) == 3


def test_the_same_command_again_adds_no_trial(trials: FakeTrials, tmp_path: Path) -> None:
    first = run(tmp_path, 3)
    again = run(tmp_path, 3)

    assert again == first
    assert len(trials.tried) == 3


def test_what_is_known_about_the_data_is_said_once_and_stays_with_the_study(
    trials: FakeTrials, tmp_path: Path
) -> None:
    view = QuietView()

    history = run(tmp_path, 3, view=view)

    said = "val has only 0 annotated frames: small differences of mIoU mean nothing"
    assert view.lines.count(f"warning: {said}") == 1
    assert said in history.data.warnings


def test_a_greater_budget_adds_what_is_missing(trials: FakeTrials, tmp_path: Path) -> None:
    first = run(tmp_path, 3)
    more = run(tmp_path, 5)

    assert more.complete[:3] == first.complete
    assert len(more.complete) == len(trials.tried) == 5
    assert_all_differ(trials)


def test_no_trial_is_begun_after_the_time_budget(trials: FakeTrials, tmp_path: Path) -> None:
    view = QuietView()

    search(tiny_study(tmp_path), tmp_path / "tiny", view, seconds=0.0)

    assert trials.tried == []
    assert view.lines[-1] == "the time budget of 0 s is spent"


@pytest.mark.parametrize("stops", [{1}, {3}, {1, 2}, {2, 3, 5}])
def test_an_interrupted_search_ends_with_as_many_trials_as_an_undisturbed_one(
    stops: set[int], trials: FakeTrials, tmp_path: Path
) -> None:
    trials.breaks = dict.fromkeys(stops, KeyboardInterrupt())
    for _ in stops:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, 4)

    history = run(tmp_path, 4)

    complete = {trial.network_id for trial in history.complete}
    assert len(complete) == len(history.complete) == 4
    assert history.failed == ()


def test_an_interrupted_trial_is_the_next_to_be_tried(trials: FakeTrials, tmp_path: Path) -> None:
    trials.breaks = {2: KeyboardInterrupt()}
    view = QuietView()

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 3)
    run(tmp_path, 3, view=view)

    assert trials.tried[2] == trials.tried[1]
    assert view.lines[0] == "1 interrupted trial of tiny will be tried again"


def test_starting_points_are_tried_first(trials: FakeTrials, tmp_path: Path) -> None:
    run(tmp_path, 2, more="start_with: [{resolution: 96, keyframe_interval: 3}]\n")

    assert trials.tried[0].input_height == 96


def test_other_policies_of_a_network_are_trials_that_the_budget_does_not_count(
    trials: FakeTrials, tmp_path: Path
) -> None:
    trials.intervals = (2, 1, 3)
    view = QuietView()

    history = run(tmp_path, 2, view=view)

    assert len(history.drawn) == 2
    assert [t.architecture.policy.keyframe_interval for t in history.complete] == [2, 1, 3] * 2
    assert {t.network_id for t in history.complete[:3]} == {history.complete[0].network_id}
    assert any(
        line.startswith("  trials 1 to 2: 2 further policies of the network of trial 0, ")
        for line in view.lines
    )
    assert run(tmp_path, 2) == history


@pytest.mark.parametrize("step", range(1, 4))
def test_a_process_that_dies_while_policies_are_stored_neither_loses_nor_doubles_one(
    step: int, trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.intervals = (2, 1, 3)
    left = itertools.count(step, -1)

    def dying(method: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            if next(left) == 0:
                raise Died
            return method(*given, **named)

        return call

    with monkeypatch.context() as dead:
        dead.setattr(Ledger, "note_stopped", lambda *_: None)
        for name in ("open", "add", "hold", "complete"):
            dead.setattr(Ledger, name, dying(getattr(Ledger, name)))
        with pytest.raises(Died):
            run(tmp_path, 1)

    history = run(tmp_path, 1)

    found = sorted(t.architecture.policy.keyframe_interval for t in history.complete)
    assert (found, len(history.drawn)) == ([1, 2, 3], 1)
    assert history.drawn[0].architecture.policy.keyframe_interval == 2


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("training.steps", "training: {steps: 9}\n"),
        ("target_fps", "target_fps: 30\n"),
        ("data.options.clips", "data: {options: {clips: 2}}\n"),
        ("latency.threads", "latency: {threads: 2}\n"),
        (
            "compression.post_training.calibration_frames",
            "compression: {post_training: {calibration_frames: 4}}\n",
        ),
    ],
)
def test_a_study_whose_settings_changed_is_refused_in_one_line_that_names_the_key(
    key: str, more: str, trials: FakeTrials, tmp_path: Path
) -> None:
    run(tmp_path, 1)

    with pytest.raises(SettingError, match=rf"^{key} of tiny is [^\n]*\. Restore that [^\n]*\Z"):
        run(tmp_path, 2, more=more)
    assert len(trials.tried) == 1


def test_another_search_space_is_refused(trials: FakeTrials, tmp_path: Path) -> None:
    run(tmp_path, 1)

    with pytest.raises(
        SettingError, match=r"^search_space.resolution of tiny is .*\. Restore that value"
    ):
        run(tmp_path, 2, space=SPACE.replace("[64, 96]", "[64, 128]"))


def test_another_sampler_or_budget_goes_on_with_the_study(
    trials: FakeTrials, tmp_path: Path
) -> None:
    run(tmp_path, 1)

    history = run(tmp_path, 2, more="sampler: {name: tpe, seed: 5}\ntrials: 7\n")

    assert len(history.complete) == 2


@pytest.mark.parametrize(
    ("maker", "age_s", "kept"),
    [
        (f".{socket.gethostname()}-{2**22 + 1}", 0, False),  # no process has this number
        (f".{socket.gethostname()}-{os.getpid()}", 7200, True),
        (".another.computer-1", 60, True),
        (".another.computer-1", 7200, False),
        ("", 0, False),  # of an earlier version
    ],
    ids=["dead", "alive", "elsewhere", "long ago", "unnamed"],  # the same in each process
)
def test_what_a_killed_process_left_half_made_is_removed_and_what_a_live_one_makes_is_not(
    maker: str, age_s: float, kept: bool, trials: FakeTrials, tmp_path: Path
) -> None:
    part = tmp_path / "tiny" / "networks" / f"0123456789ab{maker}.part"
    part.mkdir(parents=True)
    os.utime(part, (time.time() - age_s,) * 2)

    run(tmp_path, 1)

    assert part.exists() == kept


def test_a_second_process_is_refused(trials: FakeTrials, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()

    with (
        FileLock(tmp_path / "tiny" / "lock"),
        pytest.raises(SettingError, match=r"tiny is being searched by another process\. Wait"),
    ):
        run(tmp_path, 1)
    assert trials.tried == []


def test_the_lock_is_let_go_when_a_search_breaks(trials: FakeTrials, tmp_path: Path) -> None:
    trials.breaks = {1: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 1)

    assert numbers(run(tmp_path, 1)) == [1]


@pytest.mark.parametrize(
    ("mean_ms", "verdict"),
    [(40.0, "meets the target"), (40.1, "misses the target (mean 40.1 ms over 40.0 ms)")],
)
def test_the_line_about_a_trial_says_whether_it_meets_the_target(
    mean_ms: float, verdict: str, tmp_path: Path
) -> None:
    settings = tiny_study(tmp_path, "target_fps: 25")
    line = trial_words(result(7, ARCHITECTURE, mean_ms=mean_ms), settings)

    assert line.startswith("trial 7: ")
    assert f"{mean_ms:.1f} ms a frame (predicted), 0.0 % of frames dropped, worst frame" in line
    assert f" ms, {verdict}; network " in line
    assert "waiting" not in line


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("no_drops", "misses the target (30.0 % of frames dropped)"),
        ("every_frame", "misses the target (worst frame 90.0 ms over 40.0 ms)"),
        ("mean", "meets the target"),
    ],
)
def test_a_trial_that_drops_frames_misses_the_target_unless_the_mean_decides(
    rule: str, verdict: str, tmp_path: Path
) -> None:
    made = result(7, ARCHITECTURE, mean_ms=30.0)
    latency = dataclasses.replace(made.predicted, worst_ms=90.0, dropped_frames=0.3)
    settings = tiny_study(tmp_path, f"target_fps: 25\nfeasible: {rule}")

    line = trial_words(on_screen(made, latency=latency), settings)

    assert f"30.0 % of frames dropped, worst frame 90.0 ms, {verdict}; " in line


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "w.npz"), MachineError, "disk is full"),
        (RuntimeError("w.h5: No space left on device"), MachineError, "disk is full"),
        (DataError("a.png is missing. Copy it again."), DataError, "a.png is missing"),
        (FileNotFoundError(errno.ENOENT, "gone", "frames.npy"), SettingError, "does not exist"),
    ],
)
def test_a_fault_of_the_machine_ends_the_search_and_is_no_fault_of_the_architecture(
    fault: Exception, kind: type[Exception], words: str, trials: FakeTrials, tmp_path: Path
) -> None:
    trials.breaks = {2: fault, 3: fault}
    for _ in range(2):
        with pytest.raises(kind, match=words):
            run(tmp_path, 3)

    history = run(tmp_path, 2)

    assert (len(history.complete), history.failed) == (2, ())
    assert {canonical_json(each) for each in trials.tried[1:4]} == {canonical_json(trials.tried[1])}


def test_a_network_that_ends_the_process_twice_counts_as_failed(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.breaks = {2: Died(), 3: Died()}
    with monkeypatch.context() as dead:
        dead.setattr(Ledger, "note_stopped", lambda *_: None)
        for _ in range(2):
            with pytest.raises(Died):
                run(tmp_path, 3)

    history = run(tmp_path, 3)

    (failed,) = history.failed
    assert failed.architecture is not None
    assert failed.architecture.network == trials.tried[1] == trials.tried[2]
    assert failed.reason == "ended the process 2 times: a crash, or not enough memory"
    assert len(history.complete) == 3
    assert trials.tried[1] not in trials.tried[3:]


def test_a_user_may_interrupt_the_same_trial_as_often_as_he_likes(
    trials: FakeTrials, tmp_path: Path
) -> None:
    trials.breaks = dict.fromkeys(range(1, 5), KeyboardInterrupt())
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, 1)

    history = run(tmp_path, 1)

    assert history.failed == ()
    assert len(set(map(canonical_json, trials.tried))) == 1


def test_a_search_that_is_refused_for_other_data_stores_nothing_of_it(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(tmp_path, 1)
    install(monkeypatch, trials, ("sky", "road"))
    monkeypatch.setattr(loop, "made_from", lambda *_: {"train_fingerprint": "1"})

    with pytest.raises(SettingError, match="made_from"):
        run(tmp_path, 2)

    found = Ledger.find(tiny_study(tmp_path, "", SPACE), storage_url(tmp_path / "tiny"))
    assert found is not None
    assert found.history().class_names == before.class_names


def test_a_search_on_a_full_disk_ends_with_that_line_though_nothing_can_be_noted(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MachineError("study.db cannot be used: database or disk is full.")

    trials.breaks = {1: OSError(errno.ENOSPC, "No space left on device", "w.npz")}
    monkeypatch.setattr(Ledger, "note_stopped", full)

    with pytest.raises(MachineError, match=r"^w\.npz cannot be written: the disk is full\."):
        run(tmp_path, 1)


@pytest.mark.parametrize("name", ["tiny/lock", "tiny/study.db", "tiny/study.yaml", "tiny"])
def test_a_file_or_folder_where_the_state_should_be_is_named(
    name: str, trials: FakeTrials, tmp_path: Path
) -> None:
    place = tmp_path / name
    if name == "tiny":
        place.write_text("a file")
    else:
        (place / "inner").mkdir(parents=True)

    with pytest.raises((OSError, JejunetError), match=re.escape(name)) as caught:
        run(tmp_path, 1)

    fault = fault_of(caught.value)
    assert fault is not None
    assert fault.exit_code == 2
    assert re.search(rf"{place} .*folder", str(fault))
