"""What every data set promises, asked of each: one on disk adds a line to `trees.TREES`."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.datasets.calibration import calibration_frames
from jejunet_nas.datasets.catalog import DATA_SET_NAMES, class_names, open_split
from jejunet_nas.datasets.options import Split
from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, DataSplit
from jejunet_nas.scoring.score import combine
from tests.datasets.trees import TREES
from tests.scoring.whole_clips import score_clip

EMBEDDED = {"procedural": {"clips": 2, "val_clips": 1, "frames": 3, "height": 48, "width": 64}}
Open = Callable[[Split], DataSplit]

data_sets = pytest.mark.parametrize("dataset", DATA_SET_NAMES)
on_disk = pytest.mark.parametrize("dataset", TREES)
splits = pytest.mark.parametrize("split", ["train", "val"])


@pytest.fixture
def root(dataset: str, tmp_path: Path) -> Path | None:
    """The root of a tiny data set; none for an embedded one."""
    return TREES[dataset][0](tmp_path / "data") if dataset in TREES else None


@pytest.fixture
def opened(dataset: str, root: Path | None, tmp_path: Path) -> Open:
    def open_it(split: Split) -> DataSplit:
        options = EMBEDDED.get(dataset)
        return open_split(dataset, split, root=root, cache_dir=tmp_path / "cache", options=options)

    return open_it


def all_pixels(split: DataSplit) -> list[bytes]:
    return [np.asarray(p[:]).tobytes() for clip in split.clips for p in (clip.frames, clip.masks)]


def test_every_data_set_is_asked() -> None:
    assert {*DATA_SET_NAMES} == {*TREES, *EMBEDDED}


@data_sets
def test_the_names_of_the_classes_are_known_without_opening_a_picture(
    dataset: str, root: Path | None, opened: Open
) -> None:
    assert class_names(dataset, root, EMBEDDED.get(dataset)) == opened("val").class_names


@data_sets
@splits
def test_both_splits_hold_clips_of_rgb_frames_with_as_many_masks(
    dataset: str, split: Split, opened: Open
) -> None:
    found = opened(split)

    assert (found.dataset, found.split) == (dataset, split)
    assert found.clips
    assert len({clip.name for clip in found.clips}) == len(found.clips)
    for clip in found.clips:
        frame, mask = clip.frames[0], clip.masks[0]
        assert clip.annotated.any()
        assert clip.fps > 0
        assert (frame.dtype, mask.dtype) == (np.uint8, np.uint8)
        assert (frame.shape, mask.shape) == (clip.frames.shape[1:], clip.masks.shape[1:])
        assert frame.shape[2:] == (3,)
        assert len(list(clip.frames)) == len(list(clip.masks)) == len(clip.annotated) == len(clip)


@data_sets
@splits
def test_a_mask_holds_classes_of_the_split_and_more_than_one(
    dataset: str, split: Split, opened: Open
) -> None:
    found = opened(split)
    values = {int(v) for clip in found.clips for v in np.unique(clip.masks[:])} - {IGNORE}

    assert len(values) > 1
    assert max(values) < len(found.class_names)
    for clip in found.clips:
        for t in np.flatnonzero(~clip.annotated):
            assert np.unique(clip.masks[t]).tolist() == [IGNORE]


@data_sets
@splits
def test_pictures_can_be_indexed_and_sliced_as_an_array_can(
    dataset: str, split: Split, opened: Open
) -> None:
    clip = opened(split).clips[0]

    for pictures in (clip.frames, clip.masks):
        array = pictures[:]
        assert type(array) is np.ndarray
        assert (array.shape, array.dtype) == (pictures.shape, pictures.dtype)
        for index in (0, -1, np.int64(1), slice(1, None), slice(None, None, 2), slice(0, 0)):
            np.testing.assert_array_equal(pictures[index], array[index])
        np.testing.assert_array_equal(np.stack(list(pictures)), array)
        np.testing.assert_array_equal(np.asarray(pictures), array)
        with pytest.raises(IndexError):
            pictures[len(clip)]


@data_sets
def test_opening_twice_gives_the_same_and_the_splits_share_no_clip(
    dataset: str, opened: Open
) -> None:
    train, again, val = opened("train"), opened("train"), opened("val")

    assert train.fingerprint == again.fingerprint != val.fingerprint
    assert all_pixels(train) == all_pixels(again)
    assert train.class_names == val.class_names
    assert not {clip.name for clip in train.clips} & {clip.name for clip in val.clips}


@data_sets
def test_every_data_set_tells_how_far_it_is(
    dataset: str, root: Path | None, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    where = {"root": root, "cache_dir": tmp_path / "cache", "options": EMBEDDED.get(dataset)}

    open_split(dataset, "train", **where, progress=lambda *step: told.append(step))

    assert told
    for what in {step[0] for step in told}:
        steps = [(done, total) for said, done, total in told if said == what]
        assert dataset in what
        assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]


@data_sets
def test_clips_can_be_trained_on_and_calibrated_with(dataset: str, opened: Open) -> None:
    train = opened("train")
    sampler = PairSampler(train.clips, height=32, width=32, pairs=4, longest_age=2, seed=0)

    assert sampler.batch(3).frames.shape == (4, 32, 32, 3)
    assert len(calibration_frames(train, height=32, width=32, count=3, seed=0)) == 3


@data_sets
def test_the_annotation_itself_scores_one(dataset: str, opened: Open) -> None:
    split = opened("val")

    scores = [
        score_clip(
            clip, np.where(clip.masks[:] == IGNORE, 0, clip.masks[:]), len(split.class_names)
        )
        for clip in split.clips
    ]

    assert combine(scores).miou == 1


@on_disk
def test_a_copy_has_the_same_fingerprint_and_one_with_more_files_has_not(
    dataset: str, root: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)
    caches = {"cache_dir": tmp_path / "cache"}
    before = open_split(dataset, "train", root=root, **caches)
    copied = open_split(dataset, "train", root=copy, **caches)
    TREES[dataset][1](root)
    after = open_split(dataset, "train", root=root, **caches)

    assert before.fingerprint == copied.fingerprint != after.fingerprint
    assert all_pixels(before) == all_pixels(copied)
    assert before.frame_count < after.frame_count


@on_disk
def test_a_root_one_folder_too_high_or_too_low_is_told_the_right_one(
    dataset: str, root: Path, tmp_path: Path
) -> None:
    deeper = next(path for path in sorted(root.iterdir()) if path.is_dir())
    if dataset == "voc2012":  # takes its outer folders too
        root, deeper = deeper / "VOC2012", deeper / "VOC2012" / "ImageSets"
    elsewhere = tmp_path / "elsewhere" / "unpacked"
    elsewhere.parent.mkdir()
    root.rename(elsewhere)

    for wrong in (elsewhere.parent, elsewhere / deeper.name):
        with pytest.raises(DataError, match=rf"; expected: .* Use --data-root {elsewhere}\.$"):
            open_split(dataset, "train", root=wrong)


@on_disk
def test_a_root_that_is_not_there_or_empty_is_named(dataset: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for wrong in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(DataError, match=rf"^{wrong}\S* is missing.*; expected: [^\n]*\.$"):
            open_split(dataset, "train", root=wrong)


@on_disk
def test_a_truncated_picture_is_named(dataset: str, root: Path, tmp_path: Path) -> None:
    for path in root.rglob("*.*"):
        if path.suffix in (".jpg", ".png"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    with pytest.raises(DataError, match=rf"^{root}\S*g cannot be read .*; expected: a complete "):
        open_split(dataset, "train", root=root, cache_dir=tmp_path / "cache")


@on_disk
def test_files_that_systems_leave_behind_are_no_pictures(
    dataset: str, root: Path, tmp_path: Path
) -> None:
    before = open_split(dataset, "train", root=root, cache_dir=tmp_path / "cache")
    for folder in [path for path in root.rglob("*") if path.is_dir()]:
        (folder / "._00000.jpg").write_bytes(b"Mac OS X")
        (folder / ".DS_Store").write_bytes(b"Mac OS X")

    after = open_split(dataset, "train", root=root, cache_dir=tmp_path / "cache")

    assert after.fingerprint == before.fingerprint


@on_disk
def test_a_clip_can_be_cut(dataset: str, opened: Open) -> None:
    clip = opened("train").clips[0]
    one = slice(1, 2)

    cut = dataclasses.replace(
        clip, frames=clip.frames[one], masks=clip.masks[one], annotated=clip.annotated[one]
    )

    np.testing.assert_array_equal(cut.frames[0], clip.frames[1])
