"""Examines what measuring needs: libraries, adb, a phone, and a benchmark program that runs there.

Nothing of it is needed to search with predicted latencies.
"""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.latency.adb import find_adb
from jejunet_nas.latency.device import Device
from jejunet_nas.latency.measuring_plan import Protocol
from jejunet_nas.latency.phone import Phone, core_mask
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.program import find_program, runtime_words
from jejunet_nas.version import __version__

LIBRARIES = ("tensorflow", "tf-keras", "ai-edge-litert", "optuna")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: whether it works, and what is to be said of it."""

    name: str
    works: bool
    words: str


def examine(device: str, program: Path | None) -> list[Check]:
    """Return what was found, each thing only where those it needs work."""
    named = Device.parse(device)
    if named.kind != "adb":
        raise SettingError(f"--device is {device}; allowed: adb or adb:SERIAL. Attach a phone.")
    checks: list[Check] = []
    found: dict[str, Path | Phone] = {}

    def look(name: str, at: Callable[[], str]) -> bool:
        try:
            checks.append(Check(name=name, works=True, words=at()))
        except (DeviceError, SettingError) as error:
            checks.append(Check(name=name, works=False, words=str(error)))
        return checks[-1].works

    def see_phone() -> str:
        phone = found["phone"] = Phone.attached(named.name)
        state = phone.state()
        mask = core_mask(state.cores, 1) or "none: its clocks cannot be read"
        heat = "" if state.battery_c is None else f", battery {state.battery_c:g} °C"
        return (
            f"{phone.info.name}, Android {phone.info.android}, {phone.info.abi}; pinned to cores "
            f"{mask}{heat}"
        )

    def see_program() -> str:
        file = found["program"] = find_program(program)
        return f"{file} ({runtime_words(file)})"

    def run_program() -> str:
        phone, file = found["phone"], found["program"]
        assert isinstance(phone, Phone), "looked at before"
        assert isinstance(file, Path), "looked at before"
        meter = PhoneMeter(phone, file, Protocol(), lambda _: None)
        try:
            return meter.try_program()
        finally:
            meter.close()

    look("libraries", _see_libraries)
    has_phone = look("adb", find_adb) and look("phone", see_phone)
    has_program = look("benchmark program", see_program)
    if has_phone and has_program:
        look("benchmark program on the phone", run_program)
    return checks


def _see_libraries() -> str:
    versions = [f"Python {platform.python_version()}", f"jejunet_nas {__version__}"]
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            raise SettingError(
                f"{name} is not installed; allowed: {', '.join(LIBRARIES)}. Install it: "
                f"pip install {name}"
            ) from None
    return ", ".join(versions)
