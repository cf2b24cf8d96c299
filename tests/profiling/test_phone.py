"""Profiling a phone resumes after an interruption, and starts again with other cores."""

from pathlib import Path

import pytest

from jejunet_nas.errors import DeviceAwayError, DeviceError
from jejunet_nas.latency.device import Device, HowToMeasure
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.points import read_points
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.profiling.profile import profile_phone
from tests.cli.commands import program
from tests.latency.conftest import cache, graph
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn
from tests.profiling.few_probes import FACTOR, Takes, install_few_probes

__all__ = ["cache", "graph"]
pytestmark = pytest.mark.adb


@pytest.fixture
def takes(phone: StandIn, graph: Path, monkeypatch: pytest.MonkeyPatch) -> Takes:
    install_few_probes(monkeypatch, graph)
    return Takes(monkeypatch, phone)


def profiled(phone: StandIn, folder: Path, *, core_mask: str | None = None) -> Path:
    profile_phone(
        Device(kind="adb", name=phone.serial),
        HowToMeasure(program=program(folder), core_mask=core_mask),
        folder / "p.json",
        budget_s=600,
        say=lambda line: None,
        plan=MeasuringPlan(rounds=1, rest_s=0, core_mask=core_mask),
    )
    return folder / "p.json"


def test_the_profile_knows_the_phone_its_threads_and_its_costs(
    phone: StandIn, takes: Takes, cache: Path, tmp_path: Path
) -> None:
    profile = load_profile(profiled(phone, tmp_path))

    assert profile.device == "Google Pixel 2"
    assert {n: factor.factor for n, factor in profile.thread_factors.items()} == pytest.approx(
        {1: 1.0, 2: 0.5, 4: 0.25}, abs=0.001
    )
    assert profile.rms_error < 0.05  # whole microseconds, and the fit's lower bounds
    assert profile.costs.ms_per_million_pointwise_macs == pytest.approx(
        FACTOR * load_profile("pixel2").costs.ms_per_million_pointwise_macs, rel=0.05
    )
    assert {point.stable for point in read_points(tmp_path / "p.json")} == {True}
    assert list(cache.glob("calibration/*/points.json")) == []
    assert not phone.locate("/data/local/tmp/jejunet_nas").exists()


def test_a_phone_that_leaves_costs_nothing_that_was_measured(
    phone: StandIn, takes: Takes, adb_server: AdbServer, cache: Path, tmp_path: Path
) -> None:
    takes.last = 5
    with pytest.raises(DeviceAwayError, match=r"the phone .* is "):
        profiled(phone, tmp_path)
    assert not (tmp_path / "p.json").exists()
    assert len(takes.taken) == 5

    phone.replug()
    adb_server.reconnect(phone)
    points = read_points(profiled(phone, tmp_path))

    assert len(takes.taken) == len(set(takes.taken)) == len(points)


def test_other_cores_are_never_mixed_with_what_was_measured(
    phone: StandIn, takes: Takes, adb_server: AdbServer, tmp_path: Path
) -> None:
    takes.last = 3
    with pytest.raises(DeviceAwayError, match=r"the phone .* is "):
        profiled(phone, tmp_path)
    phone.replug()
    adb_server.reconnect(phone)
    first, takes.taken = takes.taken, []

    takes.last = 4
    with pytest.raises(DeviceAwayError, match=r"the phone .* is "):
        profiled(phone, tmp_path, core_mask="f")

    assert takes.taken[:3] == first


def test_without_a_program_no_phone_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(DeviceError, match=r"no benchmark program at .*: curl"):
        profile_phone(
            Device(kind="adb"), HowToMeasure(), Path("p.json"), budget_s=1, say=lambda line: None
        )
