import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jejunet_nas.records import RefusedTrial
from jejunet_nas.space.draw import draw
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.samplers import chooser
from jejunet_nas.study.storage import storage_url
from tests.cli.commands import answer, exit_code, failure, refusal
from tests.search.build import NETWORKS, SPACE, FakeTrials, install, result, tiny_study, write_study

# What is wrong with the study or the command, and how the one line of the answer goes on.
BAD_STUDIES = [
    ("trails: 3", SPACE, r".*tiny\.yaml: trails is an unknown key; allowed: .* mean trials\?"),
    ("training: {stepz: 3}", SPACE, r".*: training\.stepz is an unknown key; .* mean steps\?"),
    ("trials: many", SPACE, r".*tiny\.yaml: trials is 'many'; allowed: integer\."),
    ("", SPACE.replace("[64, 96]", "[]"), r".*: search_space: resolution has no choices\."),
    ("", SPACE.replace("[64, 96]", "[100]"), r".*: resolution: .* is 100; .* nearest is 96\."),
    ("", "search_space: nowhere\n", r".*tiny\.yaml: search_space is nowhere; allowed:"),
]
BAD_OPTIONS = [
    (["--time-budget", "soon"], r"--time-budget is soon; allowed: .* such as 30m\."),
    (
        ["--time-budget", "30"],
        r"--time-budget is 30; allowed: a number with s, m or h, say 30s or 30m",
    ),
    (["--data-root", "/no/where"], r"--data-root is /no/where, which is not a folder\. Check"),
    (["--trials", "0"], r"--trials is 0; allowed: a whole number, 1 or more\. The nearest is 1\."),
    (["--trials", "many"], r"--trials is many; allowed: a whole number, 1 or more\."),
    (
        ["--target-fps", "30"],
        r".*: --target-fps\. The target of a search is `target_fps` in .* file",
    ),
    (["--device", "pixel2"], r".*: --device\. .* `latency\.device` .* report STUDY --device"),
    (["--trails", "3"], r".*[Nn]o such option: --trails\. Did you mean --trials\?"),
    (["--seed", "-1"], r"--seed is -1; allowed: a whole number from 0 to \d+\. The nearest is 0\."),
    (["--init", "imagnet"], r"--init is imagnet, which does not exist; allowed: scratch, imagenet"),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The ledger of a study without trials, whose state lies where the commands look for it."""
    folder = tmp_path / "studies" / "tiny"
    folder.mkdir(parents=True)
    ledger = Ledger(tiny_study(tmp_path), storage_url(folder))
    ledger.note_class_names(("background",))
    return ledger


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jejunet_nas", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def assert_matches(pattern: str, line: str) -> None:
    assert re.match(pattern, line), line


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that was printed, on standard error."""
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line.removeprefix("jejunet-nas: ")


@pytest.mark.parametrize(("more", "space", "words"), BAD_STUDIES)
def test_a_bad_study_is_answered_in_one_line_and_exit_code_2(
    more: str, space: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("search", write_study(tmp_path, more, space)) == 2

    assert_matches(words, one_line(capsys))


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS)
def test_a_bad_option_is_answered_in_one_line_and_exit_code_2(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("search", write_study(tmp_path), *options) == 2

    assert_matches(words, one_line(capsys))


@pytest.mark.parametrize("command", ["search", "report"])
def test_a_study_file_that_is_not_there_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(command, tmp_path / "no.yaml") == 2

    assert_matches(r".*/no\.yaml does not exist\. Check the path\.", one_line(capsys))


def test_an_unknown_study_is_answered_with_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies")
    monkeypatch.chdir(tmp_path)

    assert exit_code("report", "tinny") == 2
    assert_matches(r"study tinny does not exist; allowed: .*tiny, .* the path", one_line(capsys))


def test_a_study_without_trials_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("report", write_study(tmp_path)) == 2

    assert_matches(r"tiny has no trials yet\. Run `jejunet-nas search ", one_line(capsys))


def test_an_unknown_command_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("serch") == 2

    assert_matches(r".*[Nn]o such command 'serch'", one_line(capsys))


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["report", "--help"]])
def test_help_is_given_on_standard_output(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*arguments) == 0

    shown = capsys.readouterr()
    assert shown.out.lower().startswith("usage: jejunet-nas")
    assert shown.err == ""


def test_debug_adds_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--debug", "search", tmp_path / "no.yaml") == 2

    *traceback, line = capsys.readouterr().err.splitlines()
    assert traceback[0].startswith("Traceback")
    assert line.startswith("jejunet-nas: ")


def test_a_report_as_json_is_all_there_is_on_standard_output(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = ledger.ask()
    architecture = draw(ledger.settings.search_space, chooser(trial))
    ledger.complete(trial, result(trial.number, architecture))

    assert exit_code("report", tmp_path / "tiny.yaml", "--json", "--out", tmp_path / "out") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [point["trial"] for point in summary["front"]] == [0]


def test_a_report_of_nothing_feasible_names_the_nearest_and_exits_with_3(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = ledger.ask()
    architecture = draw(ledger.settings.search_space, chooser(trial))
    slow = RefusedTrial(
        number=0,
        architecture=architecture,
        mean_ms=99.0,
        worst_ms=99.0,
        dropped_frames=0.5,
        source="predicted",
        reason="too slow",
    )
    ledger.refuse(trial, slow)

    assert exit_code("report", tmp_path / "tiny.yaml", "--out", tmp_path / "out") == 3
    assert_matches(r"jejunet-nas: .*99\.0 ms", capsys.readouterr().err.splitlines()[-1])


def test_a_search_that_finds_nothing_feasible_names_the_nearest_and_exits_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, FakeTrials())  # of 20 ms a frame, more than was predicted

    shown, said = failure(
        capfd, "search", write_study(tmp_path, "target_fps: 100\ntrials: 2\n"), code=3
    )

    assert shown["front"] == []
    assert_matches(r"jejunet-nas: .* comes nearest: it takes 20\.0 ms", said.splitlines()[-1])


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_space_that_cannot_meet_the_target_is_bad_input_that_leaves_nothing_behind(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path, "target_fps: 1000\n", SPACE.replace("64, 96", "96"))

    line = refusal(capfd, "search", study, *options)

    assert_matches(
        r"No network .*of tiny can meet 1000 fps \(1 ms a frame\) without a dropped frame; the "
        r"fastest \(0\.25 x .*\), .* is predicted for Google Pixel 2 at .* ms a frame: .*\. "
        r"Lower target_fps to \d+, or set latency\.threads to 4\.",
        line,
    )
    assert [each.name for each in tmp_path.iterdir()] == ["tiny.yaml"]


def test_a_dry_run_prints_the_forecast_alone_and_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path, "trials: 7\ndata: {dataset: folder}\n")  # there is no root

    found, said = answer(capfd, "search", study, "--dry-run", "--time-budget", "1h")

    assert (found["networks"], found["whole_space"], found["can_meet"]) == (NETWORKS, True, 1.0)
    assert (found["networks_left"], found["network_s"], found["ends"]) == (7, None, None)
    assert (
        "2 classes are assumed: The folder with the files of the data set folder is not known."
        in said
    )
    assert "7 networks left to train, none begins after " in said
    assert [each.name for each in tmp_path.iterdir()] == ["tiny.yaml"]


def test_a_data_set_on_disk_without_its_folder_is_bad_input(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("search", write_study(tmp_path, "data: {dataset: davis}\n")) == 2

    shown = capfd.readouterr()
    assert shown.out == ""
    assert_matches(
        r"jejunet-nas: .*the data set davis is not known\. Add --data-root",
        shown.err.splitlines()[-1],
    )
