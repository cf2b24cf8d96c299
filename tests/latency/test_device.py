"""A device is found by the words on the command line, and each kind opens its own meter."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.latency.device import (
    ALLOWED,
    KINDS,
    Device,
    HowToMeasure,
    open_meter,
)
from jejunet_nas.latency.host_meter import HostMeter
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.predicted_meter import PredictedMeter
from tests.latency.build import prints
from tests.phone.stand_in import StandIn

needs_adb = pytest.mark.adb
PREDICTED = Device(kind="predicted")


@pytest.mark.parametrize(
    ("words", "device"),
    [
        ("adb", Device(kind="adb")),
        ("adb:HT7", Device(kind="adb", name="HT7")),
        ("adb:127.0.0.1:5555", Device(kind="adb", name="127.0.0.1:5555")),
        ("host", Device(kind="host")),
        ("predicted", PREDICTED),
        ("predicted:a b.json", Device(kind="predicted", name="a b.json")),
    ],
)
def test_a_device_is_a_kind_and_perhaps_a_name(words: str, device: Device) -> None:
    assert Device.parse(words) == device


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("", r"Use adb\."),
        (":HT7", r"Use adb\."),
        ("HT7", r"Use adb\."),
        ("adb:", r"Did you mean adb\?"),
        ("host:this", r"Did you mean host\?"),
        ("predictd:pixel2", r"Did you mean predicted\?"),
        ("adb; touch pwned", r"Use adb\."),
        ("pixel2", r"Did you mean predicted:pixel2\?"),
        ("my phone.json", r"Use predicted:my phone\.json\."),
    ],
)
def test_other_words_are_refused_with_those_that_are_allowed(words: str, cure: str) -> None:
    with pytest.raises(SettingError, match=rf"--device is {words}; allowed: adb, .* {cure}$") as e:
        Device.parse(words)

    assert ALLOWED in str(e.value)
    assert e.value.exit_code == 2


@given(words=st.text() | st.tuples(st.sampled_from(KINDS), st.text()).map(":".join))
def test_any_words_are_a_device_or_an_error_of_ours(words: str) -> None:
    try:
        device = Device.parse(words)
    except SettingError:
        return

    assert words == device.words


def test_this_computer_and_a_prediction_need_no_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert isinstance(open_meter(Device(kind="host"), HowToMeasure(), print), HostMeter)
    assert isinstance(open_meter(PREDICTED, HowToMeasure(), print), PredictedMeter)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(SettingError, match=r"pixle2.*; allowed: .*pixel2"):
        open_meter(Device(kind="predicted", name="pixle2"), HowToMeasure(), print)


def test_a_phone_without_adb_is_an_error_of_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = HowToMeasure(program=prints(tmp_path, 1000))
    monkeypatch.setenv("PATH", "")

    with pytest.raises(DeviceError, match=r"adb is not installed.*apt install adb"):
        open_meter(Device(kind="adb"), how, print)


def test_without_a_phone_the_devices_that_need_none_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(DeviceError, match=r"adb is not .* Without a phone: --device predicted"):
        open_meter(Device(kind="adb"), HowToMeasure(), print)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": 49}, r"runs is 49; allowed on a phone: at least 50\. The nearest is 50"),
        ({"threads": 0}, r"threads is 0; allowed: 1 or more\. Use 1"),
        ({"core_mask": "0xf0"}, r"core mask is 0xf0; allowed: a hexadecimal number without 0x"),
    ],
)
def test_wrong_arguments_are_refused_before_a_phone_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int | str], message: str
) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SettingError, match=message) as e:
        open_meter(Device(kind="adb"), HowToMeasure(**changes), print)  # type: ignore[arg-type]

    assert e.value.exit_code == 2


@needs_adb
@pytest.mark.parametrize("named", [True, False])
def test_an_attached_phone_is_opened_as_asked(phone: StandIn, tmp_path: Path, named: bool) -> None:
    device = Device.parse(f"adb:{phone.serial}" if named else "adb")
    how = HowToMeasure(program=prints(tmp_path, 1000), threads=2, runs=60, core_mask="f")

    meter = open_meter(device, how, print)

    assert isinstance(meter, PhoneMeter)
    plan = meter.plan
    assert (plan.threads, plan.runs, plan.core_mask) == (2, 60, "f")
    assert meter.phone.serial == phone.serial


@needs_adb
def test_a_phone_that_is_not_there_is_away(phone: StandIn, tmp_path: Path) -> None:
    with pytest.raises(DeviceAwayError, match=rf"HT7, .* Attached: {phone.serial}\. Plug it in"):
        open_meter(Device.parse("adb:HT7"), HowToMeasure(program=prints(tmp_path, 1)), print)
