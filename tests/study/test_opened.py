"""The interface for notebooks: what was searched, opened again."""

import re
from pathlib import Path

import numpy as np
import pytest

import jejunet_nas
from jejunet_nas.errors import SettingError
from tests.builders import tiny_run
from tests.searched_study import (
    BROKEN,
    TOO_SLOW,
    give_graphs,
    measure_network,
    network_folder,
    searched_study,
)
from tests.test_layers import loaded_after

HOSTILE = ("<script>alert(1)</script>", 'a "quoted" & ünïcode 犬')


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("tensorflow", "optuna", "pandas", "matplotlib", "numpy", "pydantic", "typer")

    assert loaded_after("import jejunet_nas", fresh=heavy) == set()
    assert (
        loaded_after("import jejunet_nas.study.opened", fresh=("tensorflow", "matplotlib")) == set()
    )


def test_every_public_name_is_there_and_documented() -> None:
    for name in {*jejunet_nas.__all__} - {"__version__"}:
        assert getattr(jejunet_nas, name).__doc__
        assert name in dir(jejunet_nas)
    with pytest.raises(AttributeError, match="no attribute 'open_studies'"):
        jejunet_nas.open_studies  # noqa: B018


def test_a_study_is_found_by_its_name_from_its_projects_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched_study(tmp_path).rename(tmp_path / "studies" / "tiny.yaml")
    monkeypatch.chdir(tmp_path)

    assert jejunet_nas.open_study("tiny").name == "tiny"


def test_the_front_and_all_trials_are_tables(tmp_path: Path) -> None:
    study = jejunet_nas.open_study(searched_study(tmp_path))

    assert study.front()[["trial", "miou", "mean_ms"]].values.tolist() == [
        [0, 0.9, 30.0],
        [1, 0.4, 20.0],
    ]
    assert study.trials()["state"].tolist() == ["front", "front", "refused", "failed"]
    assert [point["trial"] for point in study.summary()["front"]] == [0, 1]


def test_a_measurement_that_came_since_counts_at_once(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    study = jejunet_nas.open_study(file)

    measure_network(file, key_ms=60.0)

    assert study.front().empty
    assert study.trials()["latency_source"][:2].tolist() == ["measured"] * 2
    assert repr(study) == (
        "<Study tiny: 2 trials complete, 1 refused, 1 failed; nothing meets 25 fps>"
    )


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (9, r"trial is 9; allowed: 0, 1\."),
        (TOO_SLOW, r"trial is 2, which was refused: too slow; allowed: 0, 1\."),
        (BROKEN, r"trial is 3, which failed: out of memory; allowed: 0, 1\."),
    ],
)
def test_a_trial_that_is_not_complete_says_why(number: int, words: str, tmp_path: Path) -> None:
    study = jejunet_nas.open_study(searched_study(tmp_path))

    with pytest.raises(SettingError, match=f"^{words}"):
        study.trial(number)


def test_the_best_trial_is_the_fronts_first_where_there_is_one(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    study = jejunet_nas.open_study(file)
    assert study.best().number == 0

    measure_network(file, key_ms=60.0)

    with pytest.raises(SettingError, match=r"no trial of tiny meets 25 fps\. Resume"):
        study.best()


def test_a_study_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        SettingError, match=r"study tinny does not exist; allowed: .*quickstart, .*a YAML file"
    ):
        jejunet_nas.open_study("tinny")


def test_a_trial_segments_frames_as_its_bundle_does(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    give_graphs(file)
    trial, frames = jejunet_nas.open_study(file).trial(1), tiny_run().val_frames[:3]

    with (
        trial.segmenter() as segmenter,
        jejunet_nas.VideoSegmenter(trial.bundle()) as other,
    ):
        shown = [segmenter.segment(frame) for frame in frames]
        expected = [other.segment(frame).mask for frame in frames]

    assert [each.path for each in shown] == ["key", "propagate", "key"]
    for each, mask in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(each.mask, mask)
    assert trial.bundle().source.trial == trial.number == 1
    assert {*trial.graphs} == {"key", "propagate", "gate"}


def test_a_graph_that_is_gone_is_named(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    give_graphs(file)
    trial = jejunet_nas.open_study(file).trial(0)

    (network_folder(file) / "gate.tflite").unlink()

    for opened in (lambda: trial.graphs, trial.bundle, trial.segmenter):
        with pytest.raises(SettingError, match=r"gate\.tflite is missing\. Copy"):
            opened()


def test_the_figure_is_the_reports(tmp_path: Path) -> None:
    from jejunet_nas.drawing.front import draw_front

    study = jejunet_nas.open_study(searched_study(tmp_path))
    draw_front(study.history, tmp_path / "front.png")

    figure = study.plot_front()

    assert figure._repr_png_() == (tmp_path / "front.png").read_bytes()  # type: ignore[attr-defined]
    figure.savefig(tmp_path / "front.pdf")  # a figure as any other


def test_what_a_notebook_prints_says_what_it_is(tmp_path: Path) -> None:
    study = jejunet_nas.open_study(searched_study(tmp_path))

    assert repr(study) == (
        "<Study tiny: 2 trials complete, 1 refused, 1 failed; 2 on the front, best 90.0 mIoU in "
        "30.0 ms a frame (predicted), 0.0 % dropped>"
    )
    assert re.match(
        r"<Trial 1 of tiny: 40\.0 mIoU in 20\.0 ms a frame \(predicted\), 0\.0 % dropped: "
        r"0\.25 x .*; key every 2",
        repr(study.trial(1)),
    )


def test_names_show_as_text_in_a_notebook(tmp_path: Path) -> None:
    study = jejunet_nas.open_study(
        searched_study(tmp_path, class_names=HOSTILE, reason="<script>alert(2)</script>")
    )

    shown = study._repr_html_()

    assert "<script>" not in shown
    assert "&lt; " not in shown  # no word is escaped twice
    assert "key every 3" in shown
    assert "&lt;script&gt;" in study.trials()[["reason"]].to_html()


def test_a_study_at_another_target_has_the_scores_of_that_and_exports_them(tmp_path: Path) -> None:
    file = searched_study(tmp_path, class_names=tiny_run().train.class_names)
    give_graphs(file)
    study = jejunet_nas.open_study(file)

    fast = study.at(target_fps=60.0)

    assert (study.history.target_fps, fast.history.target_fps) == (25.0, 60.0)
    assert fast.settings.target_fps == fast.trial(0).bundle().target_fps == 60.0
    assert fast.trial(0).result.score != study.trial(0).result.score
    again = fast.at(device="pixel2").history
    assert again.complete == fast.history.complete
    assert study.at().history.searched_for is None


def test_a_target_out_of_range_names_the_nearest(tmp_path: Path) -> None:
    study = jejunet_nas.open_study(searched_study(tmp_path))

    with pytest.raises(SettingError, match=r"target_fps is 5000; .* The nearest is 1000\."):
        study.at(target_fps=5000)
    with pytest.raises(SettingError, match=r"device profile is pixel3; allowed: pixel2"):
        study.at(device="pixel3")
