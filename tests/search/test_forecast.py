"""What is said before a search: the share, the budget and the end."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.search.forecast import Forecast, forecast_search, wilson
from jejunet_nas.search.loop import search
from jejunet_nas.search.pace import Budget, Pace, budget_of, pace_lines
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.search.build import NETWORKS, SPACE, FakeTrials, QuietView, install, tiny_study

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
        r"  9\d % of 1000 drawn networks can meet it with the best policy \(95 %: \d\d to 9\d\)",
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
    networks = Budget(left=left, seconds=seconds).networks(network_s)

    assert 0 <= networks <= left
    assert (networks - 1) * network_s < max(seconds, 1e-9) * (1 + 1e-9)


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
