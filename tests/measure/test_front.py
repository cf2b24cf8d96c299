"""A front is timed until every trial on it is, and no file or phone is mistaken for another."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.latency.measuring_plan import Protocol
from jejunet_nas.measure import front as measure
from jejunet_nas.measure.front import FrontTiming, graphs_at, time_files, time_front
from jejunet_nas.records import Latency, StudyHistory, TrialResult
from jejunet_nas.records.measurements import Measurement, PhoneInfo
from jejunet_nas.records.scores import Score
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.kept_measurements import kept, with_measured
from jejunet_nas.video.graphs import graph_files
from tests.reporting.build import history
from tests.search.build import result
from tests.search.measured import OTHER_PHONE, PHONE, measurement
from tests.space.build import ARCHITECTURE

TARGET_MS = 40.0  # of `history`


class FileMeter:
    """Takes the milliseconds that stand in a file, in the place of a phone where a test says so."""

    def __init__(self, phone: PhoneInfo = PHONE, **protocol: object) -> None:
        self.phone, self.info, self.runtime = self, phone, "benchmark_model 0123456789ab"
        self.protocol = dataclasses.replace(Protocol(), **protocol)  # type: ignore[arg-type]
        self.taken: list[str] = []
        self.doubts: tuple[str, ...] = ()

    def measure(self, graph: Path) -> Latency:
        return self.take(graph).latency

    def take(self, graph: Path) -> Measurement:
        self.taken.append(f"{graph.parent.name}/{graph.stem}")
        if graph.read_text() == "broken":
            raise DeviceError(f"{graph.stem} crashed")
        ms = float(graph.read_text())
        taken = measurement(ms, phone=self.info, unstable=self.doubts)
        return dataclasses.replace(taken, core_mask=self.protocol.core_mask or "f0")


@pytest.fixture
def on_phone(monkeypatch: pytest.MonkeyPatch) -> FileMeter:
    """A meter that passes for a phone's."""
    monkeypatch.setattr(measure, "PhoneMeter", FileMeter)
    return FileMeter()


def trial(number: int, miou: float, predicted_ms: float) -> TrialResult:
    network = dataclasses.replace(ARCHITECTURE.network, decoder_channels=16 * (number + 1))
    architecture = dataclasses.replace(ARCHITECTURE, network=network)
    made = result(number, architecture, mean_ms=predicted_ms)
    return dataclasses.replace(made, score=Score(miou=miou, class_iou=(miou,), clips=()))


def write_graphs(networks: Path, *trials: tuple[TrialResult, float]) -> None:
    for each, ms in trials:
        for file in graph_files(each.network, networks).values():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{ms}")


def timed(
    meter: FileMeter, networks: Path, *trials: TrialResult, again: bool = False
) -> tuple[FrontTiming, list[str]]:
    """Return the timing of the front of `trials`, and what was said."""
    said: list[str] = []
    phone = meter.info if isinstance(meter, measure.PhoneMeter) else None

    def read() -> StudyHistory:
        return with_measured(history(*trials), networks, phone=phone)

    return time_front(read, networks, meter, again=again, say=said.append), said


@pytest.mark.parametrize(
    ("there", "order"),
    [
        (["gate", "key", "propagate"], ["key", "propagate", "gate"]),
        (["b", "gate", "a", "key"], ["key", "gate", "a", "b"]),
        (["z", "keys"], ["keys", "z"]),
    ],
)
def test_a_folders_graphs_come_in_the_order_of_a_network(
    there: list[str], order: list[str], tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / f"{name}.tflite").touch()
    (tmp_path / "record.json").touch()

    assert [file.stem for file in graphs_at(tmp_path)] == order


def test_a_file_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "g.tflite").touch()

    assert graphs_at(tmp_path / "g.tflite") == [tmp_path / "g.tflite"]


def test_a_place_without_graphs_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"holds no \.tflite file; allowed: .* Check the path"):
        graphs_at(tmp_path)
    with pytest.raises(SettingError, match=r"no\.tflite is no file; allowed: .* Check the path"):
        graphs_at(tmp_path / "no.tflite")


def test_files_are_timed_in_their_order_and_told_one_by_one(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.tflite" for name in "ba"]
    for ms, file in enumerate(files, start=1):
        file.write_text(f"{ms}")
    told: list[tuple[str, int, int]] = []

    found = time_files(files, FileMeter(), lambda *words: told.append(words))

    assert [(file, latency.median_ms) for file, latency in found] == [(files[0], 1), (files[1], 2)]
    assert told == [("time b.tflite", 0, 2), ("time a.tflite", 1, 2)]


def test_a_front_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no trial of davis meets 25 fps, .*; allowed: a study"):
        timed(FileMeter(), tmp_path, trial(0, 0.5, TARGET_MS + 1))


def test_a_front_is_timed_until_all_on_it_are(tmp_path: Path, on_phone: FileMeter) -> None:
    best, second, third = trial(0, 0.7, 20.0), trial(1, 0.6, 21.0), trial(2, 0.5, 22.0)
    write_graphs(tmp_path, (best, 50.0), (second, 45.0), (third, 30.0))

    front, _ = timed(on_phone, tmp_path, best, second, third)

    assert [t.number for t in front_of(front.history)] == [2]
    assert [(t.trial.number, t.rank) for t in front.trials] == [(0, 1), (1, None), (2, None)]
    assert [t.stream.mean_ms for t in front.trials] == [50.0, 45.0, 30.0]
    assert len(front.graphs) == len(on_phone.taken) == 9


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 50), st.integers(1, 50)),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_is_measured_the_front_is_measured_in_the_end(
    trials: list[tuple[int, int, int]],
) -> None:
    made = [trial(n, miou / 10, float(ms)) for n, (miou, ms, _) in enumerate(trials)]
    if not front_of(history(*made)):
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(measure, "PhoneMeter", FileMeter)
        meter, networks = FileMeter(), Path(folder)
        write_graphs(
            networks, *((one, float(ms)) for one, (_, _, ms) in zip(made, trials, strict=True))
        )
        front, _ = timed(meter, networks, *made)

    assert len(meter.taken) == len(set(meter.taken)) == 3 * len(front.trials)
    assert all(t.measured is not None for t in front_of(front.history))
    assert [t.predicted for t in front.history.complete] == [t.predicted for t in made]


