"""What the masks of a data set hold: said alike by `data check` and by what a search opens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.check import check_data
from jejunet_nas.datasets.learnable import Labels, label_warnings, labels_of, origin_warning
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE
from jejunet_nas.search.prepare import data_facts
from tests.datasets.davis_tree import mask_file
from tests.datasets.trees import TREES, save

on_disk = pytest.mark.parametrize("dataset", TREES)


def labels(split: Split = "val", **changes: Any) -> Labels:
    """Return masks of which nothing can be said, but for `changes`."""
    usual: dict[str, Any] = {
        "class_names": ("background", "dog"),
        "pixels": {0: 90_000, 1: 9_000, IGNORE: 1_000},
        "videos": 3,
        "photos": 0,
        "annotated_frames": 60,
    }
    return Labels(split=split, **{**usual, **changes})


def recoloured(root: Path, values: dict[int, int]) -> None:
    """Write all grey masks below `root` anew, with other values."""
    table = np.array([values.get(value, value) for value in range(256)], np.uint8)
    for file in root.rglob("*.png"):
        mask = np.asarray(Image.open(file))
        if mask.ndim == 2:
            save(table[mask], file)


def refusals(dataset: str, root: Path) -> tuple[str, str]:
    """Return why a search refuses the split train, and what `data check` says of it."""
    with pytest.raises(DataError, match=r"hold (only the class|no class)") as refused:
        open_split(dataset, "train", root=root, cache_dir=root / "cache")
    return str(refused.value), check_data(dataset, root).refusals[0]


@on_disk
def test_a_data_set_that_can_be_learnt_from_is_not_refused(dataset: str, tmp_path: Path) -> None:
    assert not check_data(dataset, TREES[dataset][0](tmp_path)).refusals


def test_masks_of_0_and_255_among_others_are_told(tmp_path: Path) -> None:
    root = TREES["folder"][0](tmp_path)
    (root / "train.txt").write_text("walk\nride\nphoto0\nphoto1\n")
    (root / "val.txt").write_text("swim\nphoto2\n")
    for name in ("photo0.png", "ride/000.png", "ride/002.png"):
        file = root / "masks" / name
        save(np.where(np.asarray(Image.open(file)), np.uint8(255), np.uint8(0)), file)

    check = check_data("folder", root)
    opened = open_split("folder", "train", root=root, cache_dir=tmp_path / "cache")

    said = check.warnings[0]
    assert said.startswith(
        "the masks of 1 clip and 1 photo of train hold only the values 0 and 255"
    )
    assert f"the first is {root / 'masks' / 'ride' / '000.png'}. If 255 is person there" in said
    assert said.endswith(
        "write 1 into these masks, or give {} names with values, such as {}.".format(
            root / "classes.yaml", "{person: [1, 255]}"
        )
    )
    assert opened.notes[0] == said
    assert not [note for note in check.files[1].notes if "255" in note]
    assert said.rstrip(".") in data_facts(opened, opened).warnings


def test_255_that_has_a_class_is_not_called_lost(tmp_path: Path) -> None:
    root = TREES["folder"][0](tmp_path)
    recoloured(root / "masks" / "ride", {1: 255})
    (root / "classes.yaml").write_text("{background: 0, person: [1, 255], dog: 2}")

    assert not [said for said in check_data("folder", root).warnings if "255" in said]


@on_disk
def test_files_and_decoded_clips_hold_the_same(dataset: str, tmp_path: Path) -> None:
    root = TREES[dataset][0](tmp_path)
    splits = check_data(dataset, root).splits

    for split in splits:
        opened = open_split(dataset, split.split, root=root, cache_dir=tmp_path / "cache")
        assert labels_of(opened) == split.labels


def test_masks_of_0_and_255_are_refused_with_the_classes_file_that_reads_them(
    tmp_path: Path,
) -> None:
    root = TREES["folder"][0](tmp_path)
    recoloured(root / "masks", {1: 255, 2: 255})

    search, check = refusals("folder", root)

    assert "hold only the class background: their values are 0, 255 (0 is background, 255 is " in (
        search
    )
    assert "ignored)" in search
    assert "Write classes.yaml as {background: 0, person: 255}, each value" in search
    assert check == search


@pytest.mark.parametrize(("value", "held"), [(0, "only the class sky"), (11, "no class")])
def test_masks_of_one_class_or_of_void_alone_are_refused(
    value: int, held: str, tmp_path: Path
) -> None:
    root = TREES["camvid"][0](tmp_path)
    recoloured(root / "trainannot", dict.fromkeys(range(12), value))

    search, check = refusals("camvid", root)

    assert f"The masks of camvid train in {root} hold {held}: their values are {value} (" in search
    assert "Use masks with two classes or more" in search
    assert check == search


def test_val_is_refused_as_train_is(tmp_path: Path) -> None:
    root = TREES["davis"][0](tmp_path)
    for t in range(4):
        save(np.zeros((48, 64), np.uint8), mask_file(root, "goat", t))

    with pytest.raises(DataError, match=r"masks of davis val .* hold only the class background"):
        open_split("davis", "val", root=root, cache_dir=tmp_path / "cache")
    assert len(check_data("davis", root).refusals) == 1


def test_of_usual_masks_nothing_is_said() -> None:
    assert label_warnings(labels("train"), labels()) == []


@pytest.mark.parametrize(
    ("split", "changes", "said"),
    [
        ("train", {"pixels": {0: 9_000}}, "no mask of train has dog: a network cannot learn it"),
        ("val", {"pixels": {0: 9_000}}, "no mask of val has dog: the mIoU is that of the other"),
        (
            "train",
            {"pixels": {0: 9_000, 1: 999}},
            "the masks of train have few pixels of dog (999 pixels): a network hardly learns it",
        ),
        (
            "val",
            {"pixels": {0: 9_000, 1: 1}},
            "the masks of val have few pixels of dog (1 pixel): its IoU depends on chance",
        ),
        (
            "val",
            {"pixels": {0: 1_000, 1: 1_000, IGNORE: 18_000}},
            "90 % of the pixels of val's masks are ignored",
        ),
        ("val", {"annotated_frames": 9}, "val has only 9 annotated frames: small differences"),
    ],
)
def test_what_cannot_be_learnt_or_told_is_said(
    split: Split, changes: dict[str, Any], said: str
) -> None:
    pair = {"train": labels("train"), "val": labels(), split: labels(split, **changes)}

    (warning,) = label_warnings(pair["train"], pair["val"])

    assert said in warning


@pytest.mark.parametrize(
    ("videos", "photos", "said"),
    [
        (3, 9, "val is 3 videos and 9 simulated pans over photos, where nothing moves by itself"),
        (0, 1, "val is 1 simulated pan over photos and no video: video policies are judged on "),
    ],
)
def test_pans_over_photos_are_told_from_video(videos: int, photos: int, said: str) -> None:
    (warning,) = origin_warning(videos, photos)

    assert warning.startswith(said)
    assert origin_warning(videos, 0) == []
