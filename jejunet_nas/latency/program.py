"""The benchmark program that runs graphs on the phone: where it is, and what it was built for.

It is TensorFlow Lite's own `benchmark_model` for Android, taken as it is published; it is not part
of this project. Its checksum stands in every measurement as the runtime's version, since the
program does not tell its own.
"""

from pathlib import Path

import platformdirs

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.benchmark_model import DOWNLOAD

# e_machine of the ELF header -> Android's name of the instruction set
_MACHINES = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}


def cached_program() -> Path:
    """Return where the program is looked for when none is given."""
    return platformdirs.user_cache_path("jejunet_nas") / "benchmark_model"


def how_to_get_it() -> str:
    """Return the command that puts the program where it is looked for."""
    return f"curl -L --create-dirs -o {cached_program()} {DOWNLOAD}"


def find_program(given: Path | None) -> Path:
    """Return the program: `given`, or the one in the user's cache.

    Raises `SettingError` where the file that was given is none, `DeviceError` where none was given
    and none is cached.
    """
    if given is not None:
        if not given.is_file():
            raise SettingError(
                f"the benchmark program is {given}, which is no file; allowed: TensorFlow Lite's "
                f"benchmark_model. Get it: {how_to_get_it()}"
            )
        return given
    if not cached_program().is_file():
        raise DeviceError(
            f"there is no benchmark program at {cached_program()}; allowed: TensorFlow Lite's "
            f"benchmark_model, there or as --benchmark-binary FILE. Get it: {how_to_get_it()}"
        )
    return cached_program()


def runtime_words(program: Path) -> str:
    """Return the name under which the program stands in records."""
    return f"benchmark_model {sha256_of(program)[:12]}"


def require_abi(program: Path, abi: str, phone: str) -> None:
    """Raise `DeviceError` where the program is built for another instruction set than `abi`.

    A file that is no ELF program is left for the phone to judge.
    """
    with program.open("rb") as opened:
        header = opened.read(20)
    if header[:4] != b"\x7fELF":
        return
    built_for = _MACHINES.get(int.from_bytes(header[18:20], "little"), "another machine")
    if built_for != abi:
        raise DeviceError(
            f"{phone} runs {abi}; allowed: {built_for}, for which {program.name} is built. Give "
            "the program for that phone: --benchmark-binary FILE"
        )
