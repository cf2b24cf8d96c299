"""Each command that is printed runs as it stands, wherever the study's file is."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from jejunet_nas.cli import app, main
from tests.cli.commands import exit_code, refusal
from tests.search.build import FakeTrials, install, write_study
from tests.searched_study import searched_study

COMMAND = re.compile(r"jejunet-nas [a-z][^\n`#<]*")
FEW = "trials: 2\ntarget_fps: 25\n"


def printed(text: str) -> list[list[str]]:
    """Return the words of each command in `text`, as a shell splits them."""
    return [shlex.split(found)[1:] for found in COMMAND.findall(text)]


def parse(words: list[str]) -> None:
    """Parse a command line without running it. Raises if there is no such command or option."""
    command, context = typer.main.get_command(app), None
    while hasattr(command, "get_command"):
        context = command.make_context(words[0], [], parent=context)
        command = command.get_command(context, words[0])
        assert command is not None, words
        words = words[1:]
    command.make_context("", words, parent=context)


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study file outside studies/, in a folder whose name a shell would split."""
    install(monkeypatch, FakeTrials(), ("background",))  # the class of their results
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my 'studies'"
    folder.mkdir()
    (tmp_path / "data").mkdir()
    return write_study(folder, FEW)


def test_the_commands_of_a_search_and_its_report_run_without_its_options(
    away: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ("--data-root", "data", "--seed", 3, "--init", "scratch")
    assert exit_code("search", away, *given) == 0

    (report,) = printed(capfd.readouterr().err)
    assert exit_code(*report) == 0
    page = (away.parent / "reports" / "tiny" / "report.md").read_text()
    search, again = printed(page.partition("## Made by")[2])
    assert search[2:] == ["--trials", "4"]
    assert exit_code(*search) == exit_code(*again) == 0
    assert "is complete: 4 of 4 trials" not in capfd.readouterr().err
    assert exit_code(*search) == 0
    assert "tiny is complete: 4 of 4 trials. Add trials with" in capfd.readouterr().err


def test_the_export_command_of_every_card_can_be_parsed(
    away: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from jejunet_nas.reporting.site.cards import export_command

    assert exit_code("search", away) == 0
    parse(shlex.split(export_command(str(away), 1))[1:])
    with pytest.raises(Exception, match="No such option"):
        parse(["export", "tiny", "--nowhere"])


def test_every_command_of_the_readme_and_of_the_docs_can_be_parsed() -> None:
    project = Path(__file__).parents[2]
    pages = [project / "README.md", *(project / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))

    commands = re.findall(r"^jejunet-nas (.*)", blocks, re.MULTILINE)

    assert len(commands) >= 20
    for line in commands:
        parse(shlex.split(line, comments=True))


def test_a_study_without_trials_names_the_search_that_runs(
    away: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (search,) = printed(refusal(capfd, "report", away).replace(" first.", ""))

    assert exit_code(*search) == 0


def test_a_failed_start_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "No such file" not in refusal(capfd, "search", "davis_pixel2", "--data-root", tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_failed_resume_keeps_the_trials(away: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code("search", away) == 0
    away.write_text(away.read_text().replace("target_fps: 25", "target_fps: 24"))

    assert exit_code("search", away) == 2

    assert (away.parent / "studies" / "tiny" / "study.db").is_file()


def test_a_name_of_a_study_and_of_a_folder_of_graphs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    searched_study(tmp_path).rename(tmp_path / "studies" / "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "key.tflite").touch()
    words = "tiny is a study and a folder of graphs. Write ./tiny for the folder, or studies/"

    assert refusal(capfd, "measure", "tiny", "--device", "predicted").startswith(words)
    assert words in refusal(capfd, "segment", "tiny", "video.mp4", "--masks", "out")
    with pytest.raises(SystemExit, match="2"):
        main(["measure", "./tiny", "--device", "predicted"])  # it is no graph
    assert "a study and" not in capfd.readouterr().err
