import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from jejunet_nas.errors import DataError
from jejunet_nas.records import DataSplit, FramePaths, NetworkRecord, StudyHistory, TrialResult
from jejunet_nas.records.measurements import NetworkMeasurement, PhoneInfo
from jejunet_nas.search import closing as module
from jejunet_nas.search import phone as phone_module
from jejunet_nas.search.closing import Closing, still_to_measure
from jejunet_nas.search.lines import measured_words
from jejunet_nas.search.phone import open_phone
from jejunet_nas.search.phone_queue import FinishedNetwork
from jejunet_nas.study.interrupted import take_up_interrupted
from jejunet_nas.study.kept_measurements import (
    measured_trial,
    save_measurement,
    with_measured,
)
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.screens import Screens
from jejunet_nas.study.storage import storage_url
from tests.made_up import on_screen
from tests.search.build import QuietView, result, tiny_study
from tests.search.measured import OTHER_PHONE, PHONE, network_measurement
from tests.space.build import ARCHITECTURE
from tests.study.test_ledger import begin

ADB = "latency: {backend: adb}\n"


class Queue:
    """Replaces `PhoneQueue`: a submitted network finishes when the test says so."""

    def __init__(self, networks: Path, phone: PhoneInfo = PHONE) -> None:
        self.networks, self.phone = networks, phone
        self.submitted: list[str] = []
        self.away = False
        self.last_minute: Callable[[], None] = lambda: None  # happens while `finish` waits
        self._done: list[FinishedNetwork] = []

    def submit(self, network: NetworkRecord) -> None:
        self.submitted.append(network.network_id)

    def measure(self, result: TrialResult, key_ms: float = 30.0) -> None:
        """Finish the network of `result`."""
        folder = self.networks / result.network_id
        folder.mkdir(parents=True, exist_ok=True)
        taken = network_measurement(key_ms, phone=self.phone)
        save_measurement(taken, folder)
        self._finish(result, taken)

    def fail(self, result: TrialResult) -> None:
        self._finish(result, None)

    def _finish(self, result: TrialResult, measurement: NetworkMeasurement | None) -> None:
        self._done.append(FinishedNetwork(network_id=result.network_id, measurement=measurement))

    def done(self) -> list[FinishedNetwork]:
        found, self._done = self._done, []
        return found

    def left(self) -> int:
        return len(self.submitted)

    def finish(self, tell: Callable[[int], None]) -> int:
        tell(self.left())
        self.last_minute()
        return self.left() if self.away else 0


class Study:
    """A study whose trials are closed by hand."""

    def __init__(self, folder: Path, phone: PhoneInfo | None = PHONE) -> None:
        settings = tiny_study(folder, ADB if phone else "")
        self.folder, self.view = folder, QuietView()
        self.networks = folder / "networks"
        self.ledger = Ledger(settings, storage_url(folder))
        self.queue = Queue(self.networks, phone or PHONE)
        self.closing = Closing(
            self.ledger,
            self.queue if phone else None,  # type: ignore[arg-type]
            self.networks,
            self.view,
            self.open_val,
        )

    def open_val(self) -> DataSplit:
        raise DataError("the clips are missing")

    def draw(self, **choices: Any) -> tuple[optuna.Trial, TrialResult]:
        """Begin a trial, and have its result; each of its choices is another network."""
        trial, architecture = begin(self.ledger, **choices)
        return trial, result(trial.number, architecture)

    def close(self, **choices: Any) -> TrialResult:
        trial, drawn = self.draw(**choices)
        self.closing.close(trial, [drawn])
        return drawn

    def told(self) -> list[float | None]:
        """Return the ms a frame that Optuna was told of each trial, None of an open one."""
        study = optuna.load_study(study_name="tiny", storage=storage_url(self.folder))
        return [trial.values[1] if trial.values else None for trial in study.trials]

    def results(self) -> list[tuple[int, float]]:
        return [(each.number, each.latency.mean_ms) for each in self.closing.results]

    def history(self) -> StudyHistory:
        return with_measured(self.ledger.history(), self.networks)


NETWORK_0 = {"resolution": 64, "decoder_channels": 8, "depth_multiplier": 0.25}
NETWORK_1 = {"resolution": 96, "decoder_channels": 8, "depth_multiplier": 0.25}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_without_a_phone_a_trial_is_closed_at_once_as_predicted(tmp_path: Path) -> None:
    study = Study(tmp_path, phone=None)

    study.close()
    study.closing.collect()
    study.closing.settle()

    assert study.told() == [20.0]
    assert study.view.lines == []


def test_a_trial_waits_until_its_network_is_measured_and_is_told_with_that(study: Study) -> None:
    drawn = study.close()
    assert (study.told(), study.results()) == ([None], [(0, 20.0)])
    assert study.queue.submitted == [drawn.network_id]

    study.queue.measure(drawn)
    study.closing.collect()

    assert (study.told(), study.results()) == ([30.0], [(0, 30.0)])
    assert study.ledger.history().complete[0].latency.source == "measured"
    assert len(study.view.lines) == 1
    assert study.view.lines[0].startswith("trial 0: measured 30.0 ms a frame, 1.50 of the predict")


