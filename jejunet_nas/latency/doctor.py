"""Checks what measuring needs: libraries, adb, a phone, and a benchmark program that runs on it.

A search with predicted latencies needs none of it.
"""

import contextlib
import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.latency.adb import find_adb
from jejunet_nas.latency.device import Device
from jejunet_nas.latency.phone import START_S, Phone, core_mask, last_line
from jejunet_nas.latency.program import (
    find_program,
    how_to_get_it,
    require_abi,
    runtime_words,
)
from jejunet_nas.version import __version__

LIBRARIES = ("tensorflow", "tf-keras", "ai-edge-litert", "optuna")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked: whether it works, and its details or what is wrong."""

    name: str
    works: bool
    words: str


def examine(device: str, program: Path | None) -> list[Check]:
    """Return the checks in order; one that depends on a failed one is left out."""
    named = Device.parse(device).require_phone()
    checks: list[Check] = []
    phones: list[Phone] = []
    files: list[Path] = []

    def check(name: str, words: Callable[[], str]) -> bool:
        try:
            checks.append(Check(name=name, works=True, words=words()))
        except (DeviceError, SettingError) as error:
            checks.append(Check(name=name, works=False, words=str(error)))
        return checks[-1].works

    def phone_words() -> str:
        phones.append(phone := Phone.attached(named.name))
        state = phone.state()
        mask = core_mask(state.cores, 1) or "none: its clocks cannot be read"
        heat = "" if state.battery_c is None else f", battery {state.battery_c:g} °C"
        return (
            f"{phone.info.name}, Android {phone.info.android}, {phone.info.abi}; pinned to cores "
            f"{mask}{heat}"
        )

    def program_words() -> str:
        files.append(file := find_program(program))
        return f"{file} ({runtime_words(file)})"

    check("libraries", _libraries_words)
    has_phone = check("adb", find_adb) and check("phone", phone_words)
    has_program = check("benchmark program", program_words)
    if has_phone and has_program:
        check("benchmark program on the phone", lambda: _try_program(phones[0], files[0]))
    return checks


def _try_program(phone: Phone, program: Path) -> str:
    require_abi(program, phone.info.abi, phone.info.name)
    with phone.turn(lambda _: None):
        try:
            target = phone.install(program, executable=True)
            answer = phone.run(f"{target} --help", timeout_s=START_S)
        finally:
            with contextlib.suppress(DeviceError):
                phone.clean()
    text = f"{answer.stdout}\n{answer.stderr}"
    if "--num_threads" not in text:
        raise DeviceError(
            f"{program.name} does not run on {phone.info.name} ({last_line(text)}). Get TensorFlow "
            f"Lite's benchmark_model for {phone.info.abi}: {how_to_get_it()}"
        )
    return "runs"


def _libraries_words() -> str:
    versions = [f"Python {platform.python_version()}", f"jejunet_nas {__version__}"]
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            raise SettingError(f"{name} is not installed. Install it: pip install {name}") from None
    return ", ".join(versions)
