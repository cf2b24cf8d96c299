"""Profiling finds the costs of a phone from a few timed graphs, within its budget."""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.latency import fit
from jejunet_nas.latency.points import read_points
from jejunet_nas.latency.predicted_meter import Costs, load_profile
from jejunet_nas.litert import list_operators
from jejunet_nas.profiling.probes import Probe, candidates
from jejunet_nas.profiling.profile import POINTS_FILE, make_profile
from jejunet_nas.records import Latency
from tests.profiling.fake_phone import SPEED_UP, FakePhone, random_costs, unbuilt


def _profile(phone: Any, folder: Path, **how: Any) -> dict[str, Any]:
    return make_profile(
        phone,
        folder,
        **{
            "device": "Fake phone",
            "runtime": "LiteRT",
            "source": "measured on a fake phone",
            "say": lambda line: None,
            "probes": unbuilt(),
            "clock": getattr(phone, "clock", lambda: 0.0),
            **how,
        },
    )


def _fitted(profile: dict[str, Any]) -> int:
    return sum(row["role"] == "fit" for row in profile["points"])


def _errors_on_the_rest(profile: dict[str, Any], phone: FakePhone) -> np.ndarray:
    """The relative errors on all networks' graphs that were not timed."""
    costs, timed = Costs(**profile["costs"]), {name for name, _ in phone.timed}
    rest = [probe for probe in candidates() if probe.of_network and probe.name not in timed]
    return np.array([costs.of(probe.work) / phone.costs.of(probe.work) - 1 for probe in rest])


@given(st.integers(0, 2**16))
@settings(max_examples=8, deadline=None)
def test_graphs_that_were_not_timed_are_predicted_within_a_few_per_cent(seed: int) -> None:
    phone = FakePhone(random_costs(seed), seed)
    with tempfile.TemporaryDirectory() as folder:
        profile = _profile(phone, Path(folder))
    errors = np.abs(_errors_on_the_rest(profile, phone))
    assert len(errors) > 20
    assert errors.mean() <= 0.02  # 0.003 over 200 seeds, 0.010 at worst; the noise is 1 %
    assert errors.max() <= 0.06  # 0.025
    assert profile["leave_one_out"]["mean_error"] <= 0.04


def test_each_number_of_threads_gets_its_factor(tmp_path: Path) -> None:
    phone = FakePhone(random_costs(1))
    profile = _profile(phone, tmp_path)
    for threads in (2, 4):
        assert profile["threads"][str(threads)]["factor"] == pytest.approx(
            SPEED_UP[threads], rel=0.03
        )
    assert len({name for name, threads in phone.timed if threads == 4}) == 4


def test_with_one_thread_asked_for_the_profile_knows_one(tmp_path: Path) -> None:
    profile = _profile(FakePhone(random_costs(1)), tmp_path, threads=(1,))
    assert list(profile["threads"]) == ["1"]


def test_the_profile_can_be_written_loaded_and_fitted_again(tmp_path: Path) -> None:
    profile = _profile(FakePhone(random_costs(1)), tmp_path)
    fit.write_profile(profile, tmp_path / "phone.json")
    loaded = load_profile(tmp_path / "phone.json")
    assert (loaded.device, sorted(loaded.thread_factors)) == ("Fake phone", [1, 2, 4])
    assert fit.refit(tmp_path / "phone.json") == profile
    # Over the pairs' own int8 rows: the phone's costs are not theirs.
    assert loaded.float_factor.factor == pytest.approx(1.97, abs=0.01)


def test_an_interrupted_profile_is_resumed(tmp_path: Path) -> None:
    phone = FakePhone(random_costs(2))

    def unplugged(file: Path, threads: int) -> tuple[Latency, bool]:
        if len(phone.timed) == 10:
            raise DeviceAwayError("The phone is gone.")
        return phone(file, threads)

    with pytest.raises(DeviceAwayError):
        _profile(unplugged, tmp_path)
    assert len(read_points(tmp_path / POINTS_FILE)) == 10
    profile = _profile(phone, tmp_path)
    assert len(phone.timed) == len(set(phone.timed)) == len(profile["points"])


def test_a_finished_profile_times_nothing_again(tmp_path: Path) -> None:
    first = _profile(FakePhone(random_costs(2)), tmp_path)
    idle = FakePhone(random_costs(2))
    assert _profile(idle, tmp_path) == first
    assert idle.timed == []


