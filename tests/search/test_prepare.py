"""From a study's settings to what its trials need; what is quick to check comes first."""

from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.search import prepare as module
from jejunet_nas.search.prepare import made_from, prepare
from tests.search.build import SPACE, tiny_study

TINY_DATA = "data: {options: {clips: 1, val_clips: 1, frames: 4, height: 64, width: 64}}\n"
WEIGHTS = "training: {init: nowhere.npz}\n"


def no_data(*_: Any, **__: Any) -> None:
    raise AssertionError("the data set was opened first")


def silence(what: str, done: int, total: int) -> None:
    pass


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (WEIGHTS, r"training\.init is nowhere\.npz, which is no file; allowed: scratch, or an"),
        ("latency: {device: pixel9}\n", r"pixel9.*allowed: .*pixel2"),
    ],
)
def test_a_wrong_path_or_name_is_told_before_the_data_are_decoded(
    more: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_split", no_data)

    with pytest.raises(SettingError, match=words):
        prepare(tiny_study(tmp_path, more), tmp_path, silence)


def test_networks_wider_than_the_weights_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_split", no_data)
    (tmp_path / "w.npz").write_bytes(b"weights")
    wide = SPACE.replace("depth_multiplier: [0.25, 0.5]", "depth_multiplier: [1.0, 1.4]")
    assert wide != SPACE

    with pytest.raises(SettingError, match=r"holds 1\.4 .*; allowed: at most 1\.0"):
        prepare(
            tiny_study(tmp_path, f"training: {{init: {tmp_path / 'w.npz'}}}\n", wide),
            tmp_path,
            silence,
        )


def test_more_calibration_frames_than_there_are_name_the_most(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, f"{TINY_DATA}compression: {{calibration_frames: 5}}\n")

    with pytest.raises(SettingError, match=r"calibration_frames is 5; allowed: at most 4"):
        prepare(study, tmp_path, silence)


def test_the_recipe_is_what_decides_the_weights_and_no_more(tmp_path: Path) -> None:
    data = f"{TINY_DATA}compression: {{calibration_frames: 2}}\n"
    setup = prepare(tiny_study(tmp_path, data), tmp_path, silence)
    other = prepare(tiny_study(tmp_path, f"{data}target_fps: 10\n"), tmp_path, silence)

    assert setup.recipe == other.recipe
    assert set(setup.recipe) == {
        "data",
        "training",
        "compression",
        "longest_age",
        "train_fingerprint",
        "init_sha256",
    }


def test_what_a_study_is_made_from_tells_the_splits_apart(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, f"{TINY_DATA}compression: {{calibration_frames: 2}}\n")

    made = made_from(prepare(study, tmp_path, silence), study)

    assert made["train_fingerprint"] != made["val_fingerprint"]
    assert made["init_sha256"] is None


def test_what_a_killed_process_left_half_made_is_removed(tmp_path: Path) -> None:
    part = tmp_path / "networks" / "0123456789ab.part"
    part.mkdir(parents=True)
    study = tiny_study(tmp_path, f"{TINY_DATA}compression: {{calibration_frames: 2}}\n")

    prepare(study, tmp_path, silence)

    assert not part.exists()
