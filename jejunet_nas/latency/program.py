"""The benchmark program that runs graphs on the phone: where it is, and for which processor.

It is TensorFlow Lite's published `benchmark_model` for Android, not part of this project. The
program does not print its version; every measurement has its checksum instead.
"""

from pathlib import Path

import platformdirs

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.benchmark_model import DOWNLOAD

# e_machine of the ELF header: Android's name of the instruction set
_MACHINES = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}


def cached_program() -> Path:
    """Return the default place of the program."""
    return platformdirs.user_cache_path("jejunet_nas") / "benchmark_model"


def how_to_get_it() -> str:
    """Return the command that downloads the program to its default place."""
    return f"curl -L --create-dirs -o {cached_program()} {DOWNLOAD}"


def find_program(given: Path | None) -> Path:
    """Return the program: `given`, or the one in the user's cache.

    Raises `SettingError` if `given` is not a file, `DeviceError` if none is given or cached.
    """
    if given is not None:
        if not given.is_file():
            raise SettingError(
                f"the benchmark program is {given}, which is not a file. Get TensorFlow Lite's "
                f"benchmark_model: {how_to_get_it()}"
            )
        return given
    if not cached_program().is_file():
        raise DeviceError(
            f"there is no benchmark program at {cached_program()}. Give one, --benchmark-binary "
            f"FILE, or get TensorFlow Lite's benchmark_model: {how_to_get_it()}"
        )
    return cached_program()


def runtime_words(program: Path) -> str:
    """Return the name of the program in records."""
    return f"benchmark_model {sha256_of(program)[:12]}"


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
