import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.datasets import cache, stored, write_once
from jejunet_nas.datasets.cache import open_clips
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.clip_files import SplitFiles, Storage
from jejunet_nas.datasets.davis import DavisSettings, describe_split
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, DataSplit
from tests.datasets.davis_tree import PROJECT, frame_file, write_davis


@pytest.fixture
def files(tmp_path: Path) -> SplitFiles:
    return describe_split("train", write_davis(tmp_path / "davis"), DavisSettings())


def folders(cache_dir: Path) -> list[Path]:
    return sorted(path for path in cache_dir.iterdir() if path.is_dir())


def assert_same(one: DataSplit, other: DataSplit) -> None:
    assert one.fingerprint == other.fingerprint
    for clip, same in zip(one.clips, other.clips, strict=True):
        np.testing.assert_array_equal(clip.frames, same.frames)
        np.testing.assert_array_equal(clip.masks, same.masks)


def test_a_second_opening_decodes_nothing(files: SplitFiles, tmp_path: Path) -> None:
    told: list[int] = []
    cold = open_clips(files, cache_dir=tmp_path / "cache")

    warm = open_clips(
        files, cache_dir=tmp_path / "cache", progress=lambda _what, done, _total: told.append(done)
    )

    assert told == []
    assert_same(cold, warm)


def test_a_data_set_that_moved_is_still_cached(files: SplitFiles, tmp_path: Path) -> None:
    open_clips(files, cache_dir=tmp_path / "cache")
    moved = files.root.rename(tmp_path / "moved")

    open_clips(describe_split("train", moved, DavisSettings()), cache_dir=tmp_path / "cache")

    assert len(folders(tmp_path / "cache")) == len(files.clips)


def test_a_copy_of_the_files_has_their_fingerprint_and_a_part_of_them_has_not(
    files: SplitFiles, tmp_path: Path
) -> None:
    copied = shutil.copytree(files.root, tmp_path / "copied", copy_function=shutil.copyfile)
    copy = describe_split("train", copied, DavisSettings())
    part = dataclasses.replace(files, clips=files.clips[:1])

    prints = [open_clips(each, cache_dir=tmp_path / "cache").fingerprint for each in (files, copy)]

    assert prints[0] == prints[1]
    assert open_clips(part, cache_dir=tmp_path / "cache").fingerprint != prints[0]


