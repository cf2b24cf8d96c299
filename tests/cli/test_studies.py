import json
import re
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cli.commands import answer, exit_code, refusal
from tests.search.build import write_study
from tests.searched_study import searched_study


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the searched study `tiny` in studies/."""
    searched_study(tmp_path).rename(tmp_path / "studies" / "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_has_the_studies_here_and_in_the_package(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "studies" / "broken.yaml").write_text("trials: [1]\n")

    rows, _ = answer(capfd, "studies", "list")

    found = {row["study"]: row for row in rows}
    tiny, shipped = found["tiny"], found["quickstart"]
    assert (tiny["complete"], tiny["best_miou"], tiny["dataset"]) == (2, 0.9, "procedural")
    assert (shipped["from"], shipped["complete"]) == ("package", None)
    assert "broken.yaml" in found["broken"]["problem"]
    assert exit_code("studies", "list") == 0
    assert "tiny" in capfd.readouterr().out


def test_show_gives_the_settings_as_a_search_uses_them(capfd: pytest.CaptureFixture[str]) -> None:
    shown, _ = answer(capfd, "studies", "show", "tiny")

    assert shown["settings"]["target_fps"] == 25
    assert shown["settings"]["search_space"]["keyframe_interval"] == [1, 2, 3]
    assert (shown["file"], shown["complete"]) == ("studies/tiny.yaml", 2)


def test_a_copy_keeps_comments_and_is_the_same_study(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("studies", "copy", "davis_pixel2", "mine") == 0

    text = (here / "studies" / "mine.yaml").read_text()
    assert "jejunet-nas search mine\n" in capfd.readouterr().out
    assert "#   jejunet-nas search mine --data-root DAVIS\n" in text
    assert "\nname: mine\n" in text
    assert "# The best at the target are trained with other seeds" in text


def test_a_copy_renames_the_study_in_every_command_of_a_line(here: Path) -> None:
    assert exit_code("studies", "copy", "quickstart", "fast") == 0

    text = (here / "studies" / "fast.yaml").read_text()
    assert "#   jejunet-nas search fast && jejunet-nas report fast\n" in text
    assert "search_space: quickstart\n" in text  # no command


def test_a_copy_overwrites_nothing_and_stays_in_the_folder(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for new, words in {
        "tiny": r"NEW is tiny, but studies/tiny\.yaml exists",
        "quickstart": r"NEW is quickstart, but .*quickstart\.yaml exists",
        "a/b": "NEW is 'a/b'; allowed: at most 100 letters",
        "t.yaml": r"NEW is t\.yaml; allowed: a name that does not end in",
    }.items():
        assert re.match(words, refusal(capfd, "studies", "copy", "davis_pixel2", new))


def test_a_copy_without_the_files_beside_it_is_refused(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "away").mkdir()
    file = write_study(here / "away", space="search_space: little.yaml\n")
    (here / "away" / "little.yaml").write_text(
        (Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml").read_text()
    )

    assert "names files that lie beside it" in refusal(capfd, "studies", "copy", file, "mine")
    assert not (here / "studies" / "mine.yaml").exists()


def test_remove_deletes_the_state_alone_and_follows_no_link(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = here / "studies" / "tiny"
    outside = here / "outside"
    outside.mkdir()
    (outside / "kept.txt").touch()
    (state / "link").symlink_to(outside)

    assert exit_code("studies", "remove", "tiny", "--yes") == 0

    assert not state.exists()
    assert (outside / "kept.txt").is_file()
    assert (here / "studies" / "tiny.yaml").is_file()
    assert "has no state" in refusal(capfd, "studies", "remove", "tiny", "--yes")


def test_remove_asks_and_refuses_while_a_search_runs(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "Add --yes." in refusal(capfd, "studies", "remove", "tiny")
    with FileLock(here / "studies" / "tiny" / "lock"):
        assert "is being searched" in refusal(capfd, "studies", "remove", "tiny", "--yes")
    assert (here / "studies" / "tiny" / "study.db").is_file()


def test_a_state_that_is_a_link_is_not_removed(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = here / "studies" / "tiny"
    state.rename(here / "elsewhere").absolute()
    state.symlink_to(here / "elsewhere")

    assert "is a link" in refusal(capfd, "studies", "remove", "tiny", "--yes")
    assert (here / "elsewhere" / "study.db").is_file()


def test_the_state_of_a_study_whose_file_is_gone_can_be_removed(here: Path) -> None:
    (here / "studies" / "tiny.yaml").unlink()

    assert exit_code("studies", "remove", "tiny", "--yes") == 0
    assert not (here / "studies" / "tiny").exists()


def test_what_is_no_name_removes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("..", ".", "../outside", "/tmp", ""):
        assert "does not exist" in refusal(capfd, "studies", "remove", name, "--yes")


def test_the_schema_is_printed_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code("studies", "schema") == 0

    assert "target_fps" in json.loads(capfd.readouterr().out)["properties"]