def test_trials_are_closed_in_the_order_in_which_they_are_measured(study: Study) -> None:
    first, second = study.close(**NETWORK_0), study.close(**NETWORK_1)

    study.queue.measure(second, 31.0)
    study.closing.collect()
    assert (study.told(), study.results()) == ([None, 31.0], [(0, 20.0), (1, 31.0)])

    study.queue.measure(first, 30.0)
    study.closing.collect()
    assert (study.told(), study.results()) == ([30.0, 31.0], [(0, 30.0), (1, 31.0)])
    assert [trial.number for trial in study.history().complete] == [0, 1]


def test_all_trials_of_a_network_are_closed_by_its_one_measurement(study: Study) -> None:
    first = study.close(**NETWORK_0, keyframe_interval=1)
    study.close(**NETWORK_0, keyframe_interval=2)

    study.queue.measure(first)
    study.closing.collect()

    assert study.told() == [30.0, 30.0]


def test_a_trial_whose_network_was_measured_before_is_closed_at_once(study: Study) -> None:
    study.queue.measure(study.close(**NETWORK_0, keyframe_interval=1))

    study.close(**NETWORK_0, keyframe_interval=2)

    assert study.told() == [None, 30.0]  # the first is seen to at the next opportunity
    assert len(study.queue.submitted) == 1


def test_a_network_told_twice_is_announced_once_a_trial(study: Study) -> None:
    drawn = study.close()
    for _ in range(2):
        study.queue.measure(drawn)
        study.closing.collect()

    assert len(study.view.lines) == 1


