"""Frames that are kept once more for a network's input, beside those of the data set."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jejunet_nas.datasets import sampling
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.cleaning import cached, clean_cache
from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.datasets.view import Augment
from jejunet_nas.errors import DataError
from jejunet_nas.records import DataSplit, Pictures
from jejunet_nas.resize import resize_frame
from tests.datasets.davis_tree import PROJECT
from tests.datasets.trees import TREES

SMALL = {"height": 16, "width": 16}  # crops of 24 pixels and more; the pictures have 48x64
Told = list[tuple[str, int, int]]

on_disk = pytest.mark.parametrize("dataset", TREES)


def open_train(tmp_path: Path, dataset: str = "davis") -> DataSplit:
    root = tmp_path / "data"
    if not root.exists():
        TREES[dataset][0](root)
    return open_split(dataset, "train", root=root, cache_dir=tmp_path / "cache")


def folders(tmp_path: Path) -> list[str]:
    return [entry.folder.name for entry in cached(tmp_path / "cache")]


def sides(split: DataSplit, **how: Any) -> set[tuple[int, ...]]:
    return {pictures.shape[1:3] for pictures in input_frames(split, **how)}


def assert_same(some: tuple[Pictures, ...], others: tuple[Pictures, ...]) -> None:
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_own(frames: tuple[Pictures, ...], split: DataSplit) -> None:
    """Each frame looks like the split's own of its place, and like none before or after it."""
    for pictures, clip in zip(frames, split.clips, strict=True):
        assert len(pictures) == len(clip)
        resized = [resize_frame(frame, *pictures.shape[1:3]).astype(int) for frame in clip.frames]
        for t, picture in enumerate(pictures):
            apart = [float(np.abs(picture - other).mean()) for other in resized]
            assert apart[t] == min(apart) < 8  # grey levels; other clips are 20 apart and more


def test_each_side_is_one_and_a_half_times_the_inputs(tmp_path: Path) -> None:
    assert sides(open_train(tmp_path), **SMALL) == {(24, 24)}
    assert sides(open_train(tmp_path), height=16, width=32) == {(24, 48)}


def test_smaller_crops_ask_for_larger_frames(tmp_path: Path) -> None:
    augment = Augment(smallest_area=0.125)

    assert sides(open_train(tmp_path), height=10, width=12, augment=augment) == {(30, 36)}


@pytest.mark.parametrize(
    ("height", "width", "kept"),
    [(64, 16, (48, 24)), (16, 64, (24, 64)), (64, 64, (48, 64))],
)
def test_no_side_is_larger_than_the_data_set_keeps_it(
    height: int, width: int, kept: tuple[int, int], tmp_path: Path
) -> None:
    assert sides(open_train(tmp_path), height=height, width=width) == {kept}


def test_photos_leave_room_for_the_camera_that_moves_over_them(tmp_path: Path) -> None:
    split = open_train(tmp_path, "voc2012")

    assert split.clips[0].frames.shape[1:3] == (36, 48)  # of 48x64
    assert sides(split, **SMALL) == {(24, 24)}


def test_frames_that_would_hardly_shrink_are_not_kept_again(tmp_path: Path) -> None:
    split = open_train(tmp_path)
    before = folders(tmp_path)

    frames = input_frames(split, height=30, width=40)  # 45x60 of 48x64

    assert all(own is clip.frames for own, clip in zip(frames, split.clips, strict=True))
    assert folders(tmp_path) == before


def test_frames_in_memory_are_returned_as_they_are() -> None:
    options = {"clips": 2, "frames": 3, "height": 64, "width": 64}
    split, told = open_split("procedural", "train", root=None, options=options), Told()

    frames = input_frames(split, **SMALL, progress=lambda *step: told.append(step))

    assert all(own is clip.frames for own, clip in zip(frames, split.clips, strict=True))
    assert not told


@on_disk
def test_every_frame_is_that_of_its_clip_and_time(dataset: str, tmp_path: Path) -> None:
    split = open_train(tmp_path, dataset)

    assert_own(input_frames(split, **SMALL), split)


def test_frames_in_a_wrong_order_would_be_seen(tmp_path: Path) -> None:
    split = open_train(tmp_path)
    frames = input_frames(split, **SMALL)

    with pytest.raises(AssertionError):
        assert_own(tuple(pictures[::-1] for pictures in frames), split)


@on_disk
def test_a_second_opening_resizes_nothing(dataset: str, tmp_path: Path) -> None:
    split, told = open_train(tmp_path, dataset), Told()
    first = input_frames(split, **SMALL, progress=lambda *step: told.append(step))
    cold, told[:] = list(told), []

    again = input_frames(
        open_train(tmp_path, dataset), **SMALL, progress=lambda *step: told.append(step)
    )

    assert cold[-1][0] == f"resizing {dataset} train for 16 px"
    assert cold[-1][1] == cold[-1][2]
    assert not told
    assert_same(first, again)


def test_one_shape_of_input_is_not_told_as_another(tmp_path: Path) -> None:
    told = Told()

    input_frames(open_train(tmp_path), height=8, width=16, progress=lambda *step: told.append(step))

    assert {what.split(" for ")[1] for what, _, _ in told} == {"8x16 px"}


@on_disk
def test_all_sizes_are_cleaned_as_any_other_folder_and_are_made_again(
    dataset: str, tmp_path: Path
) -> None:
    before = len(input_frames(open_train(tmp_path, dataset), **SMALL))
    input_frames(open_train(tmp_path, dataset), height=8, width=8)
    sizes = {name.split("-")[-2] for name in folders(tmp_path)}

    clean_cache(tmp_path / "cache", now_s=time.time(), keep_below_bytes=0)

    assert {"24x24", "12x12"} <= sizes
    assert not folders(tmp_path)
    split = open_train(tmp_path, dataset)
    assert len(input_frames(split, **SMALL)) == before
    assert_own(input_frames(split, **SMALL), split)


