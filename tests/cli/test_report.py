"""The command `report`: one study, one against a baseline, several beside each other."""

import json
import re
from pathlib import Path

import pytest

from jejunet_nas.latency.profile_json import profile_file
from tests.builders import tiny_run
from tests.cli.commands import answer, exit_code, refusal
from tests.search.build import SPACE, write_study
from tests.searched_study import MIOUS, TARGET_FPS, give_graphs, network_folder, searched_study


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return searched_study(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return searched_study(folder)


def test_a_report_lies_among_the_projects_reports_and_says_where(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("report", study) == 0

    page = study.parent / "reports" / "tiny" / "index.html"
    said = capfd.readouterr()
    assert said.out.endswith(f"report: {page}\n")
    assert "Trial 0 is the best of" in page.read_text(encoding="utf-8")


def test_without_graphs_there_are_no_pictures_and_the_reason_is_told(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("report", study) == 0

    reason = r"some pictures of masks are missing: trial 0: .*key\.tflite is missing\."
    assert re.search(reason, capfd.readouterr().err)
    page = (study.parent / "reports" / "tiny" / "index.html").read_text(encoding="utf-8")
    assert "Some pictures are missing: " in page


def test_a_graph_that_changed_after_its_score_is_told_and_the_report_is_written(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    give_graphs(study)
    assert exit_code("report", study) == 0
    assert "was changed" not in capfd.readouterr().err

    (network_folder(study) / "gate.tflite").write_bytes(b"another")

    assert exit_code("report", study) == 0  # with the pictures that were drawn before
    assert "gate.tflite was changed after it was scored" in capfd.readouterr().err
    page = (study.parent / "reports" / "tiny" / "index.html").read_text(encoding="utf-8")
    assert "cannot be exported: " in page


def test_a_baseline_is_answered_on_the_page_in_markdown_and_for_programs(
    study: Path, other: Path
) -> None:
    assert exit_code("report", study, "--baseline", other) == 0

    folder = study.parent / "reports" / "tiny"
    for name in ("index.html", "report.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "Compared with tiny" in text
        assert f"trial 0 with {100 * MIOUS[0]:.1f} % mIoU" in text
    against = json.loads((folder / "summary.json").read_text())["baseline"]["against"]
    assert {each["baseline"]["miou"] for each in against} == {*MIOUS}


def test_a_baseline_is_scored_for_the_camera_of_the_study(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slow").mkdir()
    slow = searched_study(tmp_path / "slow", target_fps=5)
    give_graphs(slow)

    line = refusal(capfd, "report", study, "--baseline", slow)

    # Made-up scores are of bear and camel; those of the graphs at 25 fps are of the real clips.
    assert line.startswith("the clips are bear, camel and val-000, val-001; ")


def test_two_studies_are_compared_on_a_page_of_their_own(
    study: Path, other: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("report", study, other, "--json") == 0

    said = capfd.readouterr()
    page = study.parent / "reports" / "tiny-vs-tiny" / "index.html"
    assert said.err == f"comparison: {page}\n"
    assert json.loads(said.out)["studies"] == ["tiny", "tiny"]
    assert "tiny and tiny" in page.read_text(encoding="utf-8")


def test_a_baseline_beside_several_studies_is_bad_input(
    study: Path, other: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("report", study, other, "--baseline", other) == 2

    assert "it needs exactly one. Name the" in capfd.readouterr().err


def test_a_data_root_for_several_studies_is_bad_input(
    study: Path, other: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("report", study, other, "--data-root", tmp_path) == 2

    assert "with 2 studies; it needs exactly one. Leave it out: each" in capfd.readouterr().err


def test_a_baseline_without_trials_is_bad_input(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    assert exit_code("report", study, "--baseline", write_study(empty, "", SPACE)) == 2

    assert "tiny has no trials yet" in capfd.readouterr().err
    assert not (study.parent / "reports").exists()


def test_the_page_is_opened_where_that_is_asked_for(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    assert exit_code("report", study, "--open", "--out", study.parent / "out") == 0

    assert opened == [(study.parent / "out" / "index.html").as_uri()]


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A study with graphs that fit its clips; its figures at its own target are made up."""
    study = searched_study(tmp_path, class_names=tiny_run().train.class_names)
    give_graphs(study)
    return study


def test_at_another_target_the_trained_networks_are_scored_again(
    real: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain, said = answer(capfd, "report", real, "--target-fps", 12.5)

    folder = real.parent / "reports" / "tiny_12.5fps"
    assert f"report: {folder / 'index.html'}\n" in said
    assert (plain["target_fps"], plain["searched_for"]["target_fps"]) == (12.5, TARGET_FPS)
    assert plain["front"][0]["miou"] not in MIOUS  # that of the graphs, none that was made up
    words = f"from the networks of a search for {TARGET_FPS} fps. 1 untrained architecture"
    for name in ("index.html", "report.md"):
        assert words in (folder / name).read_text(encoding="utf-8")
    assert words in said
    page = re.sub("</?span>", "", (folder / "index.html").read_text(encoding="utf-8"))
    assert re.search(r"jejunet-nas export .* --trial \d --target-fps 12\.5 --out ", page)
    assert f"report {real} --target-fps 12.5   #" in (folder / "report.md").read_text()
    assert not (real.parent / "reports" / "tiny").exists()


def test_another_device_is_named_by_its_profile(
    real: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = real.parent / "my_phone.json"
    plain = json.loads(profile_file("pixel2").read_text()) | {"device": "My Phone"}
    profile.write_text(json.dumps(plain))

    found, said = answer(capfd, "report", real, "--device", f"predicted:{profile}")

    assert (found["device"], found["searched_for"]["device"]) == ("My Phone", "Google Pixel 2")
    assert "tiny_my_phone/index.html" in said.replace("\\", "/")
    assert f"search for {TARGET_FPS} fps on Google Pixel 2." in said


def test_the_studys_own_target_is_its_own_report(real: Path) -> None:
    assert exit_code("report", real, "--target-fps", TARGET_FPS) == 0

    assert "Scored again" not in (real.parent / "reports/tiny/report.md").read_text()


def test_several_studies_are_compared_at_another_target(
    real: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, said = answer(capfd, "report", real, real, "--target-fps", 20)

    assert "tiny_20fps-vs-tiny_20fps" in said


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--target-fps", 0, "--target-fps is 0; allowed: 0.01 to 1000. The nearest is 0.01."),
        ("--target-fps", "nan", "--target-fps is nan; allowed: 0.01 to 1000. The nearest is 1000."),
        ("--device", "pixel3", "--device is pixel3; allowed: pixel2, or the path of a .json file"),
    ],
)
def test_a_target_or_device_that_is_none_is_named_by_its_option(
    option: str, value: object, words: str, study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capfd, "report", study, option, value).startswith(words)


def test_a_trial_is_exported_at_another_target(
    real: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = real.parent / "b"

    plain, _ = answer(capfd, "export", real, "--trial", 1, "--target-fps", 12, "--out", bundle)

    assert plain["target_fps"] == 12.0
    assert plain["metrics"]["accuracy"]["miou"] != MIOUS[1]
