import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.datasets import cache, stored
from jejunet_nas.datasets.cache import open_clips
from jejunet_nas.datasets.clip_files import SplitFiles
from jejunet_nas.datasets.voc2012 import Voc2012Settings, describe_split
from jejunet_nas.records import DataSplit
from tests.datasets.davis_tree import PROJECT
from tests.datasets.trees import voc_folder, write_voc2012


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny VOC, whose six train photos fill three shards."""
    monkeypatch.setattr(cache, "SHARD_PHOTOS", 2)
    return write_voc2012(tmp_path / "voc")


def described(root: Path, **options: int) -> SplitFiles:
    return describe_split("train", root, Voc2012Settings(**options))


def shards(cache_dir: Path) -> list[Path]:
    return sorted(path for path in cache_dir.iterdir() if path.is_dir())


def assert_same(one: DataSplit, other: DataSplit) -> None:
    assert one.fingerprint == other.fingerprint
    for clip, same in zip(one.clips, other.clips, strict=True):
        np.testing.assert_array_equal(clip.frames, same.frames)
        np.testing.assert_array_equal(clip.masks, same.masks)


def test_photos_lie_in_shards_and_not_in_frames(root: Path, tmp_path: Path) -> None:
    open_clips(described(root, frames=240), cache_dir=tmp_path / "cache")

    kept = shards(tmp_path / "cache")
    assert len(kept) == 3
    assert sum((shard / "pictures.bin").stat().st_size for shard in kept) == 6 * 4 * 48 * 64


def test_fewer_photos_find_the_shards_of_more(root: Path, tmp_path: Path) -> None:
    open_clips(described(root), cache_dir=tmp_path / "cache")
    told: list[int] = []

    open_clips(
        described(root, photos=4),
        cache_dir=tmp_path / "cache",
        progress=lambda _what, done, _total: told.append(done),
    )

    assert not told


def test_a_changed_photo_is_decoded_again_with_its_shard_alone(root: Path, tmp_path: Path) -> None:
    files, told = described(root), []
    open_clips(files, cache_dir=tmp_path / "cache")
    os.utime(files.photos[3].masks[0], ns=(0, 0))

    open_clips(files, cache_dir=tmp_path / "cache", progress=lambda *step: told.append(step))

    assert told == [
        ("checking voc2012 train", 1, 1),
        ("decoding voc2012 train", 1, 2),
        ("decoding voc2012 train", 2, 2),
    ]


@pytest.mark.parametrize(("name", "kept"), [("pictures.bin", 100), ("index.json", 10)])
def test_a_shard_that_is_cut_short_is_not_believed(
    name: str, kept: int, root: Path, tmp_path: Path
) -> None:
    whole = open_clips(described(root), cache_dir=tmp_path / "whole")
    open_clips(described(root), cache_dir=tmp_path / "cache")
    os.truncate(shards(tmp_path / "cache")[1] / name, kept)

    assert_same(open_clips(described(root), cache_dir=tmp_path / "cache"), whole)


def test_a_killed_process_leaves_whole_shards_that_the_next_one_uses(
    root: Path, tmp_path: Path
) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from jejunet_nas.datasets import cache; cache.SHARD_PHOTOS = 2\n"
        "die = lambda what, done, total: done == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "root, folder = map(Path, sys.argv[1:])\n"
        "from jejunet_nas.datasets.catalog import open_split\n"
        "open_split('voc2012', 'train', root=root, cache_dir=folder, progress=die)\n"
    )
    command = [sys.executable, "-c", script, str(root), str(tmp_path / "cache")]
    died = subprocess.run(command, cwd=PROJECT, check=False)
    left = sorted(path.suffix for path in shards(tmp_path / "cache"))
    told: list[int] = []

    split = open_clips(
        described(root),
        cache_dir=tmp_path / "cache",
        progress=lambda _what, done, _total: told.append(done),
    )

    assert died.returncode == -signal.SIGKILL
    assert left == ["", "", ".partial"]
    assert told == [1, 1, 2]  # one shard is checked, its two photos decoded
    assert_same(split, open_clips(described(root), cache_dir=tmp_path / "whole"))


def test_processes_that_open_at_once_decode_each_photo_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    real = stored.read_frame
    monkeypatch.setattr(
        stored, "read_frame", lambda path, size: (read.append(path), real(path, size))[1]
    )
    files, where = described(root), {"cache_dir": tmp_path / "cache"}
    threads = [threading.Thread(target=open_clips, args=(files,), kwargs=where) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(read) == sorted(photo.frames[0] for photo in files.photos)


def test_a_mask_of_another_size_is_named_before_anything_is_written(
    root: Path, tmp_path: Path
) -> None:
    mask = voc_folder(root) / "SegmentationClass" / "2007_000004.png"
    mask.write_bytes((mask.parent / "2007_000005.png").read_bytes())

    with pytest.raises(Exception, match=r"2007_000004\.png is 48x64 pixels .*; expected: 64x48"):
        open_clips(described(root), cache_dir=tmp_path / "cache")

    assert not (tmp_path / "cache").exists()
