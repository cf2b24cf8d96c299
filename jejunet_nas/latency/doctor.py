"""Checks what measuring needs: libraries, adb, a phone, and a benchmark program that runs on it.

A search with predicted latencies needs none of it.
"""

import contextlib
import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.latency.adb import find_adb
from jejunet_nas.latency.cores import choose_mask, cores_words
from jejunet_nas.latency.device import Device
from jejunet_nas.latency.phone import START_S, Phone, last_line
from jejunet_nas.latency.program import (
    find_program,
    found_programs,
    how_to_get_it,
    maker_of,
    require_abi,
    runtime_words,
)
from jejunet_nas.version import __version__

Found = TypeVar("Found")

LIBRARIES_CHECK = "libraries"
LIBRARIES = ("tensorflow", "tf-keras", "ai-edge-litert", "optuna")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked: whether it works, and its details or what is wrong.

    required: by what was asked for. A search requires the libraries only, measuring all.
    """

    name: str
    works: bool
    required: bool
    words: str


def examine(device: str, program: Path | None, *, measuring: bool = False) -> list[Check]:
    """Return the checks in order; one that depends on a failed one is left out.

    measuring: whether measuring was asked for, so that all checks are required.
    """
    named = Device.parse(device).require_phone()
    checks: list[Check] = []

    def check(name: str, find: Callable[[], Found], words: Callable[[Found], str]) -> Found | None:
        required = measuring or name == LIBRARIES_CHECK
        try:
            found = find()
            checks.append(Check(name=name, works=True, required=required, words=words(found)))
        except (DeviceError, SettingError) as error:
            checks.append(Check(name=name, works=False, required=required, words=str(error)))
            return None
        return found

    check(LIBRARIES_CHECK, _libraries, ", ".join)
    phone = None
    if check("adb", find_adb, str):
        phone = check("phone", lambda: Phone.attached(named.name), _phone_words)
    file = check("benchmark program", lambda: find_program(program), _program_words)
    if phone and file:
        check("benchmark program on the phone", lambda: _try_program(phone, file), str)
    return checks


def _phone_words(phone: Phone) -> str:
    state = phone.state()
    info = phone.info
    pinned = cores_words(state, choose_mask(state, 1, None, info.name))
    heat = "" if state.battery_c is None else f", battery {state.battery_c:g} °C"
    return (
        f"{info.name}, Android {info.android}, {info.abi}; {pinned}; copies checked by "
        f"{phone.checked_by}{heat}"
    )


def _program_words(program: Path) -> str:
    words = f"{program} ({maker_of(program)}'s; {runtime_words(program)})"
    others = [f"{each} ({maker_of(each)}'s)" for each in found_programs() if each != program]
    if others:
        words += f"; also there, by --benchmark-binary: {', '.join(others)}"
    return words


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
            f"{program.name} does not run on {phone.info.name} ({last_line(text)}). Get "
            f"benchmark_model for {phone.info.abi}: {_how_to_get_it(phone.info.abi)}"
        )
    return "runs"


def _how_to_get_it(abi: str) -> str:
    """Return how to get the program for a processor: downloads are for one kind only."""
    return (
        how_to_get_it() if abi == "arm64-v8a" else "build it, and give it: --benchmark-binary FILE"
    )


def _libraries() -> list[str]:
    versions = [f"Python {platform.python_version()}", f"jejunet_nas {__version__}"]
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            raise SettingError(f"{name} is not installed. Install it: pip install {name}") from None
    return versions
