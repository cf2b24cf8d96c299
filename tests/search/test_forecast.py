"""What is said before a search: the share, the budget and the end."""

import dataclasses
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import TrialResult, as_added
from jejunet_nas.search.forecast import Forecast, forecast_search, wilson
from jejunet_nas.search.loop import search
from jejunet_nas.search.pace import Budget, EndTime, Pace, budget_of, pace_lines, pace_of
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.reporting.build import history, trial
from tests.search.build import NETWORKS, SPACE, FakeTrials, QuietView, install, tiny_study

PLAIN = trial(3, 0.4, 10.0)
NOON = datetime(2024, 5, 6, 12, 0)
PACE = Pace(network_s=300.0, networks=19, study="davis")
STUDIES = Path(__file__).parents[2] / "studies"


def forecast(settings: StudySettings) -> Forecast:
    return forecast_search(settings, None, None)


def test_a_forecast_is_a_dozen_lines_for_80_columns_with_the_interval_of_its_sample() -> None:
    lines = forecast(read_study(STUDIES / "davis_pixel2.yaml")).lines(NOON)

    assert len(lines) <= 12
    assert max(map(len, lines)) <= 80
    assert re.match(
        r"  9\d % of \d+ drawn networks can meet it with the best policy \(95 %: \d\d to 9\d\)",
        lines[2],
    )


def test_a_long_list_of_resolutions_is_shown_from_the_first_to_the_last(tmp_path: Path) -> None:
    sides = ", ".join(f"{height}x96" for height in range(128, 128 + 32 * 20, 32))
    settings = tiny_study(tmp_path, "", SPACE.replace("[64, 96]", f"[{sides}]"))

    lines = forecast(settings).lines(NOON)

    row = next(line for line in lines if line.startswith("  resolution"))
    assert row.split()[1] == "128x96"
    assert row.split()[-1] == "736x96"
    assert max(map(len, lines)) <= 80


def test_the_share_of_a_whole_space_has_no_interval(tmp_path: Path) -> None:
    lines = forecast(tiny_study(tmp_path)).lines(NOON)

    assert lines[2] == f"  100 % of all {NETWORKS} networks can meet it with the best policy"


@given(st.integers(1, 2000), st.data())
def test_the_interval_of_a_share_holds_it(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))

    low, high = wilson(hits, count)

    assert 0 <= low <= hits / count <= high <= 1
    assert low < high


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(left=38, seconds=None), "38 networks left to train; end: about 15:10, in 3.2 h"),
        (
            Budget(left=38, seconds=3600.0),
            "60 min buy about 12 of the 38 networks left to train; end: about 13:00, in 60 min",
        ),
        (Budget(left=1, seconds=7200.0), "1 network left to train; end: about 12:05, in 5 min"),
        (Budget(left=300, seconds=None), "; end: about Tue 7 May 2024 13:00, in 25.0 h"),
    ],
)
def test_the_pace_says_what_the_budget_buys_and_the_end(budget: Budget, words: str) -> None:
    taken, bought = pace_lines(PACE, budget, NOON)

    assert taken == "  5 min a network (19 networks of davis)"
    assert words in bought


def test_the_last_round_is_announced_and_the_networks_leave_it_a_quarter_of_the_time(
    tmp_path: Path,
) -> None:
    settings = tiny_study(tmp_path, "trials: 40\nlast_round: {seeds: 3}\n")

    unlimited, limited = (
        pace_lines(PACE, budget_of(settings, drawn=2, seconds=seconds), NOON)
        for seconds in (None, 3600.0)
    )

    assert unlimited[1:] == [
        "  38 networks left to train; last round: about 15:10, in 3.2 h",
        "  last round: at most 8 trainings with other seeds",
    ]
    assert limited[1:] == [
        "  45 min buy about 9 of the 38 networks left to train; last round: about 12:45, in 45 min",
        "  last round: at most 8 trainings with other seeds, 15 min are kept for it",
    ]


