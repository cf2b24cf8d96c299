"""Pictures show the masks of the trial's graphs, and are drawn once."""

import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.drawing import pictures
from jejunet_nas.drawing.overlay import class_colours, overlay
from jejunet_nas.drawing.pictures import (
    LARGEST_BYTES,
    WIDTH_PX,
    TrialPictures,
    kept_pictures,
    trial_pictures,
)
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.files import sha256_of
from jejunet_nas.records import DataSplit, TrialResult
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.space.architecture import Architecture, Policy
from tests.builders import tiny_network, tiny_run
from tests.made_up import graph_record, scored
from tests.search.build import result

POLICY = Policy(keyframe_interval=3)


@pytest.fixture
def val() -> DataSplit:
    """Three clips, in the order of their names."""
    one, other = tiny_run().val.clips
    third = dataclasses.replace(
        one, name="val-002", frames=one.frames[:5], masks=one.masks[:5], annotated=one.annotated[:5]
    )
    return dataclasses.replace(tiny_run().val, clips=(one, other, third), fingerprint="three")


@pytest.fixture
def trial(tmp_path: Path, val: DataSplit) -> TrialResult:
    """A trial of the tiny network, its graphs where a study keeps them."""
    bare = result(3, Architecture(network=tiny_network(), policy=POLICY))
    folder = tmp_path / "networks" / bare.network_id
    folder.mkdir(parents=True)
    graphs = {}
    for name, file in tiny_run().graphs.items():
        shutil.copy(file, folder / file.name)
        graphs[name] = graph_record(file.name, sha256=sha256_of(file))
    clips = tuple(
        ClipScore(name=c.name, frames=8, annotated=(10,), intersection=(right,), union=(10,))
        for c, right in zip(val.clips, (5, 8, 2), strict=True)
    )
    score = dataclasses.replace(bare.score, clips=clips)
    network = dataclasses.replace(bare.network, graphs=graphs)
    return scored(dataclasses.replace(bare, network=network), score)


def make(trial: TrialResult, val: DataSplit, folder: Path) -> TrialPictures:
    return trial_pictures(trial, folder / "networks", val, folder / "pictures")


def test_the_middle_clip_is_shown_three_times_and_the_worst_and_best_once(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    found = make(trial, val, tmp_path)

    shown = [(each.role, each.clip, each.frame, each.clip_miou) for each in found.frames]
    assert shown == [
        ("early", "val-000", 1, 0.5),
        ("midway", "val-000", 4, 0.5),
        ("late", "val-000", 6, 0.5),
        ("worst", "val-002", 2, 0.2),
        ("best", "val-001", 4, 0.8),
    ]
    assert [each.path for each in found.frames] == [
        *("propagate", "propagate", "key", "propagate", "propagate")
    ]


def test_a_picture_is_the_frame_under_the_mask_that_the_policy_shows(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    found = make(trial, val, tmp_path)

    evaluation = Evaluation(val, tiny_run().graphs)
    ((mask, _),) = evaluation.masks("val-000", [4], POLICY, lag=1)
    wanted = overlay(val.clips[0].frames[4], mask, class_colours(val.class_names), 240, 240)
    shown = np.asarray(Image.open(io.BytesIO(found.jpegs[1])), np.float64)
    assert shown.shape == (240, WIDTH_PX, 3)
    assert np.abs(shown - wanted).mean() < 8  # what JPEG changes; another frame is off by more
    other = np.asarray(Image.open(io.BytesIO(found.jpegs[4])), np.float64)
    assert np.abs(other - wanted).mean() > 16


def test_beside_a_mask_is_the_annotation_of_its_frame(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    found = make(trial, val, tmp_path)

    clip, colours = val.clips[0], class_colours(val.class_names)
    wanted = overlay(clip.frames[4], clip.masks[4], colours, 240, 240)
    shown = np.asarray(Image.open(io.BytesIO(found.annotations[1])), np.float64)
    assert found.frames[1].frame == 4
    assert np.abs(shown - wanted).mean() < 8  # what JPEG changes
    assert len(found.annotations) == len(found.jpegs)


def test_of_a_clip_that_is_annotated_once_that_frame_is_shown(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    clips = tuple(
        dataclasses.replace(clip, annotated=np.arange(len(clip)) == 3) for clip in val.clips
    )

    found = make(trial, dataclasses.replace(val, clips=clips), tmp_path)

    shown = [(each.role, each.frame) for each in found.frames]
    assert shown == [("early", 3), ("worst", 3), ("best", 3)]


def test_pictures_are_small(trial: TrialResult, val: DataSplit, tmp_path: Path) -> None:
    made = make(trial, val, tmp_path)

    assert all(len(jpeg) <= LARGEST_BYTES for jpeg in (*made.jpegs, *made.annotations))


def test_even_noise_becomes_a_small_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (135, WIDTH_PX, 3), np.uint8)

    assert len(pictures._jpeg(noise)) <= LARGEST_BYTES


def test_pictures_are_found_again_without_data_or_graphs(
    trial: TrialResult, val: DataSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(trial, val, tmp_path)
    shutil.rmtree(tmp_path / "networks")
    monkeypatch.setattr(pictures, "Evaluation", None)

    assert kept_pictures(trial, tmp_path / "pictures") == made
    assert make(trial, val, tmp_path) == made


def test_pictures_of_another_architecture_are_made_again(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    make(trial, val, tmp_path)
    policy = Policy(keyframe_interval=1)
    other = dataclasses.replace(
        trial, architecture=Architecture(network=tiny_network(), policy=policy)
    )

    assert kept_pictures(other, tmp_path / "pictures") is None
    assert {each.path for each in make(other, val, tmp_path).frames} == {"key"}
    assert kept_pictures(trial, tmp_path / "pictures") is None


@pytest.mark.parametrize("file", ["pictures.json", "late.jpg", "worst-annotated.jpg"])
def test_pictures_of_which_a_file_is_gone_are_made_again(
    file: str, trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    made = make(trial, val, tmp_path)
    (tmp_path / "pictures" / "3" / file).unlink()

    assert kept_pictures(trial, tmp_path / "pictures") is None
    assert make(trial, val, tmp_path) == made


def test_of_two_reports_at_once_the_slower_leaves_the_pictures_of_the_other(
    trial: TrialResult, val: DataSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, folder, remove = make(trial, val, tmp_path), tmp_path / "pictures", shutil.rmtree
    monkeypatch.setattr(
        shutil, "rmtree", lambda path, **how: path == folder / "3" or remove(path, **how)
    )

    pictures._keep(made, trial, folder)  # the other puts its folder there in between

    assert kept_pictures(trial, folder) == made
    assert [each.name for each in folder.iterdir()] == ["3"]


def test_of_one_clip_there_is_no_worst_and_no_best(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    alone = scored(trial, dataclasses.replace(trial.score, clips=trial.score.clips[:1]))

    found = make(alone, val, tmp_path)

    assert [each.role for each in found.frames] == ["early", "midway", "late"]


def test_a_split_without_the_scored_clips_is_refused(
    trial: TrialResult, val: DataSplit, tmp_path: Path
) -> None:
    others = tuple(dataclasses.replace(clip, name=f"{clip.name}b") for clip in val.clips)

    with pytest.raises(
        SettingError, match=r"val split has none of the clips that trial 3 was scored on\. Use"
    ):
        make(trial, dataclasses.replace(val, clips=others), tmp_path)
