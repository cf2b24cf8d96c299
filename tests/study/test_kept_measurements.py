import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.files import sha256_of, write_whole
from jejunet_nas.records import FramePaths, Latency, StudyHistory, TrialResult, to_json
from jejunet_nas.records.measurements import NetworkMeasurement, PhoneInfo
from jejunet_nas.scoring.front import pareto_front
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.kept_measurements import (
    ignored_measurements,
    measured_trial,
    outside_interval,
    read_measurements,
    save_measurement,
    unmeasured,
    with_measured,
)
from jejunet_nas.study.screens import Screens
from jejunet_nas.video.graphs import graph_files
from tests.made_up import on_screen
from tests.search.build import result
from tests.search.measured import OTHER_PHONE, PHONE, measurement, network_measurement
from tests.space.build import ARCHITECTURE

TRIAL = result(0, ARCHITECTURE)
SCREENS = Screens(Path("nothing is kept here"), 24.0)


def network_folder(networks: Path, trial: TrialResult = TRIAL) -> Path:
    folder = networks / trial.network_id
    folder.mkdir(exist_ok=True)
    return folder


def other_architecture(decoder_channels: int) -> Architecture:
    network = dataclasses.replace(ARCHITECTURE.network, decoder_channels=decoder_channels)
    return dataclasses.replace(ARCHITECTURE, network=network)


def history(*trials: TrialResult) -> StudyHistory:
    return StudyHistory(
        study="tiny",
        dataset="procedural",
        class_names=("background", "object"),
        target_fps=24.0,
        device="Pixel 2",
        latency_source="measured",
        threads=1,
        complete=trials,
        refused=(),
        failed=(),
        duplicates=0,
    )


def two_networks() -> tuple[TrialResult, TrialResult]:
    return result(0, ARCHITECTURE), result(1, other_architecture(16))


def means_ms(history: StudyHistory) -> list[float | None]:
    """Return each trial's mean as measured, None where it is only predicted."""
    return [trial.measured and trial.measured.mean_ms for trial in history.complete]


def test_a_measurement_of_other_graphs_of_the_network_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / TRIAL.network_id
    folder.mkdir()
    taken = network_measurement(30.0)
    other = dataclasses.replace(taken.graphs["gate"], graph_sha256="1" * 64)
    save_measurement(NetworkMeasurement(graphs={**taken.graphs, "gate": other}), folder)

    found = with_measured(history(TRIAL), tmp_path)

    assert found.complete[0].measured is None
    assert found.phone is None


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    folder = network_folder(tmp_path)

    file = save_measurement(network_measurement(30.0), folder)

    assert file == folder / "measured" / f"{PHONE.serial_hash}-1.json"
    assert read_measurements(folder, threads=1) == [network_measurement(30.0)]
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    file = save_measurement(network_measurement(30.0), network_folder(tmp_path))
    found = []

    def write(beside: Path) -> None:
        beside.write_text(to_json(network_measurement(33.0, second=5)))
        found.extend(read_measurements(tmp_path / TRIAL.network_id, threads=1))

    write_whole(file, write)

    assert found == [network_measurement(30.0)]


def test_a_later_measurement_on_the_same_phone_takes_the_earliers_place(tmp_path: Path) -> None:
    folder = network_folder(tmp_path)
    save_measurement(network_measurement(30.0), folder)
    save_measurement(network_measurement(33.0, second=5), folder)

    assert read_measurements(folder, threads=1) == [network_measurement(33.0, second=5)]


def test_each_phone_has_its_measurement_the_oldest_first(tmp_path: Path) -> None:
    folder = network_folder(tmp_path)
    later, earlier = network_measurement(30.0, second=9), network_measurement(9.0, second=1)
    earlier = dataclasses.replace(
        earlier,
        graphs={
            name: dataclasses.replace(one, phone=OTHER_PHONE)
            for name, one in earlier.graphs.items()
        },
    )
    save_measurement(later, folder)
    save_measurement(earlier, folder)

    assert read_measurements(folder, threads=1) == [earlier, later]


def test_a_measurement_with_another_number_of_threads_does_not_count(tmp_path: Path) -> None:
    folder = network_folder(tmp_path)
    save_measurement(network_measurement(30.0, threads=4), folder)

    assert read_measurements(folder, threads=1) == []
    assert read_measurements(folder, threads=4) == [network_measurement(30.0, threads=4)]
    assert means_ms(with_measured(history(TRIAL), tmp_path)) == [None]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"graphs": {}}', "\udcff"])
