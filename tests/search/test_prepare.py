"""From a study's settings to what its trials need; what is quick to check comes first."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.datasets import cache
from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.networks.paths import NARROW_PREFIX
from jejunet_nas.search.prepare import data_facts, made_from, prepare
from jejunet_nas.space.architecture import network_id
from jejunet_nas.space.draw import draw
from jejunet_nas.study import settings
from jejunet_nas.training import imagenet, material
from jejunet_nas.trial import run as trial
from tests.datasets.davis_tree import write_davis
from tests.datasets.trees import write_folder
from tests.search.build import SPACE, tiny_study
from tests.training.weights import folded_weights, write_folded, write_keras

TINY_DATA = "data: {options: {clips: 1, val_clips: 1, frames: 4, height: 64, width: 64}}\n"
CALIBRATION = "compression: {post_training: {calibration_frames: 2}}\n"
LITTLE = TINY_DATA + CALIBRATION
WEIGHTS = "training: {init: nowhere.npz}\n"


def no_data(*_: Any, **__: Any) -> None:
    raise AssertionError("the data set was opened first")


def silence(what: str, done: int, total: int) -> None:
    pass


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (WEIGHTS, r"training\.init is nowhere\.npz, which does not exist; allowed: scratch"),
        ("latency: {device: pixel9}\n", r"pixel9.*allowed: .*pixel2"),
    ],
)
def test_a_wrong_path_or_name_is_told_before_the_data_are_decoded(
    more: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "open_split", no_data)

    with pytest.raises(SettingError, match=words):
        prepare(tiny_study(tmp_path, more), tmp_path, silence)


def test_a_single_short_clip_cannot_be_split_into_halves(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, f"{LITTLE}validation: {{pick_on: half, report_on: half}}\n")

    with pytest.raises(SettingError, match=r"^validation is half, but val has 1 annotated clip th"):
        prepare(study, tmp_path, silence)


def test_networks_wider_than_the_weights_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "open_split", no_data)
    write_folded(tmp_path / "w.npz", folded_weights(1.0))
    wide = SPACE.replace("depth_multiplier: [0.25, 0.5]", "depth_multiplier: [1.0, 1.4]")
    assert wide != SPACE

    with pytest.raises(SettingError, match=r"has 1\.4, .*; allowed: at most 1\.0"):
        prepare(
            tiny_study(tmp_path, f"training: {{init: {tmp_path / 'w.npz'}}}\n", wide),
            tmp_path,
            silence,
        )


def test_a_narrow_detail_wider_than_the_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "open_split", no_data)
    write_folded(tmp_path / "w.npz", folded_weights(0.25))
    space = SPACE.replace("[0.25, 0.5]", "[0.25]").replace("detail: [thin]", "detail: [narrow]")

    with pytest.raises(SettingError, match=r"narrow, 0\.35 wide, but the init weights are 0\.2"):
        prepare(
            tiny_study(tmp_path, f"training: {{init: {tmp_path / 'w.npz'}}}\n", space),
            tmp_path,
            silence,
        )


def test_published_weights_are_those_of_each_networks_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imagenet, "default_folder", lambda: tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    for width in (0.35, 0.5):
        write_keras(tmp_path / "cache" / imagenet.file_name(width), width)

    study = tiny_study(tmp_path, f"{LITTLE}training: {{init: imagenet}}\n")
    setup = prepare(study, tmp_path, silence)

    assert setup.source is not None  # networks of 0.25 are cut from 0.35
    assert [source.depth_multiplier for source in setup.source] == [0.35, 0.5]
    hashes = setup.recipe["init_sha256"]
    assert list(hashes) == ["0.35", "0.5"]
    assert len({*hashes.values()}) == 2
    assert str(tmp_path) not in json.dumps({**setup.recipe, **made_from(setup, study)})


def test_weights_with_batch_norm_are_taken_as_they_are_and_folded_ones_measured(
    tmp_path: Path,
) -> None:
    keras = write_keras(tmp_path / "w.h5", 0.5)
    folded = write_folded(tmp_path / "w.npz", folded_weights(0.5))

    for file, kept in ((keras, 0), (folded, 1), (folded, 1)):
        study = tiny_study(tmp_path, f"{LITTLE}training: {{init: {file}}}\n")
        setup = prepare(study, tmp_path, silence)
        assert setup.source is not None
        (source,) = setup.source
        assert source.depth_multiplier == 0.5
        assert len(list(tmp_path.glob("source-*.npz"))) == kept


def test_a_trial_learns_from_published_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = write_keras(tmp_path / "w.h5", 0.35)
    training = (
        f"training: {{init: {keras}, sampling: classes, "
        "augment: {motion_blur_px: 4, zoom_out: 1.5}, steps: 2, gate_steps: 2, gate_pairs: 10}\n"
    )
    space = SPACE.replace("[0.25, 0.5]", "[0.25, 0.35]").replace(
        "detail: [thin]", "detail: [narrow]"
    )
    study = tiny_study(tmp_path, f"{LITTLE}{training}", space)
    architecture = draw(study.search_space, lambda _, choices: choices[-1])
    pretrained: list[set[str]] = []
    train_paths = material.train_paths

    def spying(*how: Any, **more: Any) -> Any:
        pretrained.append(more["pretrained"])
        return train_paths(*how, **more)

    monkeypatch.setattr(material, "train_paths", spying)
    result, *_ = trial.run_trial(
        0, architecture.network, prepare(study, tmp_path, silence), silence
    )

    assert 0 <= result.score.miou <= 1
    # Backbone and narrow detail are both as wide as the weights.
    assert {"Conv1", f"{NARROW_PREFIX}Conv1"} <= pretrained[0]


def test_a_trial_trains_on_frames_of_its_resolution_and_its_network_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "default_cache_dir", lambda: tmp_path / "cache")
    sequences = ("bear", "boat", "goat")
    root = write_davis(tmp_path / "davis", height=120, width=160, sequences=sequences)
    (root / "ImageSets" / "2016" / "train.txt").write_text("bear\nboat\n")
    (root / "ImageSets" / "2016" / "val.txt").write_text("goat\n")
    data = f"data: {{dataset: davis, root: {root}}}\n{CALIBRATION}"
    study, told = tiny_study(tmp_path, data), []
    architecture = draw(study.search_space, lambda _, choices: choices[0])  # 64 px
    setup = prepare(study, tmp_path, silence)
    name = network_id(architecture.network, setup.recipe)
    trained: list[PairSampler] = []

    def stop(_: object, sampler: PairSampler, *__: object, **___: object) -> None:
        trained.append(sampler)
        (part,) = setup.folder.iterdir()
        assert part.name == f"{name}.{socket.gethostname()}-{os.getpid()}.part"
        raise TrialError("seen enough")

    monkeypatch.setattr(material, "train_paths", stop)
    with pytest.raises(TrialError, match="seen enough"):
        trial.run_trial(0, architecture.network, setup, lambda what, *_: told.append(what))

    assert {pictures.shape for pictures in trained[0]._frames} == {(3, 96, 96, 3)}
    assert {clip.frames.shape for clip in setup.train.clips} == {(3, 120, 160, 3)}
    assert list(dict.fromkeys(told))[-1] == "resizing davis train for 64 px"
    assert list(setup.folder.iterdir()) == []
    again = prepare(study, tmp_path, silence)
    assert (again.recipe, made_from(again, study)) == (setup.recipe, made_from(setup, study))


def test_more_calibration_frames_than_there_are_name_the_most(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, TINY_DATA + CALIBRATION.replace("2", "5"))

    with pytest.raises(SettingError, match=r"calibration_frames is 5; allowed: at most 4"):
        prepare(study, tmp_path, silence)


def test_the_recipe_is_what_decides_the_weights_and_no_more(tmp_path: Path) -> None:
    data = LITTLE
    setup = prepare(tiny_study(tmp_path, data), tmp_path, silence)
    other = prepare(tiny_study(tmp_path, f"{data}target_fps: 10\n"), tmp_path, silence)

    assert setup.recipe == other.recipe
    assert set(setup.recipe) == {
        "data",
        "training",
        "post_training",
        "longest_age",
        "train_fingerprint",
        "init_sha256",
    }


def test_what_a_study_is_made_from_tells_the_splits_apart(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, LITTLE)

    made = made_from(prepare(study, tmp_path, silence), study)

    assert made["train_fingerprint"] != made["val_fingerprint"]
    assert made["init_sha256"] is None


def test_what_the_data_lack_is_said_before_the_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "default_cache_dir", lambda: tmp_path / "cache")
    root = write_folder(tmp_path / "data")
    (root / "classes.yaml").write_text("{background: 0, person: [1, 2], dog: 7, cat: 8}")
    data = f"data: {{dataset: folder, root: {root}}}\n{CALIBRATION}"

    setup = prepare(tiny_study(tmp_path, data), tmp_path, silence)
    facts = data_facts(setup.train, setup.val)

    assert [*facts.warnings] == [
        "no mask of train has dog, cat: a network cannot learn it",
        "no mask of val has dog, cat: the mIoU is that of the other classes",
        "val has only 3 annotated frames: small differences of mIoU mean nothing",
        # The clips and the photos of this tree are all alike.
        "4 frames of val are in train too (val's frame 0 of walk is train's frame 0 of climb): "
        "the mIoU is too good. Keep them in one of the splits",
        "24 fps is assumed for clips. Set the option fps to your camera's rate",
    ]
    assert [(clip.name, clip.frames, clip.annotated_frames) for clip in facts.videos] == [
        ("walk", 3, 2)
    ]
    assert (facts.photos, facts.photo_frames, facts.photo_fps) == (1, 8, 24.0)