@given(st.integers(1, 1_000_000), st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_budget_buys_no_network_that_begins_after_it(
    left: int, seconds: float, network_s: float
) -> None:
    pace = dataclasses.replace(PACE, network_s=network_s)
    networks = Budget(left=left, seconds=seconds).networks(pace)

    assert 0 <= networks <= left
    assert (networks - 1) * network_s < max(seconds, 1e-9) * (1 + 1e-9)


@given(st.integers(1, 8), st.integers(1, 9), st.integers(0, 9), st.integers(0, 500))
def test_a_time_budget_buys_the_networks_that_a_simulated_search_with_rungs_begins_in_it(
    size: int, brief_s: int, further_s: int, seconds: int
) -> None:
    now_s, begun = 0, 0
    while now_s < seconds:
        begun, now_s = begun + 1, now_s + brief_s
        if begun % size == 0:
            now_s += further_s * size
    network_s = brief_s + further_s
    pace = dataclasses.replace(PACE, network_s=network_s, first_share=brief_s / network_s)

    bought = Budget(left=10_000, seconds=seconds, round=size, first_steps=40).networks(pace)

    assert abs(bought - begun) <= 1  # where a network begins as the time ends, floats decide


def test_with_rungs_the_networks_of_the_first_and_those_trained_on_are_said() -> None:
    budget = Budget(left=38, seconds=3900.0, round=6, first_steps=40)
    pace = dataclasses.replace(PACE, first_share=0.4, trained_on=1 / 3)

    known, unknown = (pace_lines(each, budget, NOON) for each in (pace, None))

    assert known[1:] == [
        "  65 min buy about 15 of the 38 networks left to train; end: about 13:15, in 75 min",
        "  first rung (40 steps): 2 min a network; of 15 networks about 5 are trained on",
    ]
    assert unknown == [
        "  38 networks left to train, none begins after 13:05; end: known after the first 6",
    ]


def test_the_pace_is_learnt_from_networks_of_the_first_rung_and_above_it() -> None:
    def taken(number: int, steps: int, seconds: float) -> TrialResult:
        done = trial(number, 0.5, 20.0)
        training = dataclasses.replace(done.network.training, steps=steps)
        network = dataclasses.replace(done.network, training=training)
        return dataclasses.replace(done, network=network, stage_s={"train": seconds})

    trials = [taken(0, 40, 50.0), taken(1, 40, 70.0), taken(2, 400, 240.0), as_added(PLAIN)]
    study = dataclasses.replace(history(*trials), spent_s={0: 60.0, 1: 84.0, 2: 288.0})

    pace, plain = (pace_of(study, rungs) for rungs in ((40,), ()))

    assert pace is not None
    assert (pace.network_s, pace.networks) == (144.0, 3)
    assert pace.first_s == pytest.approx(72.0)  # 60 s in stages, and as much more as all have
    assert pace.trained_on == pytest.approx(1 / 3)
    assert plain == Pace(network_s=144.0, networks=3, study="davis")


def test_the_time_left_does_not_grow_while_a_round_is_under_way(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path, "trials: 12\ntraining: {steps: 9, rungs: [3]}\n")
    end = EndTime(settings, [].append)
    assert end.left_s(0.0) is None

    end.look(
        [trial(n, 0.5, 20.0) for n in range(6)], 60.0, budget_of(settings, drawn=6, seconds=None)
    )

    assert [end.left_s(spent_s) for spent_s in (60.0, 75.0, 900.0)] == [60.0, 45.0, 0.0]


def test_before_a_network_the_end_is_not_known() -> None:
    assert pace_lines(None, Budget(left=4, seconds=1800.0), NOON) == [
        "  4 networks left to train, none begins after 12:30; end: known after the first 2"
    ]
    assert pace_lines(PACE, Budget(left=0, seconds=None), NOON) == ["  no network is left to train"]


def test_a_study_with_the_same_data_and_training_lends_its_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, FakeTrials())
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "studies"
    folder.mkdir()
    search(tiny_study(folder, "trials: 3\n"), folder / "tiny", QuietView())
    again = tiny_study(folder, "trials: 3\n").model_copy(update={"name": "other"})
    steps = tiny_study(tmp_path, "training: {steps: 9}\n").model_copy(update={"name": "other"})

    lent, alone = forecast(again).pace, forecast(steps).pace

    assert lent is not None
    assert (lent.study, alone) == ("tiny", None)
    assert 0 < lent.network_s < 60


def test_the_end_in_json_is_the_time_that_is_said(tmp_path: Path) -> None:
    found = forecast(tiny_study(tmp_path, "trials: 5\n"))
    known = Forecast(
        study=found.study, aim=found.aim, found=found.found, budget=found.budget, pace=PACE
    )

    plain = known.as_json(NOON)

    assert plain["networks_bought"] == plain["networks_left"] == 5
    assert plain["ends"] == (NOON + timedelta(minutes=25)).isoformat(timespec="minutes")
    assert "about 12:25, in 25 min" in known.lines(NOON)[-1]
