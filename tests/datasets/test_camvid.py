from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jejunet_nas.datasets.camvid import CLASS_NAMES, CamvidSettings, describe_split
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE, DataSplit
from tests.datasets.davis_tree import REAL_DAVIS
from tests.datasets.trees import add_test_to_camvid, add_to_camvid, save, write_camvid

REAL_CAMVID = REAL_DAVIS.with_name("CamVid")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_camvid(tmp_path)


def opened(root: Path, split: Split, **options: Any) -> DataSplit:
    return open_split("camvid", split, root=root, cache_dir=root / "cache", options=options)


def test_val_is_one_clip_at_fifteen_frames_a_second(root: Path) -> None:
    split = opened(root, "val")

    assert [(clip.name, len(clip), clip.fps) for clip in split.clips] == [("0016E5_07959", 5, 15.0)]
    assert np.unique(split.clips[0].masks[0]).tolist() == [0, 3, 8, IGNORE]
    assert (len(CLASS_NAMES), CLASS_NAMES[3], CLASS_NAMES[8]) == (11, "road", "car")


def test_train_frames_are_photos(root: Path) -> None:
    split = opened(root, "train", frames=5)

    assert [(len(clip), clip.fps) for clip in split.clips] == 4 * [(5, 24.0)]
    assert len(opened(root, "train", photos=2).clips) == 2


def test_train_frames_can_be_clips_of_a_frame_a_second(root: Path) -> None:
    split = opened(root, "train", train_as="clips")

    assert [(clip.name, len(clip), clip.fps) for clip in split.clips] == [
        ("0001TP_006690", 2, 1.0),
        ("0006R0_f00930", 2, 1.0),
    ]


def test_test_is_taken_where_it_lies_there_as_clips_of_a_frame_a_second(root: Path) -> None:
    add_test_to_camvid(root)

    split = opened(root, "test")

    assert (split.split, split.frame_count) == ("test", 5)
    assert [(clip.name, len(clip), clip.fps, clip.origin) for clip in split.clips] == [
        ("0001TP_008550", 3, 1.0, "video"),
        ("Seq05VD_f00000", 2, 1.0, "video"),
    ]
    assert np.unique(split.clips[1].masks[0]).tolist() == [0, 3, 8, IGNORE]


def test_a_copy_without_test_names_what_to_add(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"test\.txt is missing; .* Copy test\.txt, test and testannot of SegNet's"
    ):
        describe_split("test", root, CamvidSettings())


def test_the_lists_alone_say_that_test_has_a_frame_of_train(root: Path) -> None:
    add_test_to_camvid(root)
    with (root / "train.txt").open("a") as file:
        file.write("/SegNet/CamVid/train/0001TP_008550.png /SegNet/CamVid/trainannot/no.png\n")

    with pytest.raises(DataError, match=r"test\.txt and train\.txt share 0001TP_008550; expected"):
        describe_split("test", root, CamvidSettings())


def test_a_gap_in_a_video_begins_another_clip(root: Path) -> None:
    add_to_camvid(root)
    lines = (root / "train.txt").read_text().splitlines()
    (root / "train.txt").write_text("\n".join(line for line in lines if "006720" not in line))

    names = [clip.name for clip in opened(root, "train", train_as="clips").clips]

    assert names == ["0001TP_006690", "0001TP_006750", "0006R0_f00930"]


@pytest.mark.parametrize("prefix", ["", "/SegNet/CamVid/", "/home/someone/data/camvid/"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_line_is_matched_by_its_last_folder_and_the_name(
    prefix: str, suffix: str, root: Path
) -> None:
    name = "0001TP_006690"
    line = f"{prefix}train/{name}.{suffix} {prefix}trainannot/{name}.png\n"
    (root / "train.txt").write_text(line)

    files = describe_split("train", root, CamvidSettings())

    assert [photo.frames[0] for photo in files.photos] == [root / "train" / f"{name}.png"]


def test_the_list_names_the_folders(root: Path) -> None:
    (root / "trainannot").rename(root / "train_labels")
    lines = (root / "train.txt").read_text()
    (root / "train.txt").write_text(lines.replace("trainannot", "train_labels"))

    files = describe_split("train", root, CamvidSettings())

    assert {photo.masks[0].parent for photo in files.photos if photo.masks[0]} == {
        root / "train_labels"
    }


@pytest.mark.parametrize("folder", ["train", "trainannot"])
def test_a_file_of_the_list_that_is_not_there_is_named_with_the_line(
    folder: str, root: Path
) -> None:
    (root / folder / "0001TP_006720.png").unlink()

    with pytest.raises(
        DataError, match=rf"{folder}/0001TP_006720\.png is missing; .* line 2 of .*train\.txt names"
    ):
        describe_split("train", root, CamvidSettings())


def test_a_line_that_names_no_mask_is_shown(root: Path) -> None:
    (root / "train.txt").write_text("train/0001TP_006690.png\n")

    with pytest.raises(DataError, match=r"train\.txt line 1 is 'train/0001TP_006690\.png'; exp"):
        describe_split("train", root, CamvidSettings())


def test_a_missing_list_is_named(root: Path) -> None:
    (root / "val.txt").unlink()

    with pytest.raises(
        DataError,
        match=r"val\.txt is missing; expected: val\.txt, valannot in.* Copy val\.txt, val and",
    ):
        describe_split("val", root, CamvidSettings())


def test_a_value_over_void_is_named(root: Path) -> None:
    save(np.full((48, 64), 12, np.uint8), root / "valannot" / "0016E5_07961.png")

    with pytest.raises(
        DataError, match=r"0016E5_07961\.png holds the value 12; expected: 0 to 11,"
    ):
        opened(root, "val")


def test_a_word_that_is_no_way_to_take_train_is_named() -> None:
    with pytest.raises(SettingError, match=r"train_as is clip; allowed: photos, clips\. Did you"):
        CamvidSettings(train_as="clip")


@pytest.mark.data
@pytest.mark.skipif(not REAL_CAMVID.is_dir(), reason=f"no CamVid at {REAL_CAMVID}")
def test_the_real_data_set_opens(tmp_path: Path) -> None:
    where: dict[str, Any] = {"root": REAL_CAMVID, "cache_dir": tmp_path}
    train = open_split("camvid", "train", **where, options={"photos": 40})
    val = open_split("camvid", "val", **where)

    assert [(clip.name, len(clip), clip.fps) for clip in val.clips] == [("0016E5_07959", 101, 15.0)]
    assert val.clips[0].masks.shape == (101, 360, 480)
    assert {int(v) for v in np.unique(val.clips[0].masks[:])} == {*range(11), IGNORE}
    assert len(train.clips) == 40
    roads = [np.mean(clip.masks[0] == CLASS_NAMES.index("road")) for clip in train.clips]
    assert 0.1 < np.mean(roads) < 0.5


@pytest.mark.data
@pytest.mark.skipif(not REAL_CAMVID.is_dir(), reason=f"no CamVid at {REAL_CAMVID}")
def test_the_real_train_frames_run_on_but_for_two_gaps() -> None:
    clips = describe_split("train", REAL_CAMVID, CamvidSettings(train_as="clips")).clips

    assert sum(len(clip.frames) for clip in clips) == 367
    assert {clip.fps for clip in clips} == {1.0}
    assert len(clips) == 3 + 2