def test_a_network_measured_while_its_next_trial_is_held_closes_that_one_too(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study.close(**NETWORK_0, keyframe_interval=1)
    hold = study.ledger.hold

    def hold_and_measure(trial: optuna.Trial, result: TrialResult) -> None:
        hold(trial, result)
        if result.number == 1 and result.measured is None:
            study.queue.measure(first)  # between looking for its file and submitting it

    monkeypatch.setattr(study.ledger, "hold", hold_and_measure)
    study.close(**NETWORK_0, keyframe_interval=2)

    assert study.told() == [30.0, 30.0]


def test_a_measurement_on_another_phone_does_not_close_a_trial(study: Study) -> None:
    trial, drawn = study.draw()
    Queue(study.networks, OTHER_PHONE).measure(drawn)

    study.closing.close(trial, [drawn])

    assert study.told() == [None]
    assert study.queue.submitted == [drawn.network_id]


def test_while_the_phone_is_away_trials_are_closed_as_predicted(study: Study) -> None:
    first = study.close(**NETWORK_0)
    study.queue.away = True
    second = study.close(**NETWORK_1)

    assert study.told() == [20.0, 20.0]
    assert {t.latency.source for t in study.history().complete} == {"predicted"}
    assert study.queue.submitted == [first.network_id, second.network_id]


def test_what_is_measured_after_its_trial_was_closed_is_laid_over_it(study: Study) -> None:
    drawn = study.close()
    study.queue.away = True
    study.closing.collect()
    study.queue.away = False

    study.queue.measure(drawn)
    study.closing.collect()

    assert (study.told(), study.results()) == ([20.0], [(0, 30.0)])
    assert study.history().complete[0].latency.mean_ms == 30.0
    assert len(study.view.lines) == 1


def test_what_was_measured_before_the_phone_went_away_is_told_as_measured(study: Study) -> None:
    first, _ = study.close(**NETWORK_0), study.close(**NETWORK_1)
    study.queue.measure(first)
    study.queue.away = True

    study.closing.collect()

    assert study.told() == [30.0, 20.0]


def test_what_is_measured_while_it_is_asked_for_is_not_told_as_predicted(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = study.close()
    done = study.queue.done

    def done_just_before() -> list[FinishedNetwork]:
        found = done()
        study.queue.measure(drawn)
        study.queue.away = True
        return found

    monkeypatch.setattr(study.queue, "done", done_just_before)
    study.closing.collect()
    assert study.told() == [None]
    study.closing.collect()
    assert study.told() == [30.0]


def test_a_trial_whose_network_the_phone_cannot_run_is_closed_as_predicted(study: Study) -> None:
    study.queue.fail(study.close())

    study.closing.collect()

    assert (study.told(), study.results()) == ([20.0], [(0, 20.0)])
    assert study.history().complete[0].latency.source == "predicted"
    assert study.view.lines == []  # the thread said why


def test_settling_waits_for_the_last_measurement(study: Study) -> None:
    drawn = study.close()
    study.queue.last_minute = lambda: study.queue.measure(drawn)

    study.closing.settle()

    assert study.told() == [30.0]


def test_settling_closes_the_last_though_its_network_failed(study: Study) -> None:
    drawn = study.close()
    study.queue.last_minute = lambda: study.queue.fail(drawn)

    study.closing.settle()

    assert study.told() == [20.0]
    assert study.view.lines == []


def test_settling_says_how_many_stay_predicted(study: Study) -> None:
    study.close()

    def leave() -> None:
        study.queue.away = True

    study.queue.last_minute = leave
    study.closing.settle()

    assert study.told() == [20.0]
    assert study.view.lines == [
        "1 network(s) stay predicted, since the phone is away. To measure them, run the same "
        "command when it is back"
    ]


def test_what_earlier_runs_left_unmeasured_is_submitted_once_a_network(tmp_path: Path) -> None:
    earlier = Study(tmp_path)
    earlier.queue.away = True
    first = earlier.close(**NETWORK_0, keyframe_interval=1)
    earlier.close(**NETWORK_0, keyframe_interval=2)
    earlier.queue.away = False
    measured = earlier.close(**NETWORK_1)
    earlier.queue.measure(measured)
    earlier.closing.settle()

    later = Study(tmp_path)

    assert later.results() == [(0, 20.0), (1, 20.0), (2, 30.0)]
    assert later.queue.submitted == [first.network_id]
    later.queue.measure(first, 25.0)
    later.closing.settle()
    assert later.results() == [(0, 25.0), (1, 25.0), (2, 30.0)]
    assert later.told() == [20.0, 20.0, 30.0]  # what the sampler was told stays
    assert [t.latency.mean_ms for t in later.history().complete] == [25.0, 25.0, 30.0]


def test_another_phone_measures_all_networks_again_and_no_figures_are_mixed(tmp_path: Path) -> None:
    earlier = Study(tmp_path)
    results = [earlier.close(**NETWORK_0), earlier.close(**NETWORK_1)]
    for each in results:
        earlier.queue.measure(each)
    earlier.closing.settle()

    later = Study(tmp_path, OTHER_PHONE)

    assert later.results() == [(0, 20.0), (1, 20.0)]
    assert later.queue.submitted == [each.network_id for each in results]


def test_an_interrupted_search_leaves_its_held_trials_to_the_next(tmp_path: Path) -> None:
    dead = Study(tmp_path)
    first, second = dead.close(**NETWORK_0), dead.close(**NETWORK_1)
    dead.queue.measure(first)  # kept, and the process died before it was collected

    ledger = Ledger(tiny_study(tmp_path, ADB), storage_url(tmp_path))
    again = take_up_interrupted(
        ledger,
        lambda result: module.newest_measured(
            result, dead.networks, ledger.settings, Screens(dead.networks, 24.0)
        ),
    )
    later = Study(tmp_path)

    assert again == 0
    assert later.told() == [30.0, 20.0]
    assert later.queue.submitted == [second.network_id]


@pytest.mark.parametrize(
    ("more", "measured", "still"),
    [("", False, False), (ADB, False, True), (ADB, True, False)],
)
def test_a_study_that_measures_is_done_when_all_is_measured(
    more: str, measured: bool, still: bool, tmp_path: Path
) -> None:
    settings = tiny_study(tmp_path, more)
    history = Ledger(settings, storage_url(tmp_path)).history()
    trial = measured_trial(
        result(0, ARCHITECTURE),
        network_measurement(9.0) if measured else None,
        Screens(tmp_path, 24.0),
    )

    assert not still_to_measure(settings, history)
    assert still_to_measure(settings, dataclasses.replace(history, complete=(trial,))) == still


@pytest.mark.parametrize(
    ("ms", "verdict"),
    [(40.0, "meets the target"), (40.1, "misses the target (mean 40.1 ms over 40.0 ms)")],
)
def test_the_line_about_a_measured_trial_compares_it_with_prediction_and_target(
    ms: float, verdict: str, tmp_path: Path
) -> None:
    unstable = network_measurement(ms, unstable=("the screen went off",))
    measured = measured_trial(result(7, ARCHITECTURE), unstable, Screens(tmp_path, 25.0))
    line = measured_words(measured, tiny_study(tmp_path, "target_fps: 25"))

    assert line.startswith(f"trial 7: measured {ms:.1f} ms a frame, 2.0")
    assert f"of the predicted 20.0; {verdict}" in line
    assert f"0.0 % of frames dropped, worst frame {ms:.1f} ms; " in line
    assert "; unstable: key: the screen went off; " in line


def test_a_measurement_that_shows_other_masks_does_not_count_before_they_are_scored(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = (FramePaths(clip="bear", letters="kkkkk"),)  # no still picture
    trial, drawn = study.draw()
    drawn = on_screen(drawn, walks=video)

    study.closing.close(trial, [drawn])
    study.queue.measure(drawn, 90.0)
    study.closing.settle()

    assert study.results() == [(0, 20.0)]
    assert study.told() == [20.0]
    assert study.history().unscored == (0,)
    (line,) = study.view.lines
    assert line.startswith("trial 0 cannot be scored with its measured latency: ")


def test_a_study_that_only_predicts_opens_no_phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_module, "Phone", None)

    with open_phone(tiny_study(tmp_path), tmp_path, QuietView()) as phone:
        assert phone is None
