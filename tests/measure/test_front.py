"""A front is timed until every trial on it is, and only like measurements are reused."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.measure.front import FrontTiming, time_front
from jejunet_nas.records import Latency, StudyHistory, TrialResult
from jejunet_nas.records.measurements import Core, Measurement, PhoneInfo
from jejunet_nas.records.scores import Score
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.kept_measurements import read_measurements
from jejunet_nas.video.graphs import graph_files
from tests.made_up import as_in, scored
from tests.reporting.build import history
from tests.search.build import result
from tests.search.measured import OTHER_PHONE, PHONE, measurement
from tests.space.build import ARCHITECTURE

TARGET_MS = 40.0  # of `history`


class FilePhone(PhoneMeter):
    """A fake phone: a graph takes the milliseconds that are in its file."""

    runtime = "benchmark_model 0123456789ab"  # type: ignore[assignment]

    def __init__(self, phone: PhoneInfo = PHONE, **plan: object) -> None:
        cores = tuple(Core(number=n, now_khz=1, limit_khz=1, max_khz=1 + n // 4) for n in range(8))
        state = SimpleNamespace(cores=cores, unread_cores=())
        self.phone = SimpleNamespace(info=phone, state=lambda: state)  # type: ignore[assignment]
        self.plan = dataclasses.replace(MeasuringPlan(), **plan)  # type: ignore[arg-type]
        self.taken: list[str] = []
        self.doubts: tuple[str, ...] = ()

    def take(self, graph: Path) -> Measurement:
        self.taken.append(f"{graph.parent.name}/{graph.stem}")
        if graph.read_text() == "broken":
            raise DeviceError(f"{graph.stem} crashed")
        ms, threads = float(graph.read_text()), self.plan.threads
        taken = measurement(ms, phone=self.phone.info, threads=threads, unstable=self.doubts)
        mask = self.plan.core_mask or "f0"
        return dataclasses.replace(taken, core_mask=mask, graph_sha256=sha256_of(graph))


class FileHost(LatencyMeter):
    """Takes the milliseconds that are in the file, and is no phone."""

    def measure(self, graph: Path) -> Latency:
        ms = float(graph.read_text())
        return Latency(median_ms=ms, low_ms=ms, high_ms=ms, source="host", threads=1, runs=1)


def trial(number: int, miou: float, predicted_ms: float) -> TrialResult:
    network = dataclasses.replace(ARCHITECTURE.network, decoder_channels=16 * (number + 1))
    architecture = dataclasses.replace(ARCHITECTURE, network=network)
    made = result(number, architecture, mean_ms=predicted_ms)
    return scored(made, Score(miou=miou, class_iou=(miou,), clips=()))


def write_graphs(networks: Path, *trials: tuple[TrialResult, float]) -> None:
    for each, ms in trials:
        for file in graph_files(each.network, networks).values():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{ms}")


def history_in(networks: Path, *trials: TrialResult) -> StudyHistory:
    """Return the history of `trials` of the graphs that are in `networks`."""
    return history(
        *(
            dataclasses.replace(each, network=as_in(networks / each.network_id, each.network))
            for each in trials
        )
    )


def timed(
    meter: LatencyMeter, networks: Path, *trials: TrialResult, again: bool = False
) -> tuple[FrontTiming, list[str]]:
    """Return the timing of the front of `trials`, and what was said."""
    said: list[str] = []
    found = history_in(networks, *trials)
    ledger = SimpleNamespace(history=lambda: found)

    return time_front(ledger, networks, meter, again=again, say=said.append), said  # type: ignore[arg-type]


def test_a_front_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no trial of davis meets 25 fps, .* empty\. Continue"):
        timed(FilePhone(), tmp_path, trial(0, 0.5, TARGET_MS + 1))


def test_a_front_is_timed_until_all_on_it_are(tmp_path: Path) -> None:
    best, second, third = trial(0, 0.7, 20.0), trial(1, 0.6, 21.0), trial(2, 0.5, 22.0)
    write_graphs(tmp_path, (best, 50.0), (second, 45.0), (third, 30.0))

    phone = FilePhone()
    front, _ = timed(phone, tmp_path, best, second, third)

    assert [t.number for t in front_of(front.history)] == [2]
    assert [(t.trial.number, t.rank) for t in front.trials] == [(0, 1), (1, None), (2, None)]
    assert [t.stream.mean_ms for t in front.trials] == [50.0, 45.0, 30.0]
    assert len(front.graphs) == len(phone.taken) == 9


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
    with tempfile.TemporaryDirectory() as folder:
        meter, networks = FilePhone(), Path(folder)
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

    front, said = timed(FileHost(), tmp_path, best, beaten)

    assert [t.trial.number for t in front.trials] == [0]
    assert front.history == history_in(tmp_path, best, beaten)
    assert list(tmp_path.rglob("measured")) == []
    assert said == [f"timing network {best.network_id} of trial 0"]


def with_another_program() -> FilePhone:
    other = FilePhone()
    other.runtime = "benchmark_model ba9876543210"
    return other


def test_figures_of_chosen_cores_do_not_stand_for_those_of_the_fastest(tmp_path: Path) -> None:
    only, fastest = trial(0, 0.7, 20.0), FilePhone()
    write_graphs(tmp_path, (only, 25.0))
    timed(FilePhone(core_mask="0f"), tmp_path, only)

    timed(fastest, tmp_path, only)

    assert len(fastest.taken) == 3


@pytest.mark.parametrize(
    ("doubts", "next_meter", "taken"),
    [
        ((), FilePhone, 0),
        (("hot",), FilePhone, 3),
        ((), with_another_program, 3),
        ((), lambda: FilePhone(OTHER_PHONE), 3),
        ((), lambda: FilePhone(core_mask="f"), 3),
        ((), lambda: FilePhone(core_mask="f0"), 0),
        ((), lambda: FilePhone(threads=2), 3),
    ],
)
def test_only_what_was_measured_alike_and_without_doubt_counts(
    doubts: tuple[str, ...],
    next_meter: Callable[[], FilePhone],
    taken: int,
    tmp_path: Path,
) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 25.0))
    first = FilePhone()
    first.doubts = doubts
    timed(first, tmp_path, only)

    second = next_meter()
    _, said = timed(second, tmp_path, only)

    assert len(second.taken) == taken
    assert any("use --again" in line for line in said) == (taken == 0)


def test_again_measures_all_of_it(tmp_path: Path) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 25.0))
    timed(FilePhone(), tmp_path, only)
    write_graphs(tmp_path, (only, 30.0))

    front, _ = timed(FilePhone(), tmp_path, only, again=True)

    assert front.trials[0].stream.mean_ms == 30.0
    assert len(read_measurements(tmp_path / only.network_id, threads=1)) == 1


def test_a_doubt_goes_with_the_trial(tmp_path: Path) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 20.0))
    phone = FilePhone()
    phone.doubts = ("the screen went off",)

    front, said = timed(phone, tmp_path, only)

    assert "key: the screen went off" in front.trials[0].stream.doubts
    assert said == [f"timing network {only.network_id} of trial 0"]  # within its interval


def breaks(networks: Path, trial: TrialResult) -> str:
    """Have no phone run the propagate graph of `trial`; return its network's name."""
    (networks / trial.network_id / "propagate.tflite").write_text("broken")
    return trial.network_id


