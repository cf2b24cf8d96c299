"""The model card says what there is to know, and shows names as text."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.export.card import card_of
from jejunet_nas.export.facts import _accuracy
from jejunet_nas.records import DataFacts, VideoFacts
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.manifest import Manifest, OriginAccuracy
from jejunet_nas.video.manifest_file import read_manifest
from tests.export import bundles
from tests.export.bundles import tiny_trial, write_tiny
from tests.made_up import scored

HOSTILE = ("background", "<script>alert('x')</script>", 'say "æ"', "a|b", "*c* [d](e) `f`")


def card(folder: Path, policy: Policy, study: str = "tiny") -> str:
    bundle = write_tiny(folder / "b", policy, study=study, class_names=HOSTILE)
    return (bundle / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> str:
    policy = Policy(keyframe_interval=5, reuse_below=0.05, refresh_above=0.25)
    return card(tmp_path_factory.mktemp("cards"), policy, "a <b>study</b> & æ")


def test_it_has_the_sections_of_a_model_card(gated: str) -> None:
    sections = re.findall(r"^## (.*)$", gated, re.MULTILINE)

    assert sections == [
        *("Intended use", "Accuracy and latency", "Limits", "The graphs"),
        *("Run it on this computer", "Run it on Android, step by step"),
    ]


def test_names_are_text_whatever_is_in_them(gated: str) -> None:
    assert "# a \\<b\\>study\\</b\\> \\& æ, trial 3" in gated
    assert "\\<script\\>alert('x')\\</script\\>" in gated
    assert 'say "æ"' in gated
    assert "| a\\|b |" in gated
    assert "\\*c\\* \\[d\\](e) \\`f\\`" in gated
    assert "<script" not in gated.replace("\\<script", "")


def test_figures_stand_with_their_source(gated: str) -> None:
    assert "mIoU **50.0 %**, with the int8 graphs" in gated
    assert "own-frame mIoU 50.0 %." in gated
    assert "| a frame, mean | 20.0 | predicted |" in gated
    assert "The latency was predicted." in gated
    assert re.search(r"^\| \\\*c.* \| - \|", gated, re.MULTILINE)  # no frame holds it


def test_the_steps_are_those_of_the_policy(gated: str, tmp_path: Path) -> None:
    every_frame = card(tmp_path, dataclasses.replace(Policy(keyframe_interval=1)))

    assert "A score above 0.25 makes the frame a keyframe." in gated
    assert "A score below 0.05 **reuses** the keyframe's mask." in gated
    assert "each frame 5 or more frames after the last keyframe: `key.tflite` runs" in gated
    assert "`gate.tflite`, " not in every_frame
    steps = every_frame[every_frame.index("## The graphs") :]
    for word in ("score ", "propagate", "gate", "context`", "thumbnail", "background,", "reuse"):
        assert word not in steps, word
    assert "| key graph | 20.0 | predicted |" in every_frame
    assert "to 64 x 64 pixels" in every_frame


def test_masks_that_move_are_told_with_what_moving_takes(tmp_path: Path) -> None:
    policy = Policy(keyframe_interval=5, between_keyframes="move", asynchronous=True)
    manifest = read_manifest(write_tiny(tmp_path / "b", policy)).model_dump(mode="json")
    manifest["metrics"]["latency"]["move_ms"] = 1.25

    text = card_of(Manifest.model_validate_json(json.dumps(manifest)))
    manifest["metrics"]["latency"]["move_ms"] = None
    without = card_of(Manifest.model_validate_json(json.dumps(manifest)))

    assert "All other frames **move** the keyframe's mask with the picture: no graph" in text
    assert "in grey pictures of 32 x 32 pixels" in text
    assert "a frame uses the keyframe's mask, moved with the picture." in text
    assert "finds the motion of the picture with `motion.py`" in text
    assert "the motion since the new one is kept too" in text
    assert "| moving a mask | 1.2 | predicted |\n| a frame, mean" in text
    assert "moving a mask" not in without
    assert not re.search("propagate|reuse|gate", text[text.index("## The graphs") :])


def test_contexts_that_are_warped_are_told_with_what_warping_takes(tmp_path: Path) -> None:
    policy = Policy(keyframe_interval=5, between_keyframes="warp", asynchronous=True)
    manifest = read_manifest(write_tiny(tmp_path / "b", policy)).model_dump(mode="json")
    manifest["metrics"]["latency"]["move_ms"] = 1.25

    text = card_of(Manifest.model_validate_json(json.dumps(manifest)))
    manifest["metrics"]["latency"]["move_ms"] = None
    without = card_of(Manifest.model_validate_json(json.dumps(manifest)))

    assert "All other frames are **warped**: `propagate.tflite` runs with the frame" in text
    assert "in grey pictures of 32 x 32 pixels" in text
    assert "a frame uses older features, warped by the motion of the picture." in text
    assert "finds the motion of the picture with `motion.py`" in text
    assert "the motion since the new one is kept too" in text
    assert "| propagate graph | " in text
    assert "| warping the context | 1.2 | predicted |\n| a frame, mean" in text
    assert "warping the context" not in without
    assert not re.search(r"propagated|reuse|\bgate", text[text.index("## The graphs") :])


def test_masks_ahead_are_told_with_how_to_get_it(tmp_path: Path) -> None:
    plain = card(tmp_path / "a", Policy(keyframe_interval=5, between_keyframes="warp"))
    text = card(tmp_path / "b", Policy(keyframe_interval=5, between_keyframes="warp", ahead=True))

    assert "below, moved on by the last motion (ahead),\nis compared with that" in text
    assert "segmenter.ahead(mask) " in text
    assert "ahead" not in plain
    assert "finished with the latencies below\nis compared with that" in plain


@pytest.mark.parametrize("between", ["propagate", "reuse"])
def test_of_masks_that_do_not_move_nothing_is_said(between: Any, tmp_path: Path) -> None:
    text = card(tmp_path, Policy(keyframe_interval=5, between_keyframes=between))

    assert "The masks of fast objects lag behind." in text
    assert not re.search(r"\bmov(e[sd]?|ing)\b|motion|warp", text)


def test_tables_are_whole_and_no_blank_lines_pile_up(gated: str) -> None:
    lines = gated.splitlines()

    for table in re.findall(r"(?:^\|.*\n)+", gated, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, table
    assert not any(a == b == c == "" for a, b, c in zip(lines, lines[1:], lines[2:], strict=False))
    assert "{{" not in gated
    assert "{%" not in gated


def test_a_trial_that_misses_its_target_says_so(
    gated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "50.0 frames a second\n(predicted" in gated
    assert "misses" not in gated

    monkeypatch.setattr(bundles, "PREDICTED_MS", 50.0)
    slow = card(tmp_path, Policy(keyframe_interval=1))

    assert "20.0 frames a second\n(predicted" in slow
    assert "The target was 24 frames a second: **it misses the target**" in slow


@pytest.mark.parametrize(
    ("video", "pans", "words"),
    [
        (None, None, None),
        ({"clips": 3, "miou": 0.5}, None, None),
        (
            {"clips": 1, "miou": 0.4},
            {"clips": 9, "miou": 0.9},
            r"\n\n1 of the clips is video: mIoU 40\.0 %\. The other 9 are simulated pans over "
            r"photos, where nothing\nmoves by itself: mIoU 90\.0 %\. For one video no confidence "
            r"interval can be given\.\n\n\| class",
        ),
        (None, {"clips": 9, "miou": 0.9}, r"\n\nAll of the clips are simulated pans .*\n\n\| cl"),
    ],
)
def test_clips_that_are_simulated_pans_are_told_from_video(
    video: dict[str, Any] | None, pans: dict[str, Any] | None, words: str | None, tmp_path: Path
) -> None:
    manifest = read_manifest(write_tiny(tmp_path / "b")).model_dump(mode="json")
    manifest["metrics"]["accuracy"] |= {"video": video, "pans": pans}

    text = card_of(Manifest.model_validate_json(json.dumps(manifest)))

    assert "\n\n\n" not in text
    assert re.search(words, text) if words else "simulated pan" not in text


def test_the_scores_of_video_and_of_pans_come_from_the_trial() -> None:
    known = tiny_trial(Policy(keyframe_interval=1))
    clips = tuple(
        ClipScore(name=name, frames=2, annotated=(9,), intersection=(hit,), union=(9,))
        for name, hit in (("ride", 3), ("photo", 9))
    )
    ride = VideoFacts(name="ride", frames=2, annotated_frames=2, fps=24.0)
    data = DataFacts(videos=(ride,), photos=1)

    accuracy = _accuracy(scored(known, Score(miou=0.5, class_iou=(0.5,), clips=clips)), data)

    assert accuracy.video == OriginAccuracy(clips=1, miou=1 / 3)
    assert accuracy.pans == OriginAccuracy(clips=1, miou=1.0)


def test_it_says_which_training_the_figures_are_of(tmp_path: Path) -> None:
    manifest = read_manifest(write_tiny(tmp_path / "tiny"))
    source = manifest.source.model_copy(update={"trained_on": "all", "export_steps": 900})

    said = card_of(manifest.model_copy(update={"source": source}))

    assert (
        "900 steps for this bundle, after 2 in the search, on train and val: all figures of mIoU "
        "are of the same training on train alone"
    ) in said
    assert "on train and val" not in card_of(manifest)


@pytest.mark.parametrize(
    ("dataset", "said"), [("davis", True), ("camvid", True), ("procedural", False)]
)
def test_a_licence_of_the_data_that_binds_the_user_is_told(
    dataset: str, said: bool, tmp_path: Path
) -> None:
    manifest = read_manifest(write_tiny(tmp_path / "b", Policy(keyframe_interval=1)))
    source = manifest.source.model_copy(update={"dataset": dataset})

    card = card_of(manifest.model_copy(update={"source": source}))

    line = f"- The data set {dataset} has the licence CC BY-NC 4.0: not for commercial use."
    assert (line in card) == said
