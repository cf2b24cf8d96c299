import re
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.voc2012 import CLASS_NAMES, Voc2012Settings, describe_split
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE, DataSplit
from tests.datasets.trees import picture_and_mask, save, voc_folder, write_voc2012

TRAIN = [f"2007_{number:06d}" for number in range(6)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_voc2012(tmp_path)


def opened(root: Path, **options: object) -> DataSplit:
    return open_split("voc2012", "train", root=root, cache_dir=root / "cache", options=options)


def photo_names(root: Path, **options: object) -> list[str]:
    files = describe_split("train", root, Voc2012Settings(**options))  # type: ignore[arg-type]
    return sorted(photo.name for photo in files.photos)


def test_there_are_21_classes_and_void(root: Path) -> None:
    split = opened(root)
    values = {int(v) for clip in split.clips for v in np.unique(clip.masks[0])}

    assert len(CLASS_NAMES) == len(set(CLASS_NAMES)) == 21
    assert (CLASS_NAMES[0], CLASS_NAMES[15], CLASS_NAMES[20]) == (
        *("background", "person", "tvmonitor"),
    )
    assert {0, 1, 2, 3} <= values <= {0, 1, 2, 3, IGNORE}


def test_each_photo_becomes_a_clip_of_its_own_size(root: Path) -> None:
    split = opened(root, frames=3)

    assert len(split.clips) == 6
    assert {clip.frames.shape for clip in split.clips} == {(3, 36, 48, 3), (3, 48, 36, 3)}
    assert all(clip.frames.shape[:3] == clip.masks.shape for clip in split.clips)
    assert all(clip.annotated.all() for clip in split.clips)


def test_a_clip_of_one_frame_is_the_whole_photo(root: Path) -> None:
    clip = next(clip for clip in opened(root, frames=1).clips if clip.name == TRAIN[0])
    _, mask = picture_and_mask([1])

    assert clip.frames.shape == (1, 48, 64, 3)
    np.testing.assert_array_equal(clip.masks[0][2:], mask[2:])


def test_the_root_may_be_any_of_the_three_folders(root: Path) -> None:
    prints = {opened(each).fingerprint for each in (root, root / "VOCdevkit", voc_folder(root))}

    assert len(prints) == 1


def test_more_photos_hold_the_fewer(root: Path) -> None:
    two, four = ({clip.name for clip in opened(root, photos=n).clips} for n in (2, 4))

    assert (len(two), len(four)) == (2, 4)
    assert two < four


def test_other_motion_is_another_fingerprint_and_decodes_nothing(root: Path) -> None:
    before, told = opened(root), []
    after = open_split(
        "voc2012",
        "train",
        root=root,
        cache_dir=root / "cache",
        options={"seed": 1},
        progress=lambda *step: told.append(step),
    )

    assert before.fingerprint != after.fingerprint
    assert not told


def augment(root: Path, *names: str) -> Path:
    """Add photos with masks in SegmentationClassAug alone."""
    folder = voc_folder(root)
    for name in names:
        picture, mask = picture_and_mask([5])
        save(picture, folder / "JPEGImages" / f"{name}.jpg")
        save(mask, folder / "SegmentationClassAug" / f"{name}.png")
    return folder / "ImageSets"


@pytest.mark.parametrize("list_name", ["train_aug", "trainaug"])
def test_an_augmented_list_of_names_takes_either_folders_masks(list_name: str, root: Path) -> None:
    sets = augment(root, "2008_1", "2008_2")
    (sets / "Segmentation" / f"{list_name}.txt").write_text(f"2008_1\n2008_2\n{TRAIN[0]}\n")

    assert photo_names(root, augmented=True) == [TRAIN[0], "2008_1", "2008_2"]
    assert photo_names(root) == TRAIN


def test_an_augmented_list_of_paths_names_photo_and_mask(root: Path) -> None:
    sets = augment(root, "2008_1")
    (sets / "SegmentationAug").mkdir()
    (sets / "SegmentationAug" / "train_aug.txt").write_text(
        "/JPEGImages/2008_1.jpg /SegmentationClassAug/2008_1.png\n"
        f"/JPEGImages/{TRAIN[1]}.jpg /SegmentationClass/{TRAIN[1]}.png\n"
    )

    files = describe_split("train", root, Voc2012Settings(augmented=True))

    folders = {photo.name: photo.masks[0].parent.name for photo in files.photos}
    assert folders == {"2008_1": "SegmentationClassAug", TRAIN[1]: "SegmentationClass"}


def test_a_list_of_what_is_added_comes_on_top_of_train(root: Path) -> None:
    sets = augment(root, "2008_1")
    (sets / "Segmentation" / "aug.txt").write_text("2008_1\n")

    assert photo_names(root, augmented=True) == [*TRAIN, "2008_1"]


def test_val_is_the_official_one_even_if_train_is_augmented(root: Path) -> None:
    files = describe_split("val", root, Voc2012Settings(augmented=True))

    assert len(files.photos) == 3


def test_a_missing_augmented_list_names_where_it_may_lie(root: Path) -> None:
    with pytest.raises(DataError, match=r"/train_aug\.txt is missing; .*set augmented to false\."):
        describe_split("train", root, Voc2012Settings(augmented=True))


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (
            "ImageSets/Segmentation/train.txt",
            r"is missing; expected: a list with a photo's name on each line",
        ),
        ("SegmentationClass/2007_000003.png", r"is missing; expected: the mask of a photo that"),
        ("JPEGImages/2007_000003.jpg", r"is missing; expected: a photo that ImageSets names"),
        (
            "SegmentationClass",
            r"is missing; .* SegmentationClass, ImageSets in one folder\. Unpack VOCtrainv",
        ),
    ],
)
def test_a_half_unpacked_archive_is_told(gone: str, message: str, root: Path) -> None:
    (voc_folder(root) / gone).rename(root / "elsewhere")

    with pytest.raises(DataError, match=rf"^{re.escape(str(voc_folder(root) / gone))} {message}"):
        describe_split("train", root, Voc2012Settings())


def test_an_empty_list_is_named(root: Path) -> None:
    (voc_folder(root) / "ImageSets" / "Segmentation" / "train.txt").write_text("\n \n")

    with pytest.raises(
        DataError, match=r"train\.txt is empty; expected: a photo's name on each line\."
    ):
        describe_split("train", root, Voc2012Settings())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.full((48, 64), 21, np.uint8), r"holds the value 21; expected: 0 to 20, 255\. "),
        (np.zeros((48, 64, 3), np.uint8), r"is stored in colours"),
        (
            np.zeros((40, 64), np.uint8),
            r"is 40x64 pixels .*: 48x64, as its frame .*03\.jpg",
        ),
    ],
)
def test_a_mask_that_cannot_be_is_named(mask: np.ndarray, message: str, root: Path) -> None:
    save(mask, voc_folder(root) / "SegmentationClass" / f"{TRAIN[3]}.png")

    with pytest.raises(DataError, match=rf"2007_000003\.png {message}"):
        opened(root)


@pytest.mark.parametrize("options", [{"photos": 0}, {"augmented": "yes"}, {"frames": 0}])
def test_an_option_out_of_range_names_what_is_allowed(options: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=rf"^{next(iter(options))} is .*; allowed: "):
        Voc2012Settings(**options)  # type: ignore[arg-type]
