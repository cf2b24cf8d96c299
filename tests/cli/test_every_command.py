"""Promises that every command keeps: help, errors, JSON, exit codes, completion."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from jejunet_nas import errors
from jejunet_nas.cli import INTERRUPTED, app
from jejunet_nas.cli.arguments import amount_of, complete_device, complete_study, seconds_of
from jejunet_nas.cli.data import app as data_app
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.streams import BROKEN_PIPE, RESULT_LOST
from jejunet_nas.errors import SettingError
from tests.cli.commands import exit_code, failure, refusal
from tests.search.build import write_study

Capfd = pytest.CaptureFixture[str]


def names(part: typer.Typer, *before: str) -> list[tuple[str, ...]]:
    called = [
        each.name or getattr(each.callback, "__name__", "") for each in part.registered_commands
    ]
    return [(*before, str(name)) for name in called]


COMMANDS = [*names(app), *names(data_app, "data")]
PARSED: Any = typer.main.get_command(app)


def parsed(command: tuple[str, ...]) -> Any:
    """Return the parser's command."""
    found = PARSED
    for name in command:
        found = found.commands[name]
    return found


def takes_json(command: tuple[str, ...]) -> bool:
    return any("--json" in each.opts for each in parsed(command).params)


NUMBERS = [
    (command, option.opts[0])
    for command in COMMANDS
    for option in parsed(command).params
    if option.opts[0].startswith("--")
    and option.type_descriptor.annotation in (int, float, int | None, float | None)
]


def words(command: tuple[str, ...]) -> list[str]:
    """Return words for the arguments that a command requires."""
    required = [each for each in parsed(command).params if each.required]
    return [
        word
        for each in required
        for word in ((each.opts[0], "x") if each.opts[0].startswith("--") else ("x",))
    ]


@pytest.mark.parametrize("command", [(), ("data",), *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_there_by_both_names(command: tuple[str, ...], option: str, capfd: Capfd) -> None:
    assert exit_code(*command, option) == 0

    shown = capfd.readouterr()
    assert shown.out.startswith(f"Usage: {' '.join(('jejunet-nas', *command))}")
    assert shown.err == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_bad_input(command: tuple[str, ...], capfd: Capfd) -> None:
    line = refusal(capfd, *command, "--no-such-option")

    assert line.startswith("No such option: --no-such-option.")


@pytest.mark.parametrize("command", [*filter(takes_json, COMMANDS)], ids=" ".join)
def test_a_command_that_fails_answers_in_json_too(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    monkeypatch.chdir(tmp_path)

    shown, said = failure(capfd, *command, *words(command), "--no-such-option", code=2)

    assert shown == {"error": said.removeprefix("jejunet-nas: ").rstrip(), "exit_code": 2}


@pytest.mark.parametrize(("command", "option"), NUMBERS, ids=str)
def test_a_number_that_is_none_is_named_as_its_option(
    command: tuple[str, ...], option: str, capfd: Capfd
) -> None:
    line = refusal(capfd, *command, *words(command), option, "abc")

    assert re.match(rf"{option} is abc; allowed: a (whole )?number", line)


def test_a_choice_is_answered_with_the_nearest(capfd: Capfd) -> None:
    line = refusal(capfd, "export", "x", "--out", "y", "--pick", "bst")

    assert line == "--pick is bst; allowed: best, knee, fastest. Did you mean best?"


@pytest.mark.parametrize(("value", "nearest"), [("0", 1), ("-3", 1), ("65", 64)])
def test_a_number_out_of_range_is_answered_with_the_nearest(
    value: str, nearest: int, capfd: Capfd
) -> None:
    line = refusal(capfd, "show", "x", "--frames", value)

    assert line == (
        f"--frames is {value}; allowed: a whole number from 1 to 64. The nearest is {nearest}."
    )


def test_a_file_whose_name_begins_with_a_dash_is_told_how_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-film.mp4").touch()

    line = refusal(capfd, "segment", "bundle", "-film.mp4")

    assert line.endswith("If it is the file, write ./-film.mp4.")


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("runs is 3; allowed: 50", "--runs is 3; allowed: 50"),
        ("/a.yaml: runs is 3", "--runs is 3"),
        ("the word runs is not first", None),
        ("threads is 3", None),
    ],
)
def test_a_setting_is_named_as_the_option_that_gave_it(message: str, named: str | None) -> None:
    with (
        pytest.raises(SettingError, match=rf"^{re.escape(named or message)}$"),
        naming_options({"runs": "--runs"}),
    ):
        raise SettingError(message)


def test_verify_says_in_json_that_a_bundle_is_not_whole(tmp_path: Path, capfd: Capfd) -> None:
    shown, said = failure(capfd, "verify", tmp_path, code=2)

    assert (shown["whole"], shown["checks"]) == (False, {})
    assert said == f"jejunet-nas: {shown['problems'][0]}\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5 h", 5400), (None, None)],
)
def test_a_duration_has_units_and_may_have_several(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text, "--time-budget") == seconds


@pytest.mark.parametrize("text", ["", "h", "-3m", "1.m", "3 min", "٣m", "1e3s", f"{'9' * 400}s"])
def test_other_words_are_no_duration(text: str) -> None:
    with pytest.raises(SettingError, match=r"--budget is .*; allowed: a number with s, m or h"):
        seconds_of(text, "--budget")


def test_a_number_without_a_unit_is_answered_with_units() -> None:
    with pytest.raises(SettingError, match=r"a number with M or G, say 20M or 20G\."):
        amount_of("20", {"M": 1e6, "G": 1e9}, "--keep-below", "20G")


def test_the_exit_codes_of_the_help_are_those_of_the_errors() -> None:
    line = app.info.epilog
    assert isinstance(line, str)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.JejunetError)}

    assert "128 + n ended by signal n" in line
    assert {int(code) for code in re.findall(r"\b\d+\b(?! \+ n)", line)} == {
        *(0, *codes, RESULT_LOST, INTERRUPTED, BROKEN_PIPE)
    }


def test_studies_and_devices_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies")
    monkeypatch.chdir(tmp_path)

    assert [*complete_study("ti")] == ["tiny"]
    assert [*complete_study("x")] == []
    assert [*complete_device("p")] == ["predicted"]


def test_completing_loads_no_heavy_library(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies")
    heavy = ("tensorflow", "optuna", "pandas", "matplotlib", "numpy")
    code = (
        "from jejunet_nas.cli import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        f"import sys\nprint([name for name in {heavy} if name in sys.modules])"
    )
    asked = {
        "_JEJUNET_NAS_COMPLETE": "complete_bash",
        "COMP_WORDS": "jejunet-nas search t",
        "COMP_CWORD": "2",
    }

    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout.splitlines() == ["tiny", "[]"]


def test_an_address_without_ray_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert refusal(capfd, "search", "quickstart", "--address", "HOST:6379") == (
        "--address is HOST:6379, but --executor is processes; allowed: an address with --executor "
        "ray. Add --executor ray, or leave --address out."
    )