def test_a_network_that_the_phone_cannot_run_is_named_and_the_others_are_measured(
    tmp_path: Path,
) -> None:
    broken, good = trial(0, 0.7, 30.0), trial(1, 0.6, 20.0)
    write_graphs(tmp_path, (broken, 30.0), (good, 25.0))
    name = breaks(tmp_path, broken)

    front, said = timed(FilePhone(), tmp_path, broken, good)

    assert f"network {name} stays predicted: propagate crashed" in said
    assert [t.trial.number for t in front.trials] == [1]
    assert {each.network_id for each in front.graphs} == {good.network_id}
    assert [t.latency.source for t in front.history.complete] == ["predicted", "measured"]


def test_a_phone_that_can_run_no_network_has_failed(tmp_path: Path) -> None:
    only = trial(0, 0.7, 30.0)
    write_graphs(tmp_path, (only, 30.0))
    breaks(tmp_path, only)

    with pytest.raises(DeviceError, match="propagate crashed"):
        timed(FilePhone(), tmp_path, only)


def test_a_missing_graph_is_named_before_the_phone_is_used(tmp_path: Path) -> None:
    only = trial(0, 0.7, 20.0)
    write_graphs(tmp_path, (only, 20.0))
    (tmp_path / only.network_id / "gate.tflite").unlink()
    phone = FilePhone()

    with pytest.raises(SettingError, match=r"gate\.tflite is missing\. Copy"):
        timed(phone, tmp_path, only)
    assert phone.taken == []