@pytest.mark.parametrize("root", [".", "davis", "~/davis", "davis/../davis"])
def test_a_root_may_be_written_in_any_way(
    root: str, files: SplitFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_clips(files, cache_dir=tmp_path / "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(files.root if root == "." else tmp_path)

    split = open_split("davis", "train", root=Path(root), cache_dir=tmp_path / "cache")

    assert_same(split, before)
    assert len(folders(tmp_path / "cache")) == len(files.clips)


def test_a_changed_file_is_decoded_again(files: SplitFiles, tmp_path: Path) -> None:
    before = open_clips(files, cache_dir=tmp_path / "cache")
    frame_file(files.root, "bear", 0).write_bytes(frame_file(files.root, "bear", 2).read_bytes())

    after = open_clips(files, cache_dir=tmp_path / "cache")

    np.testing.assert_array_equal(after.clips[0].frames[0], after.clips[0].frames[2])
    assert before.clips[0].frames[0].mean() < after.clips[0].frames[0].mean()


def test_large_frames_are_shrunk_and_their_masks_are_not(files: SplitFiles, tmp_path: Path) -> None:
    small = dataclasses.replace(files, storage=Storage(shorter_side_px=12))

    clip = open_clips(small, cache_dir=tmp_path / "cache").clips[0]

    assert clip.frames.shape == (3, 12, 16, 3)
    assert clip.masks.shape == (3, 24, 32)


def test_masks_are_shrunk_where_that_is_asked_for(files: SplitFiles, tmp_path: Path) -> None:
    small = dataclasses.replace(files, storage=Storage(shorter_side_px=12, shrink_masks=True))

    clip = open_clips(small, cache_dir=tmp_path / "cache").clips[0]

    assert clip.masks.shape == (3, 12, 16)
    assert np.unique(clip.masks[:]).tolist() == [0, 1]


def test_a_frame_without_annotation_is_ignored(files: SplitFiles, tmp_path: Path) -> None:
    bear = files.clips[0]
    sparse = dataclasses.replace(bear, masks=(bear.masks[0], None, None))

    clip = open_clips(
        dataclasses.replace(files, clips=(sparse,)), cache_dir=tmp_path / "cache"
    ).clips[0]

    assert clip.annotated.tolist() == [True, False, False]
    assert np.unique(clip.masks[1:]).tolist() == [IGNORE]


@pytest.mark.parametrize("kept_bytes", [0, 60, 200])
def test_a_half_written_folder_is_not_believed(
    kept_bytes: int, files: SplitFiles, tmp_path: Path
) -> None:
    whole = open_clips(files, cache_dir=tmp_path / "whole")
    open_clips(files, cache_dir=tmp_path / "cache")
    folder = folders(tmp_path / "cache")[0]
    os.truncate(folder / "frames.npy", kept_bytes)
    (folder.parent / f"{folder.name}.partial").mkdir()

    assert_same(open_clips(files, cache_dir=tmp_path / "cache"), whole)

    assert not list((tmp_path / "cache").glob("*.partial"))


def test_a_killed_process_leaves_a_cache_that_can_be_finished(
    files: SplitFiles, tmp_path: Path
) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from jejunet_nas.datasets.catalog import open_split\n"
        "die = lambda what, done, total: done == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "root, cache = map(Path, sys.argv[1:])\n"
        "open_split('davis', 'train', root=root, cache_dir=cache, progress=die)\n"
    )
    command = [sys.executable, "-c", script, str(files.root), str(tmp_path / "cache")]
    died = subprocess.run(command, cwd=PROJECT, check=False)
    left = [path.suffix for path in folders(tmp_path / "cache")]

    split = open_clips(files, cache_dir=tmp_path / "cache")

    assert died.returncode == -signal.SIGKILL
    assert left == ["", ".partial"]
    assert_same(split, open_clips(files, cache_dir=tmp_path / "whole"))


def test_two_that_open_at_once_write_each_clip_once(
    files: SplitFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    read_frame = stored.read_frame
    monkeypatch.setattr(
        stored, "read_frame", lambda path, size: (read.append(path), read_frame(path, size))[1]
    )
    threads = [
        threading.Thread(target=open_clips, args=(files,), kwargs={"cache_dir": tmp_path / "cache"})
        for _ in range(3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(read) == sorted(path for clip in files.clips for path in clip.frames)


def test_a_cache_that_cannot_be_written_is_named(files: SplitFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DataError, match=r"The cache .*file.* cannot be written .*set XDG_CACHE"):
        open_clips(files, cache_dir=tmp_path / "file" / "cache")


def test_a_full_disk_is_named_before_anything_is_written(
    files: SplitFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2**28 + 10_000)
    monkeypatch.setattr(write_once.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(
        DataError, match=r"has 0\.0 GB free; davis train needs 0\.0 GB\. Use a part"
    ):
        open_clips(files, cache_dir=tmp_path / "cache")

    assert not (tmp_path / "cache").exists()


def test_opened_clips_keep_no_file_open(files: SplitFiles, tmp_path: Path) -> None:
    split = open_clips(files, cache_dir=tmp_path / "cache")
    before = len(os.listdir("/proc/self/fd"))

    again = [open_clips(files, cache_dir=tmp_path / "cache") for _ in range(20)]

    assert len(os.listdir("/proc/self/fd")) <= before
    assert len(again) * len(split.clips) == 40


def test_the_cache_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda name: f"/cache/{name}")

    assert cache.default_cache_dir() == Path("/cache/jejunet_nas/clips")


def test_a_cache_that_is_removed_while_in_use_is_named(files: SplitFiles, tmp_path: Path) -> None:
    clip = open_clips(files, cache_dir=tmp_path / "cache").clips[0]
    shutil.rmtree(tmp_path / "cache")

    with pytest.raises(DataError, match=r"frames\.npy cannot be read any more .* Run the same com"):
        clip.frames[0]
