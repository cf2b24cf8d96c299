"""The commands `export` and `verify`, on a study of made-up trials, and on a real one."""

import contextlib
import dataclasses
import json
import re
import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.records import TrialResult
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from jejunet_nas.trial.store import WEIGHTS
from tests.builders import PROCEDURAL, tiny_run
from tests.cli.commands import answer, exit_code, refusal
from tests.export.bundles import EVERY_THIRD, described_graphs, tiny_trial, write_tiny
from tests.made_up import on_screen, scored
from tests.search.build import tiny_study

BRIEFLY = f"""\
data: {{options: {PROCEDURAL}}}
training: {{steps: 2, pairs_per_step: 2, gate_pairs: 28, gate_steps: 2, learning_rate: 0.0001}}
"""
FIGURES = ((0.9, 30.0), (0.85, 12.0), (0.5, 10.0))  # mIoU, ms: the second is the knee


def trial(number: int, miou: float, ms: float) -> TrialResult:
    made = tiny_trial(dataclasses.replace(EVERY_THIRD, keyframe_interval=number + 2))
    stream = dataclasses.replace(made.predicted, mean_ms=ms, worst_ms=ms)
    score = dataclasses.replace(made.score, miou=miou)
    return dataclasses.replace(on_screen(scored(made, score), latency=stream), number=number)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of three trials on a front, of the tiny network under different policies."""
    state = tmp_path / "studies" / "tiny"
    state.mkdir(parents=True)
    ledger = Ledger(tiny_study(tmp_path, BRIEFLY), storage_url(state))
    ledger.note_class_names(tiny_run().train.class_names)
    for number, figures in enumerate(FIGURES):
        made = trial(number, *figures)
        ledger.complete(ledger.ask(), made)
    folder = state / NETWORKS / made.network_id
    folder.mkdir(parents=True)
    for file in described_graphs().values():
        shutil.copy(file, folder)
    tiny_run().network.save_weights(folder / WEIGHTS)
    return tmp_path / "tiny.yaml"


def manifest(bundle: Path) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return plain


@pytest.mark.parametrize("options", [[], ["--trial", 1]])
def test_a_damaged_row_is_named_as_a_file_and_not_as_an_option(
    options: list[object], study: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "studies/tiny/study.db")) as rows, rows:
        rows.execute("UPDATE trial_user_attributes SET value_json = '7'")

    line = refusal(capfd, "export", study, "--out", tmp_path / "b", *options)

    assert re.match(r"/\S*study\.db has a damaged row", line)


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ([], 0),
        (["--pick", "best"], 0),
        (["--pick", "knee"], 1),
        (["--pick", "fastest"], 2),
        (["--trial", 1], 1),
    ],
)
def test_a_bundle_is_made_of_the_trial_that_is_asked_for(
    options: list[object], number: int, study: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    plain, said = answer(capfd, "export", study, "--out", tmp_path / "b", *options)

    miou, ms = FIGURES[number]
    assert plain["out"] == str(tmp_path / "b")
    assert plain["source"]["trial"] == number
    assert manifest(tmp_path / "b")["metrics"]["accuracy"]["miou"] == miou
    assert manifest(tmp_path / "b")["policy"]["keyframe_interval"] == number + 2
    figures = f"{ms:.1f} ms a frame (predicted), 0.0 % of frames dropped, worst frame {ms:.1f} ms"
    both = f"{100 * miou:.1f} mIoU (own-frame {100 * miou:.1f})"
    assert f"trial {number}, {both}, {figures}" in said


def test_a_zip_is_made_where_the_name_says_so_and_passes(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer(capfd, "export", study, "--out", tmp_path / "b.zip")

    plain, said = answer(capfd, "verify", tmp_path / "b.zip")

    assert zipfile.is_zipfile(tmp_path / "b.zip")
    assert next(iter(plain["checks"])) == "archive"
    assert f"{tmp_path / 'b.zip'} passed all checks" in said
    assert "hashes: the SHA-256 of 5 files match" in said


def test_a_trial_that_misses_the_target_is_exported_with_a_warning(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--trial", 0, "--target-fps", 1000)

    _, said = answer(capfd, "export", study, *options, "--out", tmp_path / "b")

    assert "warning: trial 0 misses the target of 1000 fps: " in said
    assert "over 1.0 ms" in said


def test_what_the_search_noted_of_the_data_is_in_the_manifest(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noted = "made_from: {train_fingerprint: '12', val_fingerprint: '34', profile: '5'}\n"
    (tmp_path / "studies" / "tiny" / "study.yaml").write_text(noted)

    answer(capfd, "export", study, "--out", tmp_path / "b")

    assert manifest(tmp_path / "b")["source"]["fingerprints"] == {"train": "12", "val": "34"}


def test_a_trial_is_trained_for_longer_scored_again_and_passes(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain, said = answer(capfd, "export", study, "--out", tmp_path / "b", "--steps", 3)

    (exported,) = (tmp_path / "studies" / "tiny" / "exports").iterdir()
    steps = plain["source"]["export_steps"]
    assert steps in (1, 2, 3)  # the best of three validations
    assert plain["source"]["trained_on"] == "train"
    assert plain["source"]["network_id"] == exported.name
    assert set(plain["source"]["fingerprints"]) == {"train", "val"}
    accuracy = plain["metrics"]["accuracy"]
    assert (accuracy["clips"], accuracy["frames"]) == (2, 16)
    assert 0 < accuracy["miou"] < 0.9  # that of the graphs, not the 0.9 that was made up
    card = (tmp_path / "b" / "README.md").read_text()
    assert f"{steps} steps for this bundle, after 2 in the search" in card
    assert "train and val" not in card
    assert "trial 0" in said
    answer(capfd, "verify", tmp_path / "b")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ["--steps", 2],
            "--steps is 2; allowed: more than the 2 that trial 0 was trained for, or 0 for its "
            "weights. Raise --steps, or leave it out.",
        ),
        (
            ["--train-on", "all"],
            "--train-on is all without --steps; allowed with --steps: more than the 2 that trial 0 "
            "was trained for. Add --steps, or leave --train-on out.",
        ),
    ],
)
def test_steps_that_bring_no_longer_training_are_refused_before_data_are_read(
    asked: list[Any],
    said: str,
    study: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jejunet_nas.search.prepare.prepare", None)

    assert refusal(capfd, "export", study, "--out", tmp_path / "b", *asked) == said


def test_two_ways_to_choose_are_one_too_many(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "export", study, "--out", tmp_path / "b", "--trial", 1, "--pick", "knee")

    assert line == "--trial is 1 and --pick is knee. Give only one of them."


def test_an_output_that_is_there_is_refused_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.zip").touch()

    line = refusal(capfd, "export", tmp_path / "no.yaml", "--out", tmp_path / "b.zip")

    assert line.startswith(f"{tmp_path / 'b.zip'} already exists. Remove it")


def test_graphs_that_are_gone_are_named(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (gate,) = (tmp_path / "studies").rglob("gate.tflite")
    gate.unlink()

    line = refusal(capfd, "export", study, "--out", tmp_path / "b")

    assert "gate.tflite is missing. Copy the study's folder again" in line
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("command", ["export", "segment", "show", "policies"])
def test_no_command_tells_a_trials_figures_of_graphs_that_changed(
    command: str, study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (key,) = (tmp_path / "studies").rglob("key.tflite")
    key.write_bytes(key.with_name("propagate.tflite").read_bytes())
    video = [tmp_path / "film"] if command == "segment" else []

    line = refusal(capfd, command, study, *video, "--out", tmp_path / "b.mp4")

    assert line.startswith(f"{key} was changed after it was scored: its SHA-256 is not the one in")
    assert not (tmp_path / "b.mp4").exists()


def test_verify_names_the_first_fault_in_one_line_and_exits_with_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = write_tiny(tmp_path / "b")
    (bundle / "stray").touch()

    line = refusal(capfd, "verify", bundle)

    assert line.startswith(f"{bundle / 'stray'} is not a file of this bundle")


def test_a_bundle_and_its_zip_are_segmented_alike(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    from PIL import Image

    for number, frame in enumerate(tiny_run().val_frames[:3]):
        Image.fromarray(frame).save(frames / f"{number}.png")
    masks = {}
    for name in ("b", "b.zip"):
        bundle, out = write_tiny(tmp_path / name), tmp_path / f"masks-{name}"
        assert exit_code("segment", bundle, frames, "--masks", out) == 0
        masks[name] = [file.read_bytes() for file in sorted(out.iterdir())]
    capfd.readouterr()

    assert len(masks["b"]) == 3
    assert masks["b"] == masks["b.zip"]
