import json
import re
from pathlib import Path

import pytest

from tests.cli.commands import answer, exit_code, failure, program, refusal
from tests.latency.build import write_program
from tests.phone.stand_in import StandIn
from tests.study.kept import folder_of, kept_study

Capfd = pytest.CaptureFixture[str]


def figures(shown: str) -> dict[str, tuple[float, float]]:
    """Return mean and worst error, in per cent, of each group in the printed table."""
    groups, _, _ = shown.partition("\ngraph ")
    found = {}
    for line in groups.splitlines():
        if line.endswith("%"):
            mean, worst = line.split()[-2:]
            found[line[:42].strip()] = (float(mean.rstrip("%")), float(worst.rstrip("%")))
    return found


def test_a_file_that_ends_early_is_no_interruption(
    monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    def end(*_: object, **__: object) -> None:
        raise EOFError("No data left in file")

    monkeypatch.setattr("jejunet_nas.latency.doctor.examine", end)

    assert exit_code("doctor") == 1
    assert "internal error: EOFError('No data left in file')" in capfd.readouterr().err


def test_with_nothing_attached_it_says_what_is_missing_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    monkeypatch.setenv("PATH", "")

    assert exit_code("doctor") == 0

    shown = capfd.readouterr()
    *told, last = shown.out.splitlines()
    lines = dict(line[4:].split(": ", 1) for line in told)
    assert shown.err == ""
    assert [line[:2] for line in told] == ["ok", "no", "no"]
    assert [*lines] == ["libraries", "adb", "benchmark program"]
    assert "Install it: `apt install adb`" in lines["adb"]
    assert "get LiteRT's: curl -L " in lines["benchmark program"]
    assert last == "Latencies can be predicted. To measure them, get what has no ok."


@pytest.mark.parametrize("asked", [["--device", "adb"], ["--benchmark-binary", "no"]])
def test_what_was_asked_for_and_is_missing_makes_it_fail(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    monkeypatch.setenv("PATH", "")

    shown, said = failure(capfd, "doctor", *asked, code=4)

    assert not shown["works"]
    assert [c["name"] for c in shown["checks"] if c["required"] and not c["works"]] == [
        *("adb", "benchmark program")
    ]
    assert said.splitlines()[-1].startswith("jejunet-nas: missing: adb, benchmark program. ")


def test_a_missing_library_is_bad_input(monkeypatch: pytest.MonkeyPatch, capfd: Capfd) -> None:
    monkeypatch.setattr("jejunet_nas.latency.doctor.LIBRARIES", ("no-such-library",))

    _, said = failure(capfd, "doctor", code=2)

    assert "no  libraries: no-such-library is not installed. Install it: pip" in said


@pytest.mark.adb
def test_a_phone_that_is_away_is_missing(phone: StandIn, tmp_path: Path, capfd: Capfd) -> None:
    asked = ("--device", "adb:HT7", "--benchmark-binary", program(tmp_path))

    shown, said = failure(capfd, "doctor", *asked, code=4)

    assert [check["name"] for check in shown["checks"] if not check["works"]] == ["phone"]
    assert "no  phone: device is adb:HT7, which is not attached. Attached: " in said


@pytest.mark.adb
def test_with_a_phone_and_a_program_all_is_well(
    phone: StandIn, tmp_path: Path, capfd: Capfd
) -> None:
    shown, said = answer(capfd, "doctor", "--benchmark-binary", program(tmp_path))

    assert shown["works"]
    keys = ["name", "works", "required", "words"]
    assert [[*check] for check in shown["checks"]] == [keys] * 5
    assert all(check["works"] for check in shown["checks"])
    assert all(line.startswith("ok ") for line in said.splitlines())
    assert "phone: Google Pixel 2, Android 11, arm64-v8a; pinned to cores 4 to 7 (mask f0)" in said
    assert "copies checked by sha256sum, battery 30.1" in said
    assert "benchmark program on the phone: runs" in said
    assert not phone.locate("/data/local/tmp/jejunet_nas").exists()


@pytest.mark.adb
def test_a_program_that_does_not_run_on_the_phone_is_said_so(
    phone: StandIn, tmp_path: Path, capfd: Capfd
) -> None:
    broken = write_program(tmp_path, 'echo "not executable: 64-bit ELF file" >&2; exit 126')

    shown, said = failure(capfd, "doctor", "--benchmark-binary", broken, code=4)

    assert not {c["name"]: c["works"] for c in shown["checks"]}["benchmark program on the phone"]
    assert "does not run on Google Pixel 2 (not executable: 64-bit ELF file). Get benchmark" in said


def test_the_pixel_2s_table_keeps_to_the_errors_that_were_published(capfd: Capfd) -> None:
    assert exit_code("doctor", "--profile", "pixel2") == 0
    errors = figures(capfd.readouterr().out)
    shown, _ = answer(capfd, "doctor", "--profile", "pixel2")

    # Each bound is half as much again as the profile's own figure, or a little more.
    one_thread, worst = errors["1 thread, networks"]
    assert one_thread <= 3
    assert worst <= 8
    assert errors["MobileNetV1, another runtime"][0] <= 4
    assert errors["2 threads"][0] <= 4
    assert errors["4 threads"][0] <= 4
    assert {group["name"] for group in shown["groups"]} < {*errors}
    assert 100 * shown["left_out"]["mean_error"] == pytest.approx(one_thread, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--profile", "pixl2"], "--profile is pixl2; allowed: pixel2, .* mean pixel2"),
        (["--device", "host"], "--device is host; allowed: adb or adb:SERIAL"),
    ],
)
def test_what_it_cannot_examine_is_refused_in_one_line(
    arguments: list[str], words: str, capfd: Capfd
) -> None:
    assert re.match(words, refusal(capfd, "doctor", *arguments))


def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, capfd: Capfd) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"points": []}))

    line = refusal(capfd, "doctor", "--profile", tmp_path / "p.json")

    assert "p.json: 0 points with one thread; allowed: at least 8" in line


def test_a_healthy_study_is_answered_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    kept_study(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert exit_code("doctor", "tiny") == 0

    shown = capfd.readouterr()
    assert shown.out == "tiny: 3 trials and 2 networks checked, nothing is damaged\n"
    assert shown.err == ""


def test_a_damaged_study_is_bad_input_and_names_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    (folder_of(kept_study(tmp_path), 2) / "key.tflite").unlink()
    monkeypatch.chdir(tmp_path)

    shown, said = failure(capfd, "doctor", "tiny", code=2)

    damaged, summary, error = said.splitlines()
    assert damaged.startswith("damaged network of trial 2: studies/tiny/networks/")
    assert damaged.endswith("Mend it: jejunet-nas search tiny --repair")
    assert summary == "tiny: 3 trials and 2 networks checked, 1 damaged"
    assert error.startswith("jejunet-nas: tiny is damaged, as listed above. Run the commands")
    (finding,) = shown["findings"]
    assert (shown["whole"], finding["command"]) == (False, "jejunet-nas search tiny --repair")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["tiny", "--device", "adb"], "--device is no option for a study. Leave it out, or STUDY."),
        (["--storage", "sqlite:///x.db"], "--storage is given without STUDY. Name the study"),
        (["tinny"], "study tinny does not exist; allowed: "),
    ],
)
def test_options_of_one_check_are_refused_for_the_other(
    given: list[str], words: str, capfd: Capfd
) -> None:
    assert refusal(capfd, "doctor", *given).startswith(words)