def test_a_changed_file_gives_other_frames(tmp_path: Path) -> None:
    before = input_frames(open_train(tmp_path), **SMALL)
    folder = tmp_path / "data" / "JPEGImages" / "480p" / "bear"
    shutil.copyfile(folder / "00003.jpg", folder / "00000.jpg")

    after = input_frames(open_train(tmp_path), **SMALL)

    np.testing.assert_array_equal(after[0][0], after[0][3])
    assert (before[0][0] != after[0][0]).any()


def test_one_part_of_a_split_is_not_taken_for_another(tmp_path: Path) -> None:
    split = open_train(tmp_path, "voc2012")  # whose photos lie in one file
    parts = [dataclasses.replace(split, clips=split.clips[n : n + 2]) for n in (0, 2)]

    for part in (split, *parts):
        assert_own(input_frames(part, **SMALL), part)


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_a_folder_that_was_cut_short_is_not_believed(kept_bytes: int, tmp_path: Path) -> None:
    split = open_train(tmp_path)
    whole = [np.array(pictures) for pictures in input_frames(split, **SMALL)]
    file = next((tmp_path / "cache").glob("davis-boat-24x24-*/frames.bin"))
    os.truncate(file, kept_bytes)

    again = input_frames(split, **SMALL)

    np.testing.assert_array_equal([np.array(pictures) for pictures in again], whole)


def test_a_killed_process_leaves_what_can_be_finished(tmp_path: Path) -> None:
    split = open_train(tmp_path)
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from jejunet_nas.datasets.catalog import open_split\n"
        "from jejunet_nas.datasets.input_frames import input_frames\n"
        "def die(what, done, total):\n"
        "    if (what[:8], done) == ('resizing', 6): os.kill(os.getpid(), signal.SIGKILL)\n"
        "root, cache = map(Path, sys.argv[1:])\n"
        "split = open_split('davis', 'train', root=root, cache_dir=cache)\n"
        "input_frames(split, height=16, width=16, progress=die)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "data"), str(tmp_path / "cache")]
    died = subprocess.run(command, cwd=PROJECT, check=False)
    left = [name.endswith(".partial") for name in folders(tmp_path) if "-24x24-" in name]
    told = Told()

    frames = input_frames(split, **SMALL, progress=lambda *step: told.append(step))

    assert died.returncode == -signal.SIGKILL
    assert sorted(left) == [False, True]
    assert told[-1] == ("resizing davis train for 16 px", 4, 4)
    assert_own(frames, split)


def test_an_interrupt_ends_it_at_once_and_leaves_nothing_unfinished(tmp_path: Path) -> None:
    split = open_train(tmp_path)

    def interrupt(what: str, done: int, total: int) -> None:
        if what.startswith("resizing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        input_frames(split, **SMALL, progress=interrupt)

    assert not [name for name in folders(tmp_path) if "24x24" in name]


def test_frames_of_the_data_set_that_are_gone_are_named(tmp_path: Path) -> None:
    split = open_train(tmp_path)
    next((tmp_path / "cache").glob("davis-boat-*/frames.npy")).unlink()

    with pytest.raises(DataError, match=r"davis-boat-.*cannot be read any more .* Run the same"):
        input_frames(split, **SMALL)


def test_a_batch_of_smaller_frames_has_the_masks_of_any_other(tmp_path: Path) -> None:
    split = open_train(tmp_path, "voc2012")
    how: dict[str, Any] = {**SMALL, "pairs": 8, "longest_age": 3, "seed": 1, "sampling": "classes"}

    smaller = PairSampler(split.clips, **how, frames=input_frames(split, **SMALL)).batch(2)

    own = PairSampler(split.clips, **how).batch(2)
    np.testing.assert_array_equal(smaller.masks, own.masks)
    np.testing.assert_array_equal(smaller.ages, own.ages)
    for name in ("frames", "context_frames"):
        apart = np.abs(getattr(smaller, name).astype(int) - getattr(own, name)).mean((1, 2, 3))
        assert ((apart > 0) & (apart < 8)).all()  # grey levels: resized twice, and no other frame


def test_the_frames_that_hold_a_class_are_looked_for_once_whatever_the_size(
    tmp_path: Path,
) -> None:
    split = open_train(tmp_path)
    counted = sampling._frames_of_classes.cache_info().misses

    for pixels in (8, 12, 16):
        size = {"height": pixels, "width": pixels}
        frames = input_frames(split, **size)
        how: dict[str, Any] = {**size, "pairs": 2, "longest_age": 0, "seed": 0, "frames": frames}
        PairSampler(split.clips, **how, sampling="classes").batch(0)

    assert sampling._frames_of_classes.cache_info().misses == counted + 1


@pytest.mark.parametrize(
    ("how", "why"),
    [("gone", "read any more .*No such file"), ("cut", "damaged .*missing at its end")],
)
def test_smaller_frames_that_are_gone_or_cut_are_named_by_the_batch(
    how: str, why: str, tmp_path: Path
) -> None:
    split = open_train(tmp_path)
    frames = input_frames(split, **SMALL)
    for file in (tmp_path / "cache").glob("*-24x24-*/frames.bin"):
        file.unlink() if how == "gone" else os.truncate(file, 24)
    sampler = PairSampler(split.clips, **SMALL, pairs=2, longest_age=0, seed=0, frames=frames)

    with pytest.raises(DataError, match=rf"-24x24-.* {why}.*\)"):
        sampler.batch(0)
