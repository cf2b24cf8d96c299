from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.datasets.catalog import describe_splits, open_split
from jejunet_nas.datasets.folder import FolderSettings, describe_split
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE, DataSplit
from tests.datasets.trees import picture_and_mask, save, write_folder

CLIPS = {"walk", "ride", "swim", "climb"}
PHOTOS = {f"photo{number}" for number in range(4)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


def opened(root: Path, split: Split = "train", **options: Any) -> DataSplit:
    return open_split("folder", split, root=root, cache_dir=root / "cache", options=options)


def names(root: Path, split: Split, **options: Any) -> set[str]:
    files = describe_split(split, root, FolderSettings(**options))
    return {each.name for each in (*files.clips, *files.photos)}


def take_all(root: Path) -> None:
    """List everything as train."""
    (root / "train.txt").write_text("\n".join(sorted(CLIPS | PHOTOS)))


def test_folders_are_clips_and_loose_pictures_photos(root: Path) -> None:
    take_all(root)
    clips = {clip.name: clip for clip in opened(root, frames=5, fps=30).clips}

    assert {*clips} == CLIPS | PHOTOS
    assert (len(clips["walk"]), clips["walk"].fps) == (3, 30.0)
    assert clips["walk"].annotated.tolist() == [True, False, True]
    assert (len(clips["photo1"]), clips["photo1"].annotated.all()) == (5, True)
    assert {int(v) for v in np.unique(clips["photo1"].masks[0])} == {0, 1, 2}


def test_without_lists_a_hash_of_each_name_decides(root: Path) -> None:
    train, val = names(root, "train"), names(root, "val")

    assert train | val == CLIPS | PHOTOS
    assert not train & val
    assert train
    assert val


def test_lists_decide_where_there_are_some(root: Path) -> None:
    (root / "train.txt").write_text("walk\nphoto1.png\n")
    (root / "val.txt").write_text("ride\n\n")

    assert names(root, "train") == {"walk", "photo1"}
    assert names(root, "val") == {"ride"}


def test_folders_named_train_and_val_decide_where_there_are_some(root: Path) -> None:
    for split, taken in (("train", CLIPS), ("val", PHOTOS)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir()
            for path in [p for p in (root / kind).iterdir() if p.stem in taken]:
                path.rename(root / kind / split / path.name)

    assert names(root, "train") == CLIPS
    assert names(root, "val") == PHOTOS


def test_test_is_the_names_of_its_list_and_no_other_split_has_them(root: Path) -> None:
    (root / "test.txt").write_text("walk\nimages/photo1.png\n")

    assert names(root, "test") == {"walk", "photo1"}
    assert names(root, "train") | names(root, "val") == (CLIPS | PHOTOS) - {"walk", "photo1"}
    assert names(root, "val", val=["ride"]) == {"ride"}
    assert "walk" not in names(root, "train", val=["ride"])
    with pytest.raises(SettingError, match=r"val names walk, which is no clip or photo in"):
        names(root, "val", val=["walk"])


def test_beside_lists_test_has_one_too_and_shares_no_name_with_them(root: Path) -> None:
    (root / "train.txt").write_text("ride\nswim\nclimb\nphoto0\nphoto2\n")
    (root / "val.txt").write_text("photo3\n")
    (root / "test.txt").write_text("walk\nphoto1\n")

    assert names(root, "test") == {"walk", "photo1"}
    assert not any("leave out" in note for note in opened(root).notes)
    (root / "test.txt").write_text("photo3\n")
    with pytest.raises(DataError, match=r"test\.txt and val\.txt share photo3; expected: no clip"):
        names(root, "test")


def test_beside_folders_of_train_and_val_test_is_a_folder(root: Path) -> None:
    for split, taken in (("train", CLIPS - {"walk"}), ("val", PHOTOS), ("test", {"walk"})):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir()
            for path in [p for p in (root / kind).iterdir() if p.stem in taken]:
                path.rename(root / kind / split / path.name)

    assert names(root, "test") == {"walk"}
    assert names(root, "train") == CLIPS - {"walk"}


def test_a_folder_without_test_says_where_its_names_are_written(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"test\.txt is missing; .* Write it, with one name on each"
    ):
        names(root, "test")


def test_a_test_list_that_leaves_nothing_to_train_on_is_named(root: Path) -> None:
    (root / "test.txt").write_text("\n".join(sorted((CLIPS | PHOTOS) - {"walk"})))

    with pytest.raises(DataError, match=r"test\.txt leaves only walk for train and val; expected"):
        names(root, "train")


def test_classes_may_stand_for_several_values_and_some_be_ignored(root: Path) -> None:
    take_all(root)
    (root / "classes.yaml").write_text("thing: [1, 2]\nground: 0\nignore: [7, 9]\n")
    _, mask = picture_and_mask([1, 2])
    mask[0], mask[1], mask[2] = 7, 9, 255
    save(mask, root / "masks" / "photo0.png")

    split = opened(root, frames=1)

    masks = next(clip.masks for clip in split.clips if clip.name == "photo0")
    assert split.class_names == ("thing", "ground")
    assert np.unique(masks[0][:3]).tolist() == [IGNORE]
    assert np.unique(masks[0][3:]).tolist() == [0, 1]


def test_255_is_ignored_unless_a_class_has_it(root: Path) -> None:
    take_all(root)
    (root / "classes.yaml").write_text("ground: 0\nthing: [1, 2, 255]\n")
    save(np.full((48, 64), 255, np.uint8), root / "masks" / "photo0.png")

    split = opened(root)

    assert next(c.masks[0].min() for c in split.clips if c.name == "photo0") == 1


def test_classes_that_are_no_yaml_are_told_with_the_line(root: Path) -> None:
    (root / "classes.yaml").write_text("road: 0\ncar: 1\nroad: 2\n")

    with pytest.raises(
        DataError, match=r"yaml line 3: the key road is there twice, first in line 1"
    ):
        opened(root)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("masks/photo1.png", r"is missing; expected: the mask of .*photo1\.png\. Add it, or remo"),
        ("masks/walk", r"is missing; expected: masks \(\.png\) of .*walk\. Add a mask for at"),
        ("images/walk/000.jpg", r"is missing; expected: the frame of .*walk/000\.png\. Add it"),
        (
            "images/swim",
            r"is missing; expected: a clip or photo that line 7 of .*names\. Add",
        ),
        ("classes.yaml", r"is missing; expected: images, masks, classes\.yaml in one folder"),
    ],
)
def test_what_is_not_there_is_named(gone: str, message: str, root: Path) -> None:
    take_all(root)
    (root / gone).rename(root / "elsewhere")

    with pytest.raises(DataError, match=rf"^{root / gone} {message}"):
        opened(root)


