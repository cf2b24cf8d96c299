"""The doctor looks at each thing only where what it needs works, and never raises."""

import importlib.metadata
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.latency import doctor
from jejunet_nas.latency.doctor import Check, examine
from tests.latency.build import write_program
from tests.latency.conftest import cache
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn, benchmark_binary

__all__ = ["cache"]
needs_adb = pytest.mark.adb


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def missing(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.works]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("nothing_installed")
def test_without_adb_no_phone_is_looked_for() -> None:
    checks = examine("adb", None)

    assert missing(checks) == ["adb", "benchmark program"]
    assert "phone" not in by_name(checks)


@pytest.mark.usefixtures("nothing_installed")
def test_the_libraries_are_named_with_their_versions() -> None:
    words = by_name(examine("adb", None))["libraries"].words

    assert f"tensorflow {importlib.metadata.version('tensorflow')}" in words
    assert words.startswith("Python 3.")


@pytest.mark.usefixtures("nothing_installed")
def test_a_library_that_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", ("optuna", "no-such-library"))

    libraries = by_name(examine("adb", None))["libraries"]

    assert not libraries.works
    assert libraries.words.startswith("no-such-library is not installed. Install it: pip ")


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("given", [True, False])
def test_the_program_is_looked_at_though_no_phone_is_there(
    given: bool, cache: Path, tmp_path: Path
) -> None:
    file = write_program(tmp_path, "exit 1")
    if not given:
        cache.mkdir(parents=True)
        file = file.rename(cache / "benchmark_model")

    program = by_name(examine("adb", file if given else None))["benchmark program"]

    assert program.works
    assert program.words.startswith(f"{file} (TensorFlow Lite's; benchmark_model ")


@pytest.mark.usefixtures("nothing_installed")
def test_a_program_that_is_no_file_is_missing(tmp_path: Path) -> None:
    program = by_name(examine("adb", tmp_path / "no"))["benchmark program"]

    assert not program.works
    assert "which is not a file. Get" in program.words


@pytest.mark.parametrize("device", ["host", "predicted", "pixel"])
def test_only_a_phone_is_examined(device: str) -> None:
    with pytest.raises(SettingError, match=rf"--device is {device}; allowed: adb"):
        examine(device, None)


@needs_adb
def test_the_real_benchmarks_help_is_enough(phone: StandIn, tmp_path: Path) -> None:
    checks = examine(f"adb:{phone.serial}", benchmark_binary(tmp_path))

    assert missing(checks) == []


@needs_adb
def test_a_program_of_another_machine_is_not_tried(phone: StandIn, tmp_path: Path) -> None:
    program = tmp_path / "benchmark_model"
    program.write_bytes(b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little"))

    check = by_name(examine("adb", program))["benchmark program on the phone"]

    assert not check.works
    assert "benchmark_model is built for x86_64, and Google Pixel 2 runs arm64-v8a" in check.words
    assert phone.pushed == []


@needs_adb
def test_a_phone_that_tells_no_clocks_is_not_pinned(phone: StandIn) -> None:
    for cpu in range(8):
        for file in phone.locate(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq").iterdir():
            file.unlink()

    words = by_name(examine("adb", None))["phone"].words
    assert "pinned to no cores; clocks of cores 0 to 7 cannot be read" in words


@needs_adb
def test_of_two_phones_one_has_to_be_named(
    phone: StandIn, adb_server: AdbServer, tmp_path: Path
) -> None:
    with StandIn(tmp_path / "second") as second:
        adb_server.connect(second)
        unnamed, named = examine("adb", None), examine(f"adb:{second.serial}", None)
        adb_server.disconnect(second)

    assert missing(unnamed) == ["phone", "benchmark program"]
    assert "2 phones are attached" in by_name(unnamed)["phone"].words
    assert missing(named) == ["benchmark program"]
