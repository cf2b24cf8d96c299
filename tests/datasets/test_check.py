import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.datasets.check import DataCheck, check_data
from jejunet_nas.datasets.clip_files import MaskCode, read_mask
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError, SettingError
from tests.datasets.davis_tree import frame_file, mask_file
from tests.datasets.trees import TREES, save, voc_folder

DATA = Path(os.environ.get("JEJUNET_DATA", Path(__file__).parents[3] / "shared" / "data"))
AS_IT_IS = MaskCode(classes=bytes(range(254)) + b"\xff\xff")
on_disk = pytest.mark.parametrize("dataset", TREES)

# Of each tree: clips, photos, frames and annotated frames of train, then of val.
HOLDS = {
    "davis": ((2, 0, 8, 8), (1, 0, 4, 4)),
    "voc2012": ((0, 6, 6, 6), (0, 3, 3, 3)),
    "youtube_vos": ((4, 0, 12, 12), (1, 0, 3, 3)),
    "camvid": ((0, 4, 4, 4), (1, 0, 5, 5)),
    "folder": ((3, 3, 12, 9), (1, 1, 4, 3)),
}


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return TREES["davis"][0](tmp_path / "davis")


def sentences(check: DataCheck) -> list[str]:
    return [*check.faults.values()]


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


@on_disk
def test_a_whole_data_set_is_counted_and_has_no_faults(dataset: str, tmp_path: Path) -> None:
    check = check_data(dataset, TREES[dataset][0](tmp_path))

    found = tuple((s.clips, s.photos, s.frames, s.annotated_frames) for s in check.splits)
    assert found == HOLDS[dataset]
    assert not check.faults
    for split in check.splits:
        assert sum(split.sizes.values()) == split.frames
        assert {tuple(sorted(size)) for size in split.sizes} == {(48, 64)}
        assert sum(each.share for each in split.classes) == pytest.approx(1)


def test_shares_frames_and_void_are_those_of_the_masks(tmp_path: Path) -> None:
    root = TREES["camvid"][0](tmp_path)
    masks = [read_mask(file, AS_IT_IS) for file in sorted((root / "valannot").iterdir())]
    all_pixels = np.stack(masks)

    val = check_data("camvid", root).splits[1]

    known = all_pixels[all_pixels < 11]
    for index, each in enumerate(val.classes):
        assert each.share == pytest.approx((known == index).mean())
        assert each.frames == sum((mask == index).any() for mask in masks)
    assert val.void_share == pytest.approx((all_pixels == 11).mean())
    assert "car" not in val.labels.absent
    assert "bicyclist" in val.labels.absent


def test_progress_counts_every_frame_of_both_splits(davis: Path) -> None:
    told = []

    check_data("davis", davis, progress=lambda *now: told.append(now))

    assert told == [("reading davis", done, 12) for done in range(1, 13)]


def test_options_are_those_of_the_data_set(davis: Path) -> None:
    train, _ = check_data("davis", davis, {"clips": 1, "every": 2}).splits

    assert (train.clips, train.frames, train.fps) == (1, 2, (12.0,))


def test_a_mask_of_another_size_is_named_with_both_sizes(davis: Path) -> None:
    file = save(np.zeros((24, 32), np.uint8), mask_file(davis, "bear", 2))

    (sentence,) = sentences(check_data("davis", davis))

    assert re.match(
        rf"{file} is 24x32 pixels .*; expected: 48x64, as its frame .*00002\.jpg", sentence
    )


def test_a_frame_of_another_size_than_its_clip_is_named(davis: Path) -> None:
    file = save(np.zeros((24, 32, 3), np.uint8), frame_file(davis, "bear", 1))
    save(np.zeros((24, 32), np.uint8), mask_file(davis, "bear", 1))

    (sentence,) = sentences(check_data("davis", davis))

    assert re.match(rf"{file} is 24x32 pixels .*; .* first frame 00000\.jpg", sentence)


def test_a_jpeg_that_is_cut_short_is_named(davis: Path) -> None:
    file = frame_file(davis, "boat", 3)
    cut_short(file)

    (sentence,) = sentences(check_data("davis", davis))

    assert re.match(rf"{file} cannot be read \(.*truncated.*\); expected: a complete", sentence)


def test_a_png_frame_that_is_cut_short_is_named(tmp_path: Path) -> None:
    root = TREES["camvid"][0](tmp_path)
    cut_short(root / "val" / "0016E5_07961.png")

    (path,) = check_data("camvid", root).faults

    assert path == root / "val" / "0016E5_07961.png"