def test_a_damaged_file_is_as_good_as_none(text: str, tmp_path: Path) -> None:
    folder = network_folder(tmp_path)
    save_measurement(network_measurement(30.0), folder).write_bytes(
        text.encode(errors="surrogateescape")
    )
    save_measurement(network_measurement(9.0, phone=OTHER_PHONE), folder)

    assert read_measurements(folder, threads=1) == [network_measurement(9.0, phone=OTHER_PHONE)]


def test_a_measurement_that_lacks_a_graph_counts_for_policies_that_do_not_run_it(
    tmp_path: Path,
) -> None:
    policies = (Policy(keyframe_interval=2, between_keyframes="reuse"), Policy(keyframe_interval=2))
    trials = [
        dataclasses.replace(TRIAL, architecture=dataclasses.replace(ARCHITECTURE, policy=p))
        for p in policies
    ]
    save_measurement(
        NetworkMeasurement(graphs={"key": measurement(30.0)}), network_folder(tmp_path)
    )

    reuses, propagates = with_measured(history(*trials), tmp_path).complete

    assert reuses.graph_latencies.key.median_ms == 30.0
    assert reuses.graph_latencies.gate == TRIAL.network.latencies.gate
    assert propagates.measured is None


def test_a_measurement_of_some_graphs_keeps_the_others_of_an_earlier_one(tmp_path: Path) -> None:
    folder = network_folder(tmp_path)
    save_measurement(network_measurement(30.0), folder)

    save_measurement(NetworkMeasurement(graphs={"key": measurement(40.0, second=1)}), folder)

    (found,) = read_measurements(folder, threads=1)
    assert {name: one.latency.median_ms for name, one in found.graphs.items()} == {
        "key": 40.0,
        "propagate": 15.0,
        "gate": 15.0,
    }


