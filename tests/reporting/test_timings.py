"""Timings as JSON for programs and as tables for people, none of whose words is cut."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from jejunet_nas.latency.benchmark_model import OperatorTime
from jejunet_nas.records import Latency, LatencySource, StreamLatency
from jejunet_nas.records.measurements import GraphTiming, TrialTiming
from jejunet_nas.records.words import source_words
from jejunet_nas.reporting.timings import (
    files_json,
    files_table,
    front_json,
    front_table,
    graphs_table,
    operators_table,
)
from tests.reporting.build import history, trial


def latency(ms: float, source: LatencySource = "measured", runs: int = 50) -> Latency:
    return Latency(
        median_ms=ms, low_ms=0.9 * ms, high_ms=1.1 * ms, source=source, threads=2, runs=runs
    )


def shown(table: Table, width: int = 260) -> list[list[str]]:
    """Return the words of each row, its header left out."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()[1:]]


def timing(
    number: int,
    miou: float,
    ms: float,
    *,
    rank: int | None = 1,
    source: LatencySource = "measured",
    doubts: tuple[str, ...] = (),
) -> TrialTiming:
    """A trial, predicted at 20 ms, whose stream took `ms`."""
    stream = StreamLatency(
        mean_ms=ms,
        worst_ms=2 * ms,
        every_frame=False,
        dropped_frames=0.0,
        source=source,
        doubts=doubts,
    )
    made = trial(number, miou, 20.0)
    if source == "measured":
        measured = dataclasses.replace(made.on_prediction, latency=stream)
        made = dataclasses.replace(made, on_measurement=measured)
    return TrialTiming(trial=made, rank=rank, stream=stream, graphs_source=source)


def test_files_are_told_with_seven_keys_each() -> None:
    plain = files_json([(Path("a b.tflite"), latency(2.0)), (Path("c"), latency(1.0))])

    assert [*plain] == ["graphs"]
    assert plain["graphs"][0] == {
        "file": "a b.tflite",
        "median_ms": 2.0,
        "low_ms": 1.8,
        "high_ms": 2.2,
        "source": "measured",
        "threads": 2,
        "runs": 50,
    }
    assert plain["graphs"][1]["file"] == "c"


def test_a_prediction_has_no_runs_to_show() -> None:
    rows = shown(files_table([(Path("f/g.tflite"), latency(2.0, "predicted", runs=0))]))

    assert rows == [["g.tflite", "2.00", "1.80", "2.20", "predicted", "2", "-"]]


@pytest.mark.parametrize("width", [260, 80, 60])
def test_no_letter_of_a_name_is_lost_however_narrow_the_page(width: int) -> None:
    names = [f"{'long_' * 20}{end}.tflite" for end in ("one", "two")]

    rows = shown(files_table([(Path(name), latency(2.0)) for name in names]), width)

    text = "".join(row[0] for row in rows)
    assert text == "".join(names)


def graph_timing(ms: float, source: LatencySource = "measured") -> GraphTiming:
    return GraphTiming(
        network_id="0123456789ab",
        graph="key",
        file=Path("key.tflite"),
        latency=latency(ms, source),
        predicted=latency(20.0, "predicted", runs=0),
    )


@pytest.mark.parametrize(
    ("ms", "source", "outside"),
    [
        (18.0, "measured", False),
        (22.0, "measured", False),
        (22.1, "measured", True),
        (17.9, "measured", True),
        (90.0, "host", False),  # says nothing of the prediction
    ],
)
def test_a_measurement_outside_of_what_was_predicted_is_marked(
    ms: float, source: LatencySource, outside: bool
) -> None:
    (row,) = shown(graphs_table([graph_timing(ms, source)]))

    assert row[:3] == ["0123456789ab", "key", f"{ms:.2f}"]
    assert row[7] == f"{ms / 20:.2f}"
    assert (row[8:] == ["outside", "the", "interval"]) == outside