def test_two_pictures_of_one_name_are_told(root: Path) -> None:
    save(picture_and_mask([1])[0], root / "images" / "photo1.jpg")

    with pytest.raises(
        DataError, match=r"photo1\.png has the same name as photo1\.jpg; expected: one"
    ):
        opened(root)


def test_a_photo_and_a_clip_of_one_name_are_told(root: Path) -> None:
    save(picture_and_mask([1])[0], root / "images" / "walk.jpg")

    with pytest.raises(
        DataError, match=r"walk\.jpg has the same name as the folder .*walk; expected:"
    ):
        opened(root)


def test_a_list_for_one_split_alone_asks_for_the_other(root: Path) -> None:
    take_all(root)

    with pytest.raises(DataError, match=r"val\.txt is missing; .* Write it, .* split by a hash\."):
        opened(root, "val")


def test_one_clip_alone_cannot_be_split(tmp_path: Path) -> None:
    picture, mask = picture_and_mask([1])
    save(picture, tmp_path / "images" / "a.png")
    save(mask, tmp_path / "masks" / "a.png")
    (tmp_path / "classes.yaml").write_text("[ground, person]")

    with pytest.raises(
        DataError, match=r"images holds only a; expected: at least two clips or photos"
    ):
        opened(tmp_path)


def test_a_value_without_a_class_is_named(root: Path) -> None:
    take_all(root)
    save(np.full((48, 64), 3, np.uint8), root / "masks" / "photo0.png")

    with pytest.raises(DataError, match=r"photo0\.png holds the value 3; .* name in classes\.yaml"):
        opened(root)


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_of_0_and_255_are_explained(split: Split, root: Path) -> None:
    (root / "classes.yaml").write_text("- background\n- person\n")
    for file in root.rglob("masks/**/*.png"):
        save(np.where(np.arange(64) < 20, 255, np.zeros((48, 1))).astype(np.uint8), file)

    with pytest.raises(
        DataError,
        match=rf"folder {split} in .* only the class background: their values are 0, 255 \(0 is "
        r"background, 255 is ignored\); .*classes\.yaml as \{background: 0, person: 255\}, each",
    ):
        opened(root, split)


def test_masks_without_any_class_are_named(root: Path) -> None:
    for file in root.rglob("masks/**/*.png"):
        save(np.full((48, 64), 255, np.uint8), file)

    with pytest.raises(DataError, match=r"hold no class: their values are 255 \(255 is ignored\)"):
        opened(root)


def test_clips_and_photos_are_both_in_val(root: Path) -> None:
    val = names(root, "val")

    assert val & CLIPS
    assert val & PHOTOS


def test_the_option_val_names_the_clips_of_val(root: Path) -> None:
    assert names(root, "val", val=["walk", "photo1"]) == {"walk", "photo1"}
    assert names(root, "train", val=["walk", "photo1"]) == (CLIPS | PHOTOS) - {"walk", "photo1"}
    assert names(root, "val", val="walk") == {"walk"}