LATENCY = {"median_ms": 1.0, "low_ms": 1.0, "high_ms": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"latency": {"median_ms": -5.0}}, "median_ms is -5"),
        ({"latency": {name: 0.0 for name in LATENCY}}, "has 0 ms for key"),
        ({"latency": {name: 1e9 for name in LATENCY}}, r"has 1e\+09 ms for key"),
        ({"latency": {"median_ms": "fast"}}, r"graphs\.key\.latency\.median_ms: .*valid number"),
        ({"graph_sha256": "f" * 64}, r"measured on another graph than \S+key\.tflite"),
        ({"rounds": 10**40}, "too large a number"),
    ],
)
def test_a_figure_that_cannot_be_is_named_with_its_file_and_ignored(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    folder = network_folder(tmp_path)
    (folder / "key.tflite").write_bytes(b"graph")
    taken = network_measurement(30.0)
    key = dataclasses.replace(taken.graphs["key"], graph_sha256=sha256_of(folder / "key.tflite"))
    file = save_measurement(NetworkMeasurement(graphs={**taken.graphs, "key": key}), folder)
    assert ignored_measurements(history(TRIAL), tmp_path) == []
    plain = json.loads(file.read_text())
    for name, value in change.items():
        one = plain["graphs"]["key"]
        one[name] = {**one[name], **value} if isinstance(value, dict) else value
    file.write_text(json.dumps(plain))

    (line,) = ignored_measurements(history(TRIAL), tmp_path)

    assert re.search(rf"{re.escape(str(file))}.*{words}.* Remove it, or measure again", line), line
    assert means_ms(with_measured(history(TRIAL), tmp_path)) == [None]


def test_the_walk_decides_what_a_measurement_means_for_a_trial() -> None:
    walk = FramePaths.of("bear", ["key", "propagate", "reuse", "key"], [False, True, True, False])
    trial = on_screen(TRIAL, walks=(walk,))

    measured = measured_trial(trial, network_measurement(40.0), SCREENS).measured

    assert measured is not None
    assert measured.mean_ms == pytest.approx((40 + 40 + 20 + 40) / 4)  # the gate takes 20 ms
    assert (measured.worst_ms, measured.source, measured.doubts) == (40.0, "measured", ())


def test_the_prediction_stays_as_it_was() -> None:
    trial = measured_trial(TRIAL, network_measurement(30.0), SCREENS)

    assert (trial.latency.mean_ms, trial.latency.source) == (30.0, "measured")
    predicted = trial.network.latencies
    assert trial.graph_latencies == network_measurement(30.0).latencies_beside(predicted)
    assert trial.predicted == TRIAL.predicted
    assert trial.network == TRIAL.network
    assert measured_trial(trial, None, SCREENS) == TRIAL


def test_an_unstable_measurement_takes_its_doubts_along() -> None:
    unstable = network_measurement(30.0, unstable=("the screen went off",))

    trial = measured_trial(TRIAL, unstable, SCREENS)

    assert "key: the screen went off" in trial.latency.doubts


def test_a_study_without_a_measurement_is_as_it_was(tmp_path: Path) -> None:
    assert with_measured(history(*two_networks()), tmp_path) == history(*two_networks())


def test_a_measurement_goes_to_all_trials_of_its_network_and_to_no_other(tmp_path: Path) -> None:
    first, other = two_networks()
    again = dataclasses.replace(first, number=2)
    save_measurement(network_measurement(30.0), network_folder(tmp_path, first))

    read = with_measured(history(first, other, again), tmp_path)

    assert means_ms(read) == [30.0, None, 30.0]
    assert [trial.number for trial in read.complete] == [0, 1, 2]
    assert read.phone == "Google Pixel 2"


@pytest.mark.parametrize(
    ("asked", "means", "name"),
    [
        (None, [9.0, None], "Google Pixel 6"),  # that was used last
        (OTHER_PHONE, [9.0, None], "Google Pixel 6"),
        (PHONE, [30.0, 31.0], "Google Pixel 2"),
    ],
)
def test_the_figures_of_two_phones_are_never_mixed(
    asked: PhoneInfo | None, means: list[float | None], name: str, tmp_path: Path
) -> None:
    first, second = two_networks()
    save_measurement(network_measurement(30.0, second=1), network_folder(tmp_path, first))
    save_measurement(network_measurement(31.0, second=2), network_folder(tmp_path, second))
    save_measurement(
        network_measurement(9.0, phone=OTHER_PHONE, second=3), network_folder(tmp_path, first)
    )

    read = with_measured(history(first, second), tmp_path, phone=asked)

    assert (means_ms(read), read.phone) == (means, name)


def test_what_the_ledger_remembers_of_a_lost_file_is_not_mixed_in(tmp_path: Path) -> None:
    first, second = two_networks()
    on_an_unknown_phone = measured_trial(first, network_measurement(9.0), SCREENS)

    assert means_ms(with_measured(history(on_an_unknown_phone, second), tmp_path)) == [None, None]
    save_measurement(network_measurement(30.0), network_folder(tmp_path, second))
    assert means_ms(with_measured(history(on_an_unknown_phone, second), tmp_path)) == [None, 30.0]


def test_a_front_is_ranked_by_what_was_measured(tmp_path: Path) -> None:
    first, second = two_networks()
    better, worse = sorted((first, second), key=lambda trial: -trial.score.miou)
    predicted = history(better, dataclasses.replace(worse, number=7))
    save_measurement(network_measurement(50.0), network_folder(tmp_path, better))
    save_measurement(network_measurement(10.0), network_folder(tmp_path, worse))

    def on_front(read: StudyHistory) -> list[int]:
        points = [(trial.score.miou, trial.latency.mean_ms) for trial in read.complete]
        return [read.complete[index].number for index in pareto_front(points)]

    assert on_front(predicted) == [better.number]
    assert sorted(on_front(with_measured(predicted, tmp_path))) == sorted([better.number, 7])


@given(st.floats(0.01, 1000.0))
def test_a_line_is_said_just_where_a_graph_is_off_its_interval(ms: float) -> None:
    expected = Latency(median_ms=20.0, low_ms=19.0, high_ms=21.0, source="predicted", threads=1)
    assert TRIAL.network.latencies.key == expected
    figures = {"key": measurement(ms), "propagate": measurement(19.0), "gate": measurement(21.0)}

    lines = outside_interval(TRIAL.network, NetworkMeasurement(graphs=figures))

    assert len(lines) == (not 19.0 <= ms <= 21.0)
    assert all(
        line.startswith(f"key: measured {ms:.2f} ms, {ms / 20:.2f} of the ") for line in lines
    )


def test_unmeasured_networks_come_once_in_the_order_of_their_trials() -> None:
    first, second = two_networks()
    third = measured_trial(result(2, other_architecture(32)), network_measurement(9.0), SCREENS)

    names = [n.network_id for n in unmeasured([second, first, third, second])]

    assert names == [second.network_id, first.network_id]


def test_the_graphs_files_lie_in_the_networks_folder(tmp_path: Path) -> None:
    files = graph_files(TRIAL.network, tmp_path)

    folder = tmp_path / TRIAL.network_id
    assert files == {n: folder / f"{n}.tflite" for n in ("key", "propagate", "gate")}
