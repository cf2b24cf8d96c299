"""The benchmark program is found, named by its checksum, and never sent to another processor."""

import hashlib
from pathlib import Path

import pytest

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.latency import program
from jejunet_nas.latency.program import (
    cached_program,
    find_program,
    found_programs,
    how_to_get_it,
    maker_of,
    require_abi,
    runtime_words,
)

MACHINES = {"arm64-v8a": 183, "armeabi-v7a": 40, "x86_64": 62, "x86": 3}


def elf(folder: Path, machine: int) -> Path:
    """Write the beginning of an ELF program: e_machine stands at byte 18."""
    program = folder / "benchmark_model"
    program.write_bytes(b"\x7fELF".ljust(18, b"\1") + machine.to_bytes(2, "little") + bytes(44))
    return program


def test_a_program_that_was_given_is_taken(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    assert find_program(tmp_path / "mine") == tmp_path / "mine"


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_was_given_and_is_no_file_is_a_wrong_argument(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        SettingError, match=r"the benchmark program is /.*, which is not a file\. Get .*curl -L"
    ) as e:
        find_program(tmp_path / name)

    assert e.value.exit_code == 2


def test_without_a_program_the_command_that_gets_one_is_told(cache: Path) -> None:
    with pytest.raises(DeviceError, match=r"no benchmark program at .* curl -L") as e:
        find_program(None)

    assert str(e.value).endswith(how_to_get_it())
    assert f"-o {cache / 'benchmark_model'} https://" in how_to_get_it()
    assert e.value.exit_code == 4
    assert not isinstance(e.value, DeviceAwayError)


def test_the_cached_program_is_found(cache: Path) -> None:
    cache.mkdir(parents=True)
    cached_program().touch()

    assert find_program(None) == cache / "benchmark_model"


def test_the_program_that_litert_keeps_is_found_after_ours(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "LITERT_CACHE", tmp_path / "binaries")
    kept = tmp_path / "binaries" / "arm64-v8a" / "benchmark_model"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"\x7fELF ... \n========== BENCHMARK RESULTS ==========")

    assert find_program(None) == kept
    assert maker_of(kept) == "LiteRT"
    assert runtime_words(kept).startswith("LiteRT benchmark_model ")
    cache.mkdir(parents=True)
    cached_program().touch()
    assert found_programs() == [cached_program(), kept]
    assert find_program(None) == cached_program()


def test_what_is_offered_for_download_is_a_release() -> None:
    assert "/2.2.0/" in how_to_get_it()
    assert "nightly" in how_to_get_it("TensorFlow Lite")


def test_records_name_the_program_by_its_checksum(tmp_path: Path) -> None:
    (tmp_path / "other name").write_bytes(b"words")

    words = runtime_words(tmp_path / "other name")

    assert words == f"benchmark_model {hashlib.sha256(b'words').hexdigest()[:12]}"


@pytest.mark.parametrize("abi", MACHINES)
@pytest.mark.parametrize("built_for", MACHINES)
def test_a_program_for_another_processor_is_refused(
    tmp_path: Path, abi: str, built_for: str
) -> None:
    program = elf(tmp_path, MACHINES[built_for])

    if abi == built_for:
        require_abi(program, abi, "Google Pixel 2")
        return
    with pytest.raises(
        DeviceError,
        match=rf"is built for {built_for}, and Google Pixel 2 runs {abi}\. .*--benchmark-binary",
    ):
        require_abi(program, abi, "Google Pixel 2")


@pytest.mark.parametrize("machine", [243, 0])
def test_a_processor_without_a_name_is_refused_too(tmp_path: Path, machine: int) -> None:
    with pytest.raises(DeviceError, match=r"benchmark_model is built for another machine"):
        require_abi(elf(tmp_path, machine), "arm64-v8a", "Google Pixel 2")


def test_half_a_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF")

    with pytest.raises(DeviceError, match=r"built for another machine, and .* runs arm64-v8a"):
        require_abi(tmp_path / "program", "arm64-v8a", "Google Pixel 2")


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"words", b"\x7fEL"])
def test_what_is_no_elf_program_is_left_to_the_phone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "program").write_bytes(content)

    require_abi(tmp_path / "program", "arm64-v8a", "Google Pixel 2")
