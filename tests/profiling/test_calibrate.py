"""A calibration finds the costs of a phone that it times a few graphs on, and minds its time."""

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
from jejunet_nas.profiling.calibrate import POINTS_FILE, calibrate
from jejunet_nas.profiling.probes import Probe, candidates
from jejunet_nas.records import Latency
from tests.profiling.made_up_phone import SPEED_UP, MadeUpPhone, random_costs, unbuilt


def _calibrate(phone: Any, folder: Path, **how: Any) -> dict[str, Any]:
    return calibrate(
        phone,
        folder,
        **{
            "device": "Made-up phone",
            "runtime": "LiteRT",
            "source": "measured on a made-up phone",
            "say": lambda line: None,
            "probes": unbuilt(),
            "clock": getattr(phone, "clock", lambda: 0.0),
            **how,
        },
    )


def _fitted(profile: dict[str, Any]) -> int:
    return sum(row["role"] == "fit" for row in profile["points"])


def _errors_on_the_rest(profile: dict[str, Any], phone: MadeUpPhone) -> np.ndarray:
    """The relative errors on all networks' graphs that were not timed."""
    costs, timed = Costs(**profile["costs"]), {name for name, _ in phone.timed}
    rest = [probe for probe in candidates() if probe.of_network and probe.name not in timed]
    return np.array([costs.of(probe.work) / phone.costs.of(probe.work) - 1 for probe in rest])


@given(st.integers(0, 2**16))
@settings(max_examples=8, deadline=None)
def test_graphs_that_were_not_timed_are_predicted_within_a_few_per_cent(seed: int) -> None:
    phone = MadeUpPhone(random_costs(seed), seed)
    with tempfile.TemporaryDirectory() as folder:
        profile = _calibrate(phone, Path(folder))
    errors = np.abs(_errors_on_the_rest(profile, phone))
    assert len(errors) > 20
    assert errors.mean() <= 0.02  # 0.003 over 200 seeds, 0.010 at worst; the noise is 1 %
    assert errors.max() <= 0.06  # 0.025
    assert profile["leave_one_out"]["mean_error"] <= 0.04


def test_each_number_of_threads_gets_its_factor(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(1))
    profile = _calibrate(phone, tmp_path)
    for threads in (2, 4):
        assert profile["threads"][str(threads)]["factor"] == pytest.approx(
            SPEED_UP[threads], rel=0.03
        )
    assert len({name for name, threads in phone.timed if threads == 4}) == 4


def test_with_one_thread_asked_for_the_profile_knows_one(tmp_path: Path) -> None:
    profile = _calibrate(MadeUpPhone(random_costs(1)), tmp_path, threads=(1,))
    assert list(profile["threads"]) == ["1"]


def test_the_profile_can_be_written_loaded_and_fitted_again(tmp_path: Path) -> None:
    profile = _calibrate(MadeUpPhone(random_costs(1)), tmp_path)
    fit.write_profile(profile, tmp_path / "phone.json")
    loaded = load_profile(tmp_path / "phone.json")
    assert (loaded.device, sorted(loaded.thread_factors)) == ("Made-up phone", [1, 2, 4])
    assert fit.refit(tmp_path / "phone.json") == profile
    # Over the pairs' own int8 rows: the phone's costs are not theirs.
    assert loaded.float_factor.factor == pytest.approx(1.97, abs=0.01)


def test_an_interrupted_calibration_goes_on_where_it_was(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(2))

    def unplugged(file: Path, threads: int) -> tuple[Latency, bool]:
        if len(phone.timed) == 10:
            raise DeviceAwayError("The phone is gone.")
        return phone(file, threads)

    with pytest.raises(DeviceAwayError):
        _calibrate(unplugged, tmp_path)
    assert len(read_points(tmp_path / POINTS_FILE)) == 10
    profile = _calibrate(phone, tmp_path)
    assert len(phone.timed) == len(set(phone.timed)) == len(profile["points"])


def test_a_finished_calibration_times_nothing_again(tmp_path: Path) -> None:
    first = _calibrate(MadeUpPhone(random_costs(2)), tmp_path)
    idle = MadeUpPhone(random_costs(2))
    assert _calibrate(idle, tmp_path) == first
    assert idle.timed == []


def test_a_graph_that_does_not_run_is_said_and_left_out(tmp_path: Path) -> None:
    broken = MadeUpPhone(random_costs(3))
    _calibrate(broken, tmp_path / "whole")
    lines: list[str] = []
    phone = MadeUpPhone(random_costs(3), failing=frozenset({broken.timed[3][0]}))
    profile = _calibrate(phone, tmp_path / "broken", say=lines.append)
    assert _fitted(profile) == 19
    assert [line for line in lines if line.startswith("Left out: 1 x")]


