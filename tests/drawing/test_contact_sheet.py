from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.datasets.check import check_data
from jejunet_nas.drawing.contact_sheet import TILES, choose_samples, draw_contact_sheet
from jejunet_nas.drawing.overlay import class_colours, overlay
from jejunet_nas.drawing.page import WIDTH_PX
from jejunet_nas.records import IGNORE
from tests.datasets.davis_tree import frame_file, mask_file, write_davis
from tests.datasets.trees import TREES

GREY = np.full((40, 60, 3), 100, np.uint8)
RED = (250, 20, 20)


@pytest.mark.parametrize("dataset", TREES)
def test_a_sheet_is_as_wide_as_promised_and_shows_both_splits(dataset: str, tmp_path: Path) -> None:
    check = check_data(dataset, TREES[dataset][0](tmp_path / "data"))

    assert draw_contact_sheet(check, tmp_path / "sheet.png")

    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width == WIDTH_PX
        assert 500 < image.height < 1600


def test_frames_come_from_clips_that_are_spread_evenly(tmp_path: Path) -> None:
    names = tuple(f"clip{number:02d}" for number in range(32))
    root = write_davis(tmp_path, frames=3, height=24, width=32, sequences=(*names, "other"))
    (root / "ImageSets" / "2016" / "train.txt").write_text("\n".join(names))
    (root / "ImageSets" / "2016" / "val.txt").write_text("other")
    train, val = check_data("davis", root).files

    found = [sample.caption for sample in choose_samples(train, set())]

    assert found == [f"clip{number:02d}: 00001" for number in range(2, 32, 4)]
    assert len(found) == TILES
    assert [sample.caption for sample in choose_samples(val, set())] == [
        f"other: {t:05d}" for t in range(3)
    ]


def test_broken_files_are_not_shown(tmp_path: Path) -> None:
    root = TREES["davis"][0](tmp_path / "data")
    frame_file(root, "bear", 0).write_bytes(b"")
    mask_file(root, "bear", 2).write_bytes(b"")
    check = check_data("davis", root)
    broken = {*check.faults}

    names = [sample.caption for sample in choose_samples(check.files[0], broken)]

    assert [name for name in names if "bear" in name] == ["bear: 00001", "bear: 00003"]
    assert draw_contact_sheet(check, tmp_path / "sheet.png")


def test_where_all_is_broken_there_is_no_sheet(tmp_path: Path) -> None:
    root = TREES["davis"][0](tmp_path / "data")
    for file in root.rglob("*.png"):
        file.write_bytes(b"")

    assert not draw_contact_sheet(check_data("davis", root), tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_an_object_takes_its_colour_and_background_takes_none() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 30:] = 1

    shown = overlay(GREY, mask, [None, RED], 80, 120).astype(int)

    inside, outside = shown[40, 100], shown[40, 10]
    assert inside[0] - inside[1] > 80
    assert np.ptp(outside) == 0


def test_void_is_hatched_in_grey() -> None:
    mask = np.full((40, 60), IGNORE, np.uint8)

    shown = overlay(GREY, mask, [None, RED], 80, 120)

    assert np.ptp(shown, axis=2).max() == 0
    assert shown.std() > 20


@pytest.mark.parametrize("count", [2, 21, 95])
def test_every_class_has_a_colour_of_its_own(count: int) -> None:
    first, *others = class_colours(["background", *(f"class{i}" for i in range(count - 1))])

    assert first is None
    assert len(set(others)) == count - 1
    assert all(colour and max(colour) > 100 for colour in others)