def test_a_front_is_told_graph_by_graph_and_trial_by_trial() -> None:
    best, other = timing(0, 0.7, 30.0), timing(1, 0.6, 25.0, doubts=("key: hot",))
    study = history(best.trial, other.trial)

    plain = front_json(study, [graph_timing(18.0)], [best, other])

    assert [*plain] == ["study", "graphs", "trials", "front"]
    assert plain["front"] == [0, 1]
    assert plain["graphs"][0]["predicted_ms"] == 20.0
    assert plain["graphs"][0]["network_id"] == "0123456789ab"
    assert plain["trials"][1] == {
        "trial": 1,
        "network_id": "000000000001",
        "miou": 0.6,
        "own_frame_miou": 0.61,
        "mean_ms": 25.0,
        "worst_ms": 50.0,
        "sustained_fps": 40.0,
        "every_frame": False,
        "dropped_frames_pct": 0.0,
        "source": "measured",
        "unstable": ["key: hot"],
        "predicted_ms": 20.0,
    }


def test_trials_stand_as_they_are_ranked_now_with_the_rank_before() -> None:
    left, came, stayed = (
        timing(0, 0.7, 90.0, rank=1),
        timing(1, 0.6, 30.0, rank=None),
        timing(2, 0.5, 20.0, rank=2),
    )

    rows = shown(front_table(history(left.trial, came.trial, stayed.trial), [left, came, stayed]))

    assert [row[:3] for row in rows] == [["1", "-", "1"], ["2", "2", "2"], ["off", "1", "0"]]
    assert rows[0][3:8] == ["60.0", "61.0", "30.0", "(measured)", "20.0"]
    assert rows[0][8:12] == ["1.50", "33.3", "60.0", "0.0"]


def test_an_unstable_trial_is_marked() -> None:
    doubtful = timing(0, 0.7, 30.0, doubts=("key: hot",))

    (row,) = shown(front_table(history(doubtful.trial), [doubtful]))

    assert row[5:8] == ["30.0", "(measured,", "unstable)"]


def test_a_stream_whose_motion_is_predicted_is_not_called_measured() -> None:
    found = timing(0, 0.7, 30.0)
    stream = dataclasses.replace(found.stream, source="predicted")
    streamed = dataclasses.replace(found.trial.on_prediction, latency=stream)
    made = dataclasses.replace(found.trial, on_measurement=streamed)
    found = dataclasses.replace(found, trial=made, stream=stream)

    (row,) = shown(front_table(history(made), [found]))
    plain = front_json(history(made), [], [found])["trials"][0]

    assert " ".join(row[3:10]) == "70.0 71.0 30.0 (graphs measured, motion predicted)"
    assert (plain["miou"], plain["source"]) == (0.7, "predicted")
    assert source_words(made) == "graphs measured, motion predicted, 1.50 of predicted"


def test_this_computers_times_make_no_frames_a_second() -> None:
    here = timing(0, 0.7, 3.0, source="host")

    (row,) = shown(front_table(history(here.trial), [here]))
    plain = front_json(history(here.trial), [], [here])["trials"][0]

    assert row[3:12] == ["-", "71.0", "3.0", "(host)", "20.0", "0.15", "-", "-", "-"]
    unknown = ("miou", "sustained_fps", "every_frame", "dropped_frames_pct")
    assert [plain[figure] for figure in unknown] == [None] * 4


def test_a_trial_that_is_not_scored_with_its_measured_latency_has_no_mIoU_of_the_screen() -> None:
    waiting = timing(0, 0.7, 30.0)
    waiting = dataclasses.replace(waiting, trial=trial(0, 0.7, 20.0))

    (row,) = shown(front_table(history(waiting.trial), [waiting]))

    assert row[3:6] == ["-", "71.0", "30.0"]


def operator(kind: str, ms: float, *, inside: bool = False) -> OperatorTime:
    return OperatorTime(kind=kind, name="n", avg_ms=ms, share=ms / 10, inside_delegate=inside)


def test_operators_are_added_up_by_kind_the_dearest_first() -> None:
    operators = [operator("ADD", 1.0), operator("CONV_2D", 4.0), operator("CONV_2D", 3.0)]

    rows = shown(operators_table(Path("g.tflite"), operators))

    assert rows == [
        ["g.tflite", "CONV_2D", "2", "7.00", "70.0"],
        ["g.tflite", "ADD", "1", "1.00", "10.0"],
    ]
    assert shown(operators_table(Path("g.tflite"), operators, most=1)) == rows[:1]


def test_a_delegates_own_operators_stand_in_its_place() -> None:
    operators = [operator("TfLiteXNNPackDelegate", 9.0), operator("Conv", 8.0, inside=True)]

    assert [row[1] for row in shown(operators_table(Path("g"), operators))] == ["Conv"]