def test_three_failures_in_a_row_end_it(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(3), failing=frozenset(p.name for p in candidates()))
    with pytest.raises(DeviceError, match="does not run"):
        _calibrate(phone, tmp_path)
    assert len(phone.timed) == 3


def test_an_unstable_measurement_is_not_fitted_and_taken_again_next_time(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(4))
    name = _calibrate(phone, tmp_path / "calm")["points"][0]["graph"]
    hot = MadeUpPhone(random_costs(4), unstable=frozenset({name}))
    profile = _calibrate(hot, tmp_path / "hot")
    assert _fitted(profile) == 19
    phone.timed.clear()
    assert _fitted(_calibrate(phone, tmp_path / "hot")) == 20
    assert {timed for timed, _ in phone.timed} == {name}


def test_the_phone_time_is_kept_on_a_phone_as_slow_as_allowed_for(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(5))
    _calibrate(phone, tmp_path, budget_s=150)
    assert 50 < phone.seconds <= 150


def test_a_phone_slower_than_allowed_for_stops_in_time_with_what_it_has(tmp_path: Path) -> None:
    pixel2 = load_profile("pixel2").costs
    crawling = Costs(**{name: 40 * getattr(pixel2, name) for name in Costs.__dataclass_fields__})
    phone, lines = MadeUpPhone(crawling), list[str]()
    profile = _calibrate(phone, tmp_path, say=lines.append, budget_s=600)
    assert phone.seconds <= 600
    assert 8 <= _fitted(profile) < 20
    assert lines[-1].startswith("The phone time is used up before")


def test_too_little_time_says_how_many_graphs_are_missing(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(6))
    with pytest.raises(SettingError, match=r"is 40 s, enough for \d graphs; allowed: .* for 8, "):
        _calibrate(phone, tmp_path, budget_s=40, threads=(1,))


def test_a_phone_that_takes_too_long_says_how_many_graphs_are_missing(tmp_path: Path) -> None:
    phone, clock = MadeUpPhone(random_costs(6)), itertools.count(0, 60)
    with pytest.raises(DeviceError, match=r"at least 8, \d more\..*points\.json: the same command"):
        _calibrate(phone, tmp_path, budget_s=150, threads=(1,), clock=lambda: next(clock))


def test_earlier_points_of_the_phone_are_fitted_too(tmp_path: Path) -> None:
    phone = MadeUpPhone(random_costs(7))
    _calibrate(phone, tmp_path / "first")
    earlier = read_points(tmp_path / "first" / POINTS_FILE)
    profile = _calibrate(phone, tmp_path / "second", budget_s=40, threads=(1,), earlier=earlier)
    assert len(profile["points"]) == len(earlier)


def test_a_folder_of_another_phone_is_refused(tmp_path: Path) -> None:
    _calibrate(MadeUpPhone(random_costs(8)), tmp_path)
    with pytest.raises(SettingError, match=r"device of .*is Made-up phone; allowed: Another"):
        _calibrate(MadeUpPhone(random_costs(8)), tmp_path, device="Another phone")


def test_real_graphs_are_built_timed_and_found_again(tmp_path: Path) -> None:
    costs, built = random_costs(10), list[Path]()

    def time_graph(file: Path, threads: int) -> tuple[Latency, bool]:
        built.append(file)
        ms = costs.of(_work(file))
        return Latency(
            median_ms=ms, low_ms=ms, high_ms=ms, source="measured", threads=threads, runs=1
        ), True

    probes = _small_probes()
    profile = _calibrate(time_graph, tmp_path, probes=probes, threads=(1,))
    assert profile["leave_one_out"]["worst_error"] <= 0.001  # no noise: five digits are kept
    written = {file: file.stat().st_mtime_ns for file in built}
    _calibrate(time_graph, tmp_path, probes=probes, threads=(1,))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.tflite")} == written


def _work(file: Path) -> Any:
    from jejunet_nas.latency.work import work_of

    return work_of(list_operators(file))


def _small_probes() -> list[Probe]:
    """Two of each kind of work, and the two networks that are the quickest to build."""
    keys = sorted((p for p in candidates() if p.kind == "key"), key=lambda p: p.predicted_ms)
    return [*keys[:2], *(p for p in candidates() if not p.of_network)]
