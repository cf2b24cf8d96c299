"""The command `segment`, on bundles and on studies."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.drawing.live import LiveView
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from tests.builders import tiny_network, tiny_run
from tests.cli.commands import answer, exit_code, refusal
from tests.export.bundles import write_tiny
from tests.made_up import as_in, scored
from tests.media.films import FRAMES, HEIGHT, WIDTH, read_back, write_film
from tests.search.build import result, tiny_study

POLICY = Policy(keyframe_interval=3)
KEYS = {
    *("study", "trial", "network_id", "video", "out", "masks", "frames", "seconds", "fps"),
    *("paths", "background_keyframes", "pace", "host_ms", "host_resize_ms", "host_draw_ms"),
    *("notes", "trouble", "interrupted"),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("bundles") / "bundle", POLICY)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of two trials of the tiny network: 0 is the better one."""
    state = tmp_path / "studies" / "tiny"
    state.mkdir(parents=True)
    ledger = Ledger(tiny_study(tmp_path), storage_url(state))
    ledger.note_class_names(tiny_run().train.class_names)
    for number, policy in enumerate((POLICY, Policy(keyframe_interval=2))):
        made = result(number, Architecture(network=tiny_network(), policy=policy), mean_ms=20)
        network = dataclasses.replace(made.network, class_names=tiny_run().train.class_names)
        network = as_in(tiny_run().graphs["key"].parent, network)
        score = dataclasses.replace(made.score, miou=0.9 - number / 2)
        made = scored(dataclasses.replace(made, network=network), score)
        ledger.complete(ledger.ask(), made)
    folder = state / "networks" / made.network_id
    folder.mkdir(parents=True)
    for name in GRAPH_NAMES:
        shutil.copy(tiny_run().graphs[name], folder / f"{name}.tflite")
    return tmp_path / "tiny.yaml"


def test_a_bundle_segments_a_film_and_says_what_it_took(
    bundle: Path, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"

    plain, said = answer(capfd, "segment", bundle, film, "--out", out)

    assert set(plain) == KEYS
    assert (plain["frames"], plain["out"], plain["pace"]) == (FRAMES, str(out), "scored")
    assert plain["paths"] == {
        "key": 0.35,
        "propagate": 0.65,
        "warp": 0.0,
        "move": 0.0,
        "reuse": 0.0,
    }
    assert set(plain["host_ms"]) == {"key", "propagate", "warp", "move", "reuse", "all"}
    assert set(plain["host_ms"]["key"]) == {"mean", "median", "p95"}
    assert len(read_back(out)[1]) == FRAMES
    assert f"{FRAMES} frames in" in said
    assert "on this computer" in said
    assert said.endswith(f"segmented: {out}\n")
    assert "XNNPACK" not in said


def test_no_line_of_litert_or_tensorflow_is_seen(bundle: Path, film: Path, tmp_path: Path) -> None:
    for words, lines in (
        (("measure", bundle / "key.tflite", "--device", "host", "--runs", 1), 0),
        (("verify", bundle), 0),
        (("segment", bundle, film, "--frames", 1, "--masks", tmp_path / "masks"), 0),
    ):
        command = [sys.executable, "-m", "jejunet_nas", *map(str, words)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert len(ended.stderr.splitlines()) == lines, ended.stderr
        assert "INFO" not in ended.stdout


@pytest.mark.parametrize(("options", "trial", "keys"), [([], 0, 0.35), (["--trial", 1], 1, 0.5)])
def test_a_study_is_segmented_with_by_its_best_trial_or_the_one_that_is_named(
    options: list[object],
    trial: int,
    keys: float,
    study: Path,
    film: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    masks = tmp_path / "masks"

    plain, _ = answer(capfd, "segment", study, film, "--masks", masks, *options)

    assert (plain["study"], plain["trial"], plain["paths"]["key"]) == ("tiny", trial, keys)
    assert len(list(masks.iterdir())) == FRAMES


def test_a_trial_that_is_not_there_is_answered_with_those_that_are(
    study: Path, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "segment", study, film, "--out", tmp_path / "o.mp4", "--trial", 7)

    assert line == "--trial is 7; allowed: 0, 1."


def test_a_trial_whose_graphs_are_gone_is_refused(
    study: Path, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "studies" / "tiny" / "networks")

    line = refusal(capfd, "segment", study, film, "--out", tmp_path / "o.mp4")

    assert "key.tflite is missing. Copy the study's folder again" in line


def test_a_bundle_has_no_trials(
    bundle: Path, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "segment", bundle, film, "--out", tmp_path / "o.mp4", "--trial", 0)

    assert line.startswith(f"--trial is 0, but {bundle} is a bundle,")


def test_an_older_video_is_not_overwritten(
    bundle: Path, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o.mp4").write_text("old")

    line = refusal(capfd, "segment", bundle, film, "--out", tmp_path / "o.mp4")

    assert line.endswith(f"o.mp4, which exists. Remove it, or use {tmp_path / 'o-2.mp4'}.")
    assert (tmp_path / "o.mp4").read_text() == "old"


def test_what_is_neither_bundle_nor_study_is_named(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    line = refusal(capfd, "segment", "nowhere", film, "--out", "o.mp4")

    assert line.startswith("study nowhere does not exist;")
    assert line.endswith("For a bundle, give its folder or .zip.")


def test_a_video_in_the_place_of_the_bundle_is_told_the_order(
    bundle: Path, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "segment", film, bundle, "--out", tmp_path / "o.mp4")

    assert line.startswith(f"TARGET is {film}, a file that is no .zip; allowed: a bundle")
    assert line.endswith("It comes first: jejunet-nas segment BUNDLE VIDEO.")


def test_an_output_has_to_be_named_and_is_not_the_input(
    bundle: Path, film: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capfd, "segment", bundle, film).startswith("neither --out nor --masks is given.")
    same = refusal(capfd, "segment", bundle, film, "--out", film)
    assert "film.mp4 cannot be written" in same
    assert same.endswith("film-segmented.mp4.")


def test_a_video_that_is_not_there_is_named(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "segment", bundle, tmp_path / "no.mp4", "--out", tmp_path / "o.mp4")

    assert "no.mp4 does not exist. Use a video file, a folder of frames, or a camera" in line


def test_ctrl_c_keeps_the_film_so_far_and_exits_with_130(
    bundle: Path,
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out, draw = tmp_path / "out.mp4", LiveView.draw
    drawn: list[object] = []

    def press(view: LiveView, *given: object) -> object:
        if len(drawn) == 4:
            raise KeyboardInterrupt
        drawn.append(given)
        return draw(view, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(LiveView, "draw", press)

    assert exit_code("segment", bundle, film, "--out", out) == 130
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1] == f"jejunet-nas: interrupted; the 4 frames so far are in {out}"
    assert len(read_back(out)[1]) == 4


def test_a_film_that_breaks_off_is_reported_in_one_line_and_is_no_failure(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    noisy = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(FRAMES)]
    content = write_film(tmp_path / "whole.mp4", noisy).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])

    plain, said = answer(
        capfd, "segment", bundle, tmp_path / "cut.mp4", "--out", tmp_path / "o.mp4"
    )

    assert 0 < plain["frames"] < FRAMES
    assert plain["trouble"] in said.splitlines()
    assert "cut.mp4 breaks off after" in plain["trouble"]
