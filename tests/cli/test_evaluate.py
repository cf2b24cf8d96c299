"""The command `evaluate`: the figures are those of a plain run, and what is compared is said."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.datasets import camvid
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.documents.yaml_file import yaml_text
from jejunet_nas.export.verify import verify
from jejunet_nas.records import DataSplit
from jejunet_nas.records.scores import Score
from jejunet_nas.scoring.score import combine
from jejunet_nas.space.architecture import EVERY_FRAME, Policy
from jejunet_nas.video.graphs import NetworkGraphs
from jejunet_nas.video.manifest import MANIFEST
from jejunet_nas.video.manifest_file import manifest_text, read_manifest
from tests.builders import tiny_run
from tests.cli.commands import answer, exit_code, refusal
from tests.datasets.trees import add_test_to_camvid, write_camvid, write_folder
from tests.export.bundles import EVERY_THIRD, write_tiny
from tests.scoring.whole_clips import score_clip
from tests.video.plain import run_plainly

Capfd = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def bundle(folders: Path) -> Path:
    """The tiny network, a keyframe every third frame."""
    return write_tiny(folders / "bundle")


@pytest.fixture(scope="module")
def of_streets(folders: Path) -> Path:
    """The tiny network with CamVid's classes: it has never seen the last six."""
    return write_tiny(folders / "streets", class_names=camvid.CLASS_NAMES)


@pytest.fixture
def streets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CamVid with its test split, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = write_camvid(tmp_path / "CamVid")
    add_test_to_camvid(root)
    return root


def own_frame(split: DataSplit, policy: Policy) -> Score:
    """Return the score of what a plain run makes of each frame."""
    graphs, classes = NetworkGraphs(tiny_run().graphs), len(split.class_names)
    masks = [np.stack(run_plainly(graphs, clip, policy, None).masks) for clip in split.clips]
    return combine(
        [score_clip(clip, mask, classes) for clip, mask in zip(split.clips, masks, strict=True)]
    )


def test_val_is_scored_under_the_policy_beside_every_frame_a_keyframe(
    bundle: Path, capfd: Capfd
) -> None:
    plain, said = answer(capfd, "evaluate", bundle)

    val = tiny_run().val
    policy, whole = own_frame(val, EVERY_THIRD), own_frame(val, EVERY_FRAME)
    assert (plain["miou"], plain["every_frame"]["miou"]) == (policy.miou, whole.miou)
    assert policy.miou != whole.miou
    assert [each["iou"] for each in plain["classes"]] == list(policy.class_iou)
    assert [each["name"] for each in plain["classes"]] == list(val.class_names)
    assert sum(each["share"] for each in plain["classes"]) == pytest.approx(1)
    assert plain["streaming_miou"] < plain["miou"]  # each mask is a frame late
    assert (plain["dataset"], plain["split"]) == ("procedural", "val")
    assert (plain["fingerprint"], plain["frames"]) == (val.fingerprint, val.frame_count)
    assert (plain["policy"]["keyframe_interval"], plain["latency_source"]) == (3, "predicted")
    for words in ("own-frame mIoU compares", "streaming mIoU compares", "ignored pixels do not"):
        assert words in said


def test_every_frame_is_what_stood_beside_the_policy_and_nothing_is_left_in_the_bundle(
    bundle: Path, capfd: Capfd
) -> None:
    before = answer(capfd, "evaluate", bundle)[0]["every_frame"]

    plain, said = answer(capfd, "evaluate", bundle, "--every-frame")

    assert {name: plain[name] for name in before} == before == plain["every_frame"]
    assert plain["policy"]["keyframe_interval"] == 1
    assert said.count("key every frame") == 1
    assert verify(bundle)


def test_a_zip_scores_as_its_folder_does(bundle: Path, tmp_path: Path, capfd: Capfd) -> None:
    archive = shutil.make_archive(str(tmp_path / "b"), "zip", bundle)

    zipped, plain = (answer(capfd, "evaluate", each)[0] for each in (archive, bundle))

    assert zipped | {"bundle": ""} == plain | {"bundle": ""}
    assert zipped["bundle"] == archive


def test_a_bundle_whose_policy_is_every_frame_needs_no_option(
    folders: Path, bundle: Path, capfd: Capfd
) -> None:
    whole = write_tiny(folders / "whole", EVERY_FRAME)

    plain, _ = answer(capfd, "evaluate", whole)

    assert plain["miou"] == answer(capfd, "evaluate", bundle, "--every-frame")[0]["miou"]


def test_the_test_split_of_camvid_is_scored_at_its_masks_size(
    of_streets: Path, streets: Path, capfd: Capfd
) -> None:
    where = ("--dataset", "camvid", "--split", "test", "--data-root", streets)

    plain, said = answer(capfd, "evaluate", of_streets, *where, "--every-frame")

    test = own_frame(open_split("camvid", "test", root=streets), EVERY_FRAME)
    assert plain["miou"] == test.miou
    ious = {each["name"]: each["iou"] for each in plain["classes"]}
    assert {name for name, iou in ious.items() if iou is not None} == {"sky", "road", "car"}
    assert (plain["annotated_frames"], plain["options"]) == (5, {})
    assert "camvid test: 5 frames in 2 clips, 5 annotated, 48x64 px" in said
    assert "2 clips of 2: frames 1 s apart, no video." in said


