from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.errors import SettingError
from jejunet_nas.media.sink import MaskSink

PALETTE = np.array([[0, 0, 0], [200, 10, 20], [30, 40, 250]], np.uint8)


def test_masks_keep_their_indices_and_the_palette(tmp_path: Path) -> None:
    masks = np.random.default_rng(0).integers(0, 3, (2, 5, 7), np.uint8)

    sink = MaskSink(tmp_path / "new" / "masks", PALETTE)
    for mask in masks:
        sink.write(mask)

    assert sink.frames == 2
    for number, mask in enumerate(masks):
        with Image.open(tmp_path / "new" / "masks" / f"0000{number}.png") as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image), mask)
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), PALETTE[mask])


def test_a_mask_is_named_after_its_frame(tmp_path: Path) -> None:
    sink = MaskSink(tmp_path, PALETTE)
    for name in ("dawn", ""):
        sink.write(np.zeros((4, 4), np.uint8), name)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["00001.png", "dawn.png"]


def test_masks_of_an_older_video_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    MaskSink(tmp_path, PALETTE).write(np.zeros((4, 4), np.uint8))

    with pytest.raises(SettingError, match=r"contains 1 PNG file, which .*\. Remove them"):
        MaskSink(tmp_path, PALETTE)


def test_a_folder_of_masks_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingError, match=r"file/masks cannot be written: Not a directory"):
        MaskSink(tmp_path / "file" / "masks", PALETTE)


@pytest.mark.usefixtures("small_disk")
def test_an_incomplete_mask_is_removed(tmp_path: Path) -> None:
    sink = MaskSink(tmp_path, PALETTE)

    with pytest.raises(SettingError, match=r"cannot be written: .+\. Free some"):
        sink.write(np.random.default_rng(0).integers(0, 3, (600, 600), np.uint8))

    assert list(tmp_path.iterdir()) == []
