import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.datasets import shared
from jejunet_nas.datasets.catalog import describe_split, open_split
from jejunet_nas.datasets.clip_files import picture_size
from jejunet_nas.datasets.shared import shared_files, shared_frames, shared_warning
from jejunet_nas.records import DataSplit
from tests.datasets.davis_tree import frame_file
from tests.datasets.trees import save, voc_folder, write_camvid, write_davis, write_voc2012


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """A tree whose frames all differ."""
    root = write_davis(tmp_path / "davis")
    for number, name in enumerate(("bear", "boat", "goat")):
        for t in range(4):
            picture = np.full((48, 64, 3), 20 * number + 60 * t, np.uint8)
            save(picture, frame_file(root, name, t))
    return root


def splits(dataset: str, root: Path) -> tuple[DataSplit, DataSplit]:
    train, val = (
        open_split(dataset, split, root=root, cache_dir=root / "cache")
        for split in ("train", "val")
    )
    return train, val


def test_splits_without_a_frame_in_common_share_none(davis: Path) -> None:
    assert shared_frames(*splits("davis", davis)) == []
    assert (
        shared_files(describe_split("davis", "train", davis), describe_split("davis", "val", davis))
        == []
    )


def test_a_frame_in_both_splits_is_named_by_its_pixels_and_by_its_bytes(davis: Path) -> None:
    shutil.copy(frame_file(davis, "boat", 2), frame_file(davis, "goat", 1))
    files = describe_split("davis", "train", davis), describe_split("davis", "val", davis)

    assert shared_frames(*splits("davis", davis)) == [("frame 1 of goat", "frame 2 of boat")]
    assert shared_files(*files) == [
        ("JPEGImages/480p/goat/00001.jpg", "JPEGImages/480p/boat/00002.jpg")
    ]


def test_a_frame_that_was_written_anew_is_found_by_its_pixels(tmp_path: Path) -> None:
    root = write_camvid(tmp_path)
    frame = Image.open(root / "val" / "0016E5_07963.png")
    frame.save(root / "train" / "0001TP_006690.png", compress_level=0)
    files = describe_split("camvid", "train", root), describe_split("camvid", "val", root)

    assert ("frame 2 of 0016E5_07959", "0001TP_006690") in shared_frames(*splits("camvid", root))
    assert not any("07963" in place for place, _ in shared_files(*files))


def test_a_photo_in_both_splits_counts_once(tmp_path: Path) -> None:
    root = write_voc2012(tmp_path)
    folder = voc_folder(root) / "JPEGImages"
    for number in range(9):
        size = picture_size(folder / f"2007_{number:06d}.jpg")
        save(np.full((*size, 3), 25 * number, np.uint8), folder / f"2007_{number:06d}.jpg")
    shutil.copy(folder / "2007_000001.jpg", folder / "2007_000007.jpg")

    found = shared_frames(*splits("voc2012", root))

    assert found == [("2007_000007", "2007_000001")]


def test_equal_checksums_alone_are_not_enough(davis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = shared._stored
    monkeypatch.setattr(shared, "_stored", lambda c: ((s, t, (7,)) for s, t, _ in stored(c)))

    assert shared_frames(*splits("davis", davis)) == []


def test_shared_frames_are_counted_and_one_is_named() -> None:
    (one,) = shared_warning([("frame 1 of goat", "frame 2 of boat")])
    (two,) = shared_warning([("a", "b"), ("c\n", "d")])

    assert one.startswith("1 frame of val is in train too (val's frame 1 of goat is train's ")
    assert two.startswith("2 frames of val are in train too (val's a is train's b)")
    assert shared_warning([]) == []


def test_a_frame_that_is_gone_is_left_to_the_check_of_files(davis: Path) -> None:
    train, val = (describe_split("davis", split, davis) for split in ("train", "val"))
    train.clips[0].frames[0].unlink()

    assert shared_files(train, val) == []