def test_photos_are_scored_as_they_are_where_that_is_asked(
    of_streets: Path, streets: Path, capfd: Capfd
) -> None:
    where = ("--dataset", "camvid", "--split", "train", "--data-root", streets)

    pans, _ = answer(capfd, "evaluate", of_streets, *where)
    photos, _ = answer(capfd, "evaluate", of_streets, *where, "--option", "frames=1")

    assert any(
        note.startswith("4 of 4 clips are simulated from photos: add --option frames=1")
        for note in pans["notes"]
    )
    assert (pans["frames"], photos["frames"], photos["notes"]) == (32, 4, [])
    assert photos["miou"] == photos["streaming_miou"]  # a still picture waits for its mask


def test_options_are_the_bundles_unless_others_are_given(bundle: Path, capfd: Capfd) -> None:
    plain, _ = answer(capfd, "evaluate", bundle, "--option", "frames=3", "--option", "seed=1")

    assert (plain["clips"], plain["frames"], plain["options"]["height"]) == (2, 6, 64)
    line = refusal(capfd, "evaluate", bundle, "--option", "frames=0")
    assert line.startswith("frames is 0; allowed: whole numbers from 1 to 240.")


def test_the_split_that_the_network_was_trained_on_is_named(
    bundle: Path, capfd: Capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.export.bundles.FINGERPRINTS", {"train": tiny_run().train.fingerprint}
    )
    trained = write_tiny(bundle.parent / "trained")

    plain, said = answer(capfd, "evaluate", trained, "--split", "train")

    (note,) = plain["notes"]
    assert note == "the bundle's network was trained on this split: its scores are too good"
    assert f"note: {note}" in said
    assert answer(capfd, "evaluate", bundle, "--option", "frames=3")[0]["notes"] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("--dataset", "davis"),
            "--dataset is davis, which has 2 classes, and the bundle has 5; the",
        ),
        (("--split", "test"), "--split of procedural is test; allowed: train, val."),
        (
            ("--dataset", "camvit"),
            "--dataset is camvit; allowed: procedural, davis, voc2012, youtu",
        ),
        (("--option", "x"), "--option is x; allowed: NAME=VALUE, such as clips=10."),
        (
            ("--data-root", "nowhere"),
            "--data-root is nowhere, which is not a folder. Check the path.",
        ),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_line(
    words: tuple[str, ...], line: str, bundle: Path, capfd: Capfd
) -> None:
    assert refusal(capfd, "evaluate", bundle, *words).startswith(line)


def test_a_missing_split_or_root_is_told_in_one_line(
    of_streets: Path, streets: Path, capfd: Capfd
) -> None:
    (streets / "test.txt").unlink()
    test = ("evaluate", of_streets, "--dataset", "camvid", "--split", "test")

    assert refusal(capfd, *test, "--data-root", streets).startswith(
        f"{streets / 'test.txt'} is missing; expected: test.txt, testannot in one folder. Copy"
    )
    assert "of the data set camvid is not known. Add --data-root DIR." in refusal(capfd, *test)


def test_the_root_is_that_of_the_study_here(
    of_streets: Path,
    streets: Path,
    tmp_path: Path,
    capfd: Capfd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    study, dataset = "tiny", "camvid"
    bundle = write_tiny(tmp_path / "bundle", study=study, class_names=camvid.CLASS_NAMES)
    _as_trained_on(bundle, dataset)
    assert "is not known. Add --data-root DIR." in refusal(capfd, "evaluate", bundle)

    (tmp_path / "studies" / study).mkdir(parents=True)
    notes = yaml_text({"given": {"data.root": str(streets)}})
    (tmp_path / "studies" / study / "study.yaml").write_text(notes)

    assert answer(capfd, "evaluate", bundle)[0]["dataset"] == dataset
    given = ("--dataset", "davis")  # of another data set its root is not known
    assert "--dataset is davis, which has 2 classes" in refusal(capfd, "evaluate", bundle, *given)


def _as_trained_on(bundle: Path, dataset: str) -> None:
    """Have the manifest of `bundle` say that its network was trained on `dataset`."""
    manifest = read_manifest(bundle)
    source = manifest.source.model_copy(update={"dataset": dataset, "data_options": {}})
    changed = manifest.model_copy(update={"source": source})
    (bundle / MANIFEST).write_text(manifest_text(changed.model_dump(mode="json")))


def test_classes_in_another_order_are_told_with_the_right_one(
    folders: Path, tmp_path: Path, capfd: Capfd
) -> None:
    names = ("background", "person", "dog", "cat", "car")
    ours, root = write_tiny(folders / "own", class_names=names), write_folder(tmp_path / "data")
    (root / "classes.yaml").write_text("[background, dog, person, cat, car]")

    line = refusal(capfd, "evaluate", ours, "--dataset", "folder", "--data-root", root)

    assert line == (
        "--dataset is folder, whose class 1 is dog, and the bundle's is person; they must be the "
        "same, in the same order. Write classes.yaml with the bundle's, each with its values: "
        "background, person, dog, cat, car."
    )


def test_a_damaged_bundle_is_told_as_verify_does(
    bundle: Path, tmp_path: Path, capfd: Capfd
) -> None:
    spoilt = shutil.copytree(bundle, tmp_path / "b")
    (spoilt / "key.tflite").write_bytes(b"another graph")

    for place in (spoilt, shutil.make_archive(str(tmp_path / "zipped"), "zip", spoilt)):
        line = refusal(capfd, "evaluate", place)
        assert line.startswith(f"{place}/key.tflite was changed: its SHA-256 is not the one in")
        assert line == refusal(capfd, "verify", place)
    assert exit_code("evaluate", tmp_path) == 2
