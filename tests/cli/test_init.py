import re
import shlex
from pathlib import Path

import pytest

from jejunet_nas.study.study_file import read_study
from tests.cli.commands import answer, exit_code, refusal
from tests.datasets.trees import write_camvid, write_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_folder_of_pictures_becomes_a_study_that_runs_without_options(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = write_folder(here.parent / "My street's data")

    made, _ = answer(capfd, "init", "--data-root", root)

    study = read_study(Path(made["file"]))
    assert (study.name, study.data.dataset) == ("my_street_s_data", "folder")
    assert study.data.root == str(root)
    assert study.data.open_split("val").class_names == ("background", "person", "dog")
    check, search, *_ = map(shlex.split, made["next"])
    assert exit_code(*check[1:]) == 0
    assert search == ["jejunet-nas", "search", study.name]


def test_data_in_this_folder_are_found_and_several_are_named(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_folder(here / "mine")
    assert answer(capfd, "init")[0]["study"] == "mine"

    write_camvid(here / "CamVid")

    line = refusal(capfd, "init")
    assert line == "--data-root is missing; allowed: CamVid, mine. Choose one of them."
    assert answer(capfd, "init", "--dataset", "camvid")[0]["study"] == "camvid"


def test_a_file_is_never_overwritten_and_a_free_name_is_given(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("init", "street") == 0
    file = here / "studies" / "street.yaml"
    file.write_text("mine")

    line = refusal(capfd, "init", "street", "--dataset", "procedural")

    assert line.endswith("exists. Use another name, such as street_2.")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--dataset", "davs"), r"--dataset is davs; allowed: .* Did you mean davis\?"),
        (("--dataset", "davis"), r"--data-root is missing, and no davis is here\."),
        (("--data-root", "."), r"--data-root is \., which has the files of no known data set\."),
        (("--data-root", "no"), r"--data-root is no, which is not a folder\."),
        (("a b", "--dataset", "procedural"), r"NAME is 'a b'; allowed: at most 100 letters"),
        (("quickstart", "--dataset", "procedural"), r"NAME is quickstart, but .* exists\."),
    ],
)
def test_a_wrong_word_is_answered_in_one_line_and_writes_nothing(
    words: tuple[str, ...], line: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert re.match(line, refusal(capfd, "init", *words))
    assert not list(here.iterdir())