def test_a_graph_that_does_not_run_is_said_and_left_out(tmp_path: Path) -> None:
    broken = FakePhone(random_costs(3))
    _profile(broken, tmp_path / "whole")
    lines: list[str] = []
    phone = FakePhone(random_costs(3), failing=frozenset({broken.timed[3][0]}))
    profile = _profile(phone, tmp_path / "broken", say=lines.append)
    assert _fitted(profile) == 19
    assert [line for line in lines if line.startswith("Left out: 1 x")]


def test_three_failures_in_a_row_end_it(tmp_path: Path) -> None:
    phone = FakePhone(random_costs(3), failing=frozenset(p.name for p in candidates()))
    with pytest.raises(DeviceError, match="does not run"):
        _profile(phone, tmp_path)
    assert len(phone.timed) == 3


def test_an_unstable_measurement_is_not_fitted_and_taken_again_next_time(tmp_path: Path) -> None:
    phone = FakePhone(random_costs(4))
    name = _profile(phone, tmp_path / "calm")["points"][0]["graph"]
    hot = FakePhone(random_costs(4), unstable=frozenset({name}))
    profile = _profile(hot, tmp_path / "hot")
    assert _fitted(profile) == 19
    phone.timed.clear()
    assert _fitted(_profile(phone, tmp_path / "hot")) == 20
    assert {timed for timed, _ in phone.timed} == {name}


def test_the_phone_time_is_kept_on_a_phone_as_slow_as_allowed_for(tmp_path: Path) -> None:
    phone = FakePhone(random_costs(5))
    _profile(phone, tmp_path, budget_s=150)
    assert 50 < phone.seconds <= 150


def test_a_phone_slower_than_allowed_for_stops_in_time_with_what_it_has(tmp_path: Path) -> None:
    pixel2 = load_profile("pixel2").costs
    crawling = Costs(**{name: 40 * getattr(pixel2, name) for name in Costs.__dataclass_fields__})
    phone, lines = FakePhone(crawling), list[str]()
    profile = _profile(phone, tmp_path, say=lines.append, budget_s=600)
    assert phone.seconds <= 600
    assert 8 <= _fitted(profile) < 20
    assert lines[-1].startswith("The phone time is used up before")


def test_too_little_time_says_how_many_graphs_are_missing(tmp_path: Path) -> None:
    phone = FakePhone(random_costs(6))
    with pytest.raises(SettingError, match=r"is 40 s, enough for \d graphs; a profile needs 8, "):
        _profile(phone, tmp_path, budget_s=40, threads=(1,))


def test_a_phone_that_takes_too_long_says_how_many_graphs_are_missing(tmp_path: Path) -> None:
    phone, clock = FakePhone(random_costs(6)), itertools.count(0, 60)
    with pytest.raises(DeviceError, match=r"profile needs 8\. Run the same .*points\.json"):
        _profile(phone, tmp_path, budget_s=150, threads=(1,), clock=lambda: next(clock))


def test_real_graphs_are_built_timed_and_found_again(tmp_path: Path) -> None:
    costs, built = random_costs(10), list[Path]()

    def time_graph(file: Path, threads: int) -> tuple[Latency, bool]:
        built.append(file)
        ms = costs.of(_work(file))
        return Latency(
            median_ms=ms, low_ms=ms, high_ms=ms, source="measured", threads=threads, runs=1
        ), True

    probes = _small_probes()
    profile = _profile(time_graph, tmp_path, probes=probes, threads=(1,))
    assert profile["leave_one_out"]["worst_error"] <= 0.001  # no noise: five digits are kept
    written = {file: file.stat().st_mtime_ns for file in built}
    _profile(time_graph, tmp_path, probes=probes, threads=(1,))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.tflite")} == written


def _work(file: Path) -> Any:
    from jejunet_nas.latency.predicted_meter import work_of

    return work_of(list_operators(file))


def _small_probes() -> list[Probe]:
    """Two of each kind of work, and the two networks that are the quickest to build."""
    keys = sorted((p for p in candidates() if p.kind == "key"), key=lambda p: p.predicted_ms)
    return [*keys[:2], *(p for p in candidates() if not p.of_network)]