@pytest.mark.parametrize(
    ("val", "message"),
    [
        (["wolk"], r"val names wolk, which is no clip or photo in .*Did you mean walk\?"),
        ([*CLIPS, *PHOTOS], r"val names all clips and photos\. Leave some for train"),
        ("walk, ride", r"val names walk, ride, which .*Use val=\[walk, ride\]\."),
        ([3], r"val is \[3\]; allowed: names, as in val: \["),
        ({"walk": 1}, r"val is \{'walk': 1\}; allowed: names"),
    ],
)
def test_an_option_val_that_makes_no_split_is_told(val: Any, message: str, root: Path) -> None:
    with pytest.raises(SettingError, match=message):
        names(root, "train", val=val)


def test_the_option_val_and_lists_exclude_each_other(root: Path) -> None:
    take_all(root)

    with pytest.raises(SettingError, match=r"val is set, but .*train\.txt decides already\. Rem"):
        names(root, "train", val=["walk"])


def test_the_option_val_and_folders_of_splits_exclude_each_other(root: Path) -> None:
    (root / "images" / "val").mkdir()

    with pytest.raises(SettingError, match=r"val is set, but .* folders train or val, .*\. Remove"):
        names(root, "train", val=["walk"])


def test_all_that_is_missing_is_found_at_once_with_names_that_are_similar(root: Path) -> None:
    (root / "masks" / "walk").rename(root / "masks" / "Walk_1")
    (root / "masks" / "photo1.png").unlink()
    for number in (8, 9):
        (root / "images" / "swim" / f"{number}.heic").touch()

    with pytest.raises(DataError) as found:
        describe_splits("folder", root)

    said = sorted([str(found.value), *found.value.others])
    swim = root / "images" / "swim"
    assert [line.split(" ")[0] for line in said] == [
        f"{swim / '8.heic'}",
        f"{root / 'masks' / 'photo1.png'}",
        f"{root / 'masks' / 'walk'}",
    ]
    assert f"(and 1 more in {swim})" in said[0]
    assert said[2].endswith("Did you mean Walk_1? Then rename it to walk.")


def test_what_no_list_names_is_said(root: Path) -> None:
    (root / "train.txt").write_text("walk\nphoto0\n")
    (root / "val.txt").write_text("ride\nphoto1\n")

    for split in ("train", "val"):
        said = describe_split(split, root, FolderSettings(fps=24)).notes
        assert said == (
            "train.txt and val.txt leave out 2 clips and 2 photos, which are not used: "
            "climb, photo2, photo3 and 1 more.",
        )


def test_a_frame_rate_that_is_assumed_is_said(root: Path) -> None:
    assumed, stated = (
        describe_split("train", root, settings)
        for settings in (FolderSettings(), FolderSettings(fps=29.97))
    )

    assert "24 fps is assumed for clips. Set the option fps" in assumed.notes[0]
    assert (stated.notes, stated.clips[0].fps) == ((), 29.97)


@pytest.mark.parametrize("fps", [0, 1001, "24", True, float("nan")])
def test_an_impossible_frame_rate_is_told(fps: Any) -> None:
    with pytest.raises(SettingError, match=r"^fps is .*; allowed: "):
        FolderSettings(fps=fps)


def test_a_photo_whose_mask_is_a_jpeg_is_told_why(root: Path) -> None:
    take_all(root)
    (root / "masks" / "photo0.png").unlink()
    save(np.zeros((48, 64), np.uint8), root / "masks" / "photo0.jpg")

    with pytest.raises(DataError, match=r"photo0\.jpg is no exact picture, its values may have ch"):
        opened(root)


def test_masks_with_capital_suffixes_are_found(root: Path) -> None:
    take_all(root)
    for file in (root / "masks").rglob("*.png"):
        file.rename(file.with_suffix(".PNG"))

    assert {clip.name for clip in opened(root).clips} == CLIPS | PHOTOS


def test_frames_follow_each_other_by_their_numbers(root: Path) -> None:
    for part, suffix in (("images", ".jpg"), ("masks", ".png")):
        for t, number in ((0, "1"), (1, "2"), (2, "10")):
            file = root / part / "walk" / f"{t:03d}{suffix}"
            if file.exists():
                file.rename(file.with_name(f"frame{number}{suffix}"))
    take_all(root)

    clips = {clip.name: clip for clip in describe_split("train", root, FolderSettings()).clips}

    assert [file.stem for file in clips["walk"].frames] == ["frame1", "frame2", "frame10"]


def test_a_phones_photo_is_turned_with_its_mask_and_lies_under_it(root: Path) -> None:
    take_all(root)
    picture, mask = picture_and_mask([1, 2])
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(picture[::-1, ::-1]).save(root / "images" / "photo0.png", exif=exif)

    (clip,) = [clip for clip in opened(root, frames=1).clips if clip.name == "photo0"]

    np.testing.assert_array_equal(clip.frames[0], picture)
    np.testing.assert_array_equal(clip.masks[0], mask)
