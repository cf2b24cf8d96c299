"""The benchmark program that runs graphs on the phone: where it is, which one, and for what.

There are two, both called benchmark_model and neither part of this project. LiteRT's times a graph
as LiteRT's CompiledModel API runs it. The `litert` command (PyPI: litert-cli) downloads it; it has
releases, so what is offered here is pinned to one. TensorFlow Lite's times a graph as the
interpreter runs it, and can list operators; it is published as a nightly only.

Neither prints its version; every measurement has the name and the checksum of its program.
"""

import functools
from pathlib import Path
from typing import Literal

import platformdirs

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.benchmark_model import DOWNLOAD, LITERT_DOWNLOAD, LITERT_SUMMARY

Maker = Literal["LiteRT", "TensorFlow Lite"]
# Where litert-cli 0.2.1 keeps it, by the phone's instruction set (litert_cli/core/constants.py).
LITERT_CACHE = Path("~/.cache/litert-cli/binaries")
# e_machine of the ELF header: Android's name of the instruction set
_MACHINES = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}


def cached_program() -> Path:
    """Return the default place of the program."""
    return platformdirs.user_cache_path("jejunet_nas") / "benchmark_model"


def found_programs() -> list[Path]:
    """Return the programs in the user's caches: the default place first, then that of `litert`."""
    kept = LITERT_CACHE.expanduser().glob("*/benchmark_model")
    return [file for file in (cached_program(), *sorted(kept)) if file.is_file()]


def how_to_get_it(maker: Maker = "LiteRT") -> str:
    """Return the command that downloads a program for arm64-v8a to its default place."""
    url = LITERT_DOWNLOAD if maker == "LiteRT" else DOWNLOAD
    return f"curl -L --create-dirs -o {cached_program()} {url}"


def find_program(given: Path | None) -> Path:
    """Return the program: `given`, or the first in the user's caches.

    Raises `SettingError` if `given` is not a file, `DeviceError` if none is given or cached.
    """
    if given is not None:
        if not given.is_file():
            raise SettingError(
                f"the benchmark program is {given}, which is not a file. Get LiteRT's "
                f"benchmark_model: {how_to_get_it()}"
            )
        return given
    if found := found_programs():
        return found[0]
    raise DeviceError(
        f"there is no benchmark program at {cached_program()}, nor one of the litert command in "
        f"{LITERT_CACHE}. Give one, --benchmark-binary FILE, or get LiteRT's: {how_to_get_it()}"
    )


def maker_of(program: Path) -> Maker:
    """Return whose program it is, by the words that it prints."""
    return _maker(program, program.stat().st_mtime_ns)


@functools.cache
def _maker(program: Path, changed_ns: int) -> Maker:
    return "LiteRT" if LITERT_SUMMARY.encode() in program.read_bytes() else "TensorFlow Lite"


def runtime_words(program: Path) -> str:
    """Return the name of the program in records: TensorFlow Lite's has no maker, as ever."""
    maker = "LiteRT " if maker_of(program) == "LiteRT" else ""
    return f"{maker}benchmark_model {sha256_of(program)[:12]}"


def require_interpreter(program: Path, option: str) -> None:
    """Raise `SettingError` if the program is LiteRT's, which has nothing like `option`."""
    if maker_of(program) == "LiteRT":
        raise SettingError(
            f"{option} needs TensorFlow Lite's benchmark_model, and {program} is LiteRT's. Get the "
            f"other one (a nightly; it replaces one there): {how_to_get_it('TensorFlow Lite')}"
        )


def require_abi(program: Path, abi: str, phone: str) -> None:
    """Raise `DeviceError` if the program is built for another instruction set than `abi`.

    A file that is not an ELF program passes: the phone may be able to run it.
    """
    with program.open("rb") as opened:
        header = opened.read(20)
    if header[:4] != b"\x7fELF":
        return
    built_for = _MACHINES.get(int.from_bytes(header[18:20], "little"), "another machine")
    if built_for != abi:
        raise DeviceError(
            f"{program.name} is built for {built_for}, and {phone} runs {abi}. Give the program "
            "for that phone: --benchmark-binary FILE"
        )