def test_a_jpeg_with_a_little_behind_its_end_is_whole(davis: Path) -> None:
    with frame_file(davis, "boat", 3).open("ab") as file:
        file.write(bytes(5000))

    assert not check_data("davis", davis).faults


def test_a_value_without_a_class_is_named(tmp_path: Path) -> None:
    root = TREES["voc2012"][0](tmp_path)
    file = voc_folder(root) / "SegmentationClass" / "2007_000001.png"
    save(np.full_like(read_mask(file, AS_IT_IS), 21), file, palette=True)

    (sentence,) = sentences(check_data("voc2012", root))

    assert sentence.startswith(f"{file} holds the value 21; expected: 0 to 20, 255.")


def test_all_bad_files_are_named_and_the_rest_is_counted(davis: Path) -> None:
    cut_short(frame_file(davis, "bear", 0))
    mask_file(davis, "bear", 1).write_bytes(b"no picture")
    frame_file(davis, "goat", 2).write_bytes(b"")
    mask_file(davis, "goat", 2).write_bytes(b"")

    check = check_data("davis", davis)

    assert [*check.faults] == [
        frame_file(davis, "bear", 0),
        mask_file(davis, "bear", 1),
        frame_file(davis, "goat", 2),
        mask_file(davis, "goat", 2),
    ]
    assert [each.frames for each in check.splits[0].classes] == [7, 7]
    assert [each.frames for each in check.splits[1].classes] == [3, 3]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(davis: Path) -> None:
    frame_file(davis, "bear", 0).chmod(0)

    (path,) = check_data("davis", davis).faults

    assert path == frame_file(davis, "bear", 0)


# What is taken away.
LISTS: dict[str, str] = {
    "davis": "ImageSets/2016/val.txt",
    "voc2012": "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt",
    "youtube_vos": "train/meta.json",
    "camvid": "val.txt",
    "folder": "classes.yaml",
}
MASKS: dict[str, str] = {
    "davis": "Annotations/480p/bear/00001.png",
    "voc2012": "VOCdevkit/VOC2012/SegmentationClass/2007_000001.png",
    "youtube_vos": "train/Annotations/003234408d/00005.png",
    "camvid": "trainannot/0001TP_006690.png",
    "folder": "masks/photo0.png",
}


@on_disk
@pytest.mark.parametrize("taken", [LISTS, MASKS], ids=["list", "mask"])
def test_a_missing_list_or_mask_stops_the_check_and_is_named(
    dataset: str, taken: dict[str, str], tmp_path: Path
) -> None:
    root = TREES[dataset][0](tmp_path)
    (root / taken[dataset]).unlink()

    with pytest.raises(DataError, match=rf"{re.escape(taken[dataset])} is missing; expected: "):
        check_data(dataset, root)


def above(root: Path) -> Path:
    return root.parent


def below(root: Path) -> Path:
    return next(folder for folder in sorted(root.iterdir()) if folder.is_dir())


@pytest.mark.parametrize("wrong", [above, below])
@on_disk
def test_a_root_one_folder_off_stops_the_check_and_the_right_one_is_offered(
    dataset: str, wrong: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = TREES[dataset][0](tmp_path / "above" / "data")
    if (dataset, wrong) == ("voc2012", below):
        assert check_data(dataset, wrong(root)).splits  # VOCdevkit is as good a root
        return

    with pytest.raises(DataError, match=r"expected: .*--data-root "):
        check_data(dataset, wrong(root))


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("daviz", r"DATASET is daviz; allowed: davis, .* Did you mean davis\?"),
        ("procedural", r"DATASET is procedural, which is generated .*; allowed: davis"),
    ],
)
def test_a_data_set_that_has_no_files_is_refused(dataset: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=words):
        check_data(dataset, tmp_path)


# What its README counts: clips, photos, frames of each split.
REAL: dict[str, tuple[str, dict[Split, tuple[int, int, int]]]] = {
    "davis": ("DAVIS", {"train": (30, 0, 2079), "val": (10, 0, 645)}),
    "camvid": ("CamVid", {"train": (0, 367, 367), "val": (1, 0, 101)}),
}


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "CamVid").is_dir(), reason=f"no CamVid in {DATA}")
@pytest.mark.parametrize("dataset", REAL)
def test_real_data_sets_hold_what_they_say(dataset: str) -> None:
    folder, holds = REAL[dataset]

    check = check_data(dataset, DATA / folder)

    assert {s.split: (s.clips, s.photos, s.frames) for s in check.splits} == holds
    assert not check.faults