def test_a_meter_that_is_no_phone_times_the_front_as_it_stands(tmp_path: Path) -> None:
    best, beaten = trial(0, 0.7, 20.0), trial(1, 0.6, 21.0)
    write_graphs(tmp_path, (best, 50.0), (beaten, 30.0))

    front, said = timed(FileMeter(), tmp_path, best, beaten)

    assert [t.trial.number for t in front.trials] == [0]
    assert front.history == history(best, beaten)
    assert list(tmp_path.rglob("measured")) == []
    assert said == [f"timing network {best.network_id} of trial 0"]


def with_another_program() -> FileMeter:
    other = FileMeter()
    other.runtime = "benchmark_model ba9876543210"
    return other


@pytest.mark.parametrize(
    ("doubts", "next_meter", "taken"),
    [
        ((), FileMeter, 0),
        (("hot",), FileMeter, 3),
        ((), with_another_program, 3),
        ((), lambda: FileMeter(OTHER_PHONE), 3),
        ((), lambda: FileMeter(core_mask="f"), 3),
        ((), lambda: FileMeter(core_mask="f0"), 0),
        ((), lambda: FileMeter(threads=2), 3),
    ],
)
def test_only_what_was_measured_alike_and_without_doubt_counts(
    doubts: tuple[str, ...],
    next_meter: Callable[[], FileMeter],
    taken: int,
    tmp_path: Path,
    on_phone: FileMeter,
) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 25.0))
    on_phone.doubts = doubts
    timed(on_phone, tmp_path, only)

    second = next_meter()
    _, said = timed(second, tmp_path, only)

    assert len(second.taken) == taken
    assert any("--again measures it anew" in line for line in said) == (taken == 0)


def test_again_measures_all_of_it(tmp_path: Path, on_phone: FileMeter) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 25.0))
    timed(on_phone, tmp_path, only)
    write_graphs(tmp_path, (only, 30.0))

    front, _ = timed(on_phone, tmp_path, only, again=True)

    assert front.trials[0].stream.mean_ms == 30.0
    assert len(kept(tmp_path / only.network_id, threads=1)) == 1


def test_a_doubt_goes_with_the_trial(tmp_path: Path, on_phone: FileMeter) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 20.0))
    on_phone.doubts = ("the screen went off",)

    front, said = timed(on_phone, tmp_path, only)

    assert "key: the screen went off" in front.trials[0].stream.doubts
    assert said == [f"timing network {only.network_id} of trial 0"]  # within its interval


def breaks(networks: Path, trial: TrialResult) -> str:
    """Have no phone run the propagate graph of `trial`; return its network's name."""
    (networks / trial.network_id / "propagate.tflite").write_text("broken")
    return trial.network_id


def test_a_network_that_the_phone_cannot_run_is_named_and_the_others_are_measured(
    tmp_path: Path, on_phone: FileMeter
) -> None:
    broken, good = trial(0, 0.7, 30.0), trial(1, 0.6, 20.0)
    write_graphs(tmp_path, (broken, 30.0), (good, 25.0))
    name = breaks(tmp_path, broken)

    front, said = timed(on_phone, tmp_path, broken, good)

    assert f"network {name} stays predicted: propagate crashed" in said
    assert [t.trial.number for t in front.trials] == [1]
    assert {each.network_id for each in front.graphs} == {good.network_id}
    assert [t.latency.source for t in front.history.complete] == ["predicted", "measured"]


def test_a_phone_that_can_run_no_network_has_failed(tmp_path: Path, on_phone: FileMeter) -> None:
    only = trial(0, 0.7, 30.0)
    write_graphs(tmp_path, (only, 30.0))
    breaks(tmp_path, only)

    with pytest.raises(DeviceError, match="propagate crashed"):
        timed(on_phone, tmp_path, only)


def test_a_missing_graph_is_named_before_the_phone_is_used(
    tmp_path: Path, on_phone: FileMeter
) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 20.0))
    (tmp_path / only.network_id / "gate.tflite").unlink()

    with pytest.raises(
        SettingError, match=r"gate\.tflite does not exist; allowed: the graphs that .* Copy"
    ):
        timed(on_phone, tmp_path, only)
    assert on_phone.taken == []
