"""Devices by name: `adb`, `adb:SERIAL`, `host`, `predicted` or `predicted:PROFILE`, as a meter."""

import dataclasses
from pathlib import Path
from typing import Literal, get_args

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError, closest
from jejunet_nas.latency.adb import find_adb
from jejunet_nas.latency.host_meter import HostMeter
from jejunet_nas.latency.measuring_plan import FEWEST_RUNS, MeasuringPlan
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.latency.profile_json import profile_names
from jejunet_nas.latency.program import find_program
from jejunet_nas.progress import Say

Kind = Literal["adb", "host", "predicted"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ALLOWED = "adb, adb:SERIAL, host, predicted, predicted:pixel2 or predicted:PROFILE.json"
DEFAULT_PROFILE = "pixel2"


def _profile_meant(words: str) -> str:
    """Return a sentence where `words` is a profile without the kind; empty where it is none."""
    if words.endswith(".json"):
        return f" Use predicted:{words}."
    return closest(words, profile_names()).replace("mean ", "mean predicted:")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device by name: a phone's serial, or a profile's name or file; None: the default one."""

    kind: Kind
    name: str | None = None

    @classmethod
    def parse(cls, words: str) -> "Device":
        """Return the device named by `words`. Raises `SettingError`."""
        kind, colon, name = words.partition(":")
        if kind not in KINDS or (colon and not name) or (name and kind == "host"):
            cure = closest(kind, KINDS) or _profile_meant(words) or " Use adb."
            raise SettingError(f"--device is {words}; allowed: {ALLOWED}.{cure}")
        return cls(kind=kind, name=name or None)

    @property
    def is_phone(self) -> bool:
        """Whether it is an attached phone."""
        return self.kind == "adb"

    @property
    def words(self) -> str:
        """The words that `parse` reads."""
        return self.kind if self.name is None else f"{self.kind}:{self.name}"

    def require_phone(self) -> "Device":
        """Return this device. Raises `SettingError` if it is no attached phone."""
        if not self.is_phone:
            raise SettingError(
                f"--device is {self.words}; allowed: adb or adb:SERIAL. Attach a phone."
            )
        return self


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HowToMeasure:
    """Options of every meter; a prediction uses the threads and the input's size only.

    threads: None for the default. input_size: height and width, for graphs that leave them open.
    """

    threads: int | None = None
    runs: int = FEWEST_RUNS
    program: Path | None = None
    core_mask: str | None = None
    input_size: tuple[int, int] | None = None


def open_meter(device: Device, how: HowToMeasure, say: Say) -> LatencyMeter:
    """Return the meter of `device`. Raises `DeviceError` or `SettingError`."""
    threads = 1 if how.threads is None else how.threads
    match device.kind:
        case "adb":
            plan = MeasuringPlan(
                threads=threads,
                runs=how.runs,
                core_mask=how.core_mask,
                input_size=how.input_size,
            )
            program = find_program(how.program) if how.program else None
            phone = _phone(device.name)  # before a program that is not given is looked for
            return PhoneMeter(phone, program or find_program(None), plan, say)
        case "host":
            return HostMeter(threads=threads, runs=how.runs, say=say, input_size=how.input_size)
        case "predicted":
            profile = load_profile(device.name or DEFAULT_PROFILE)
            return PredictedMeter(profile=profile, threads=threads, input_size=how.input_size)


def _phone(serial: str | None) -> Phone:
    """Return the phone `serial`, or the only one. Raises `DeviceError`."""
    without = "Without a phone: --device predicted, or --device host to compare graphs."
    try:
        find_adb()
    except DeviceError as error:
        raise DeviceError(f"{error} {without}") from None
    try:
        return Phone.attached(serial)
    except DeviceAwayError as error:
        raise DeviceAwayError(f"{error} {without}") from None
