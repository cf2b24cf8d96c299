from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.datasets.clip_files import mask_code, read_frame, read_mask
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

CODE = mask_code({0: 0, 1: 1, 2: 2, 7: 3, 255: IGNORE}, fix="Mend it.")
VALUES = np.array([[0, 1, 2], [7, 255, 0]], np.uint8)
CLASSES = [[0, 1, 2], [3, IGNORE, 0]]


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_mask_counts_by_its_values_never_by_its_colours(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(VALUES)
    if mode == "P":
        image.putpalette([200, 10, 30] * 128 + [0, 90, 0] * 128)
    image.save(tmp_path / "mask.png")

    assert read_mask(tmp_path / "mask.png", CODE).tolist() == CLASSES


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_mask_that_holds_no_indices_is_named(mode: str, tmp_path: Path) -> None:
    Image.fromarray(VALUES).convert(mode).save(tmp_path / "mask.png")

    with pytest.raises(DataError, match=r"mask\.png is stored in colours \(mode .*; expected:"):
        read_mask(tmp_path / "mask.png", CODE)


def test_a_value_without_a_class_is_named_with_those_that_have_one(tmp_path: Path) -> None:
    Image.fromarray(VALUES + np.uint8(2)).save(tmp_path / "mask.png")

    with pytest.raises(
        DataError,
        match=r"mask\.png holds the values 3, 4, 9; expected: 0 to 2, 7, 255\. Mend",
    ):
        read_mask(tmp_path / "mask.png", CODE)


def test_a_one_bit_mask_holds_zeros_and_ones(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "mask.png")

    assert read_mask(tmp_path / "mask.png", CODE).tolist() == [[0, 1]]


def test_a_large_jpeg_is_shrunk_while_it_is_decoded(tmp_path: Path) -> None:
    coarse = np.random.default_rng(0).integers(0, 255, (9, 16, 3), np.uint8)
    Image.fromarray(coarse).resize((640, 360), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg")
    Image.open(tmp_path / "a.jpg").save(tmp_path / "a.png")

    fast, exact = (read_frame(tmp_path / name, (120, 213)) for name in ("a.jpg", "a.png"))

    assert fast.shape == (120, 213, 3)
    assert np.abs(fast.astype(int) - exact).mean() < 2  # grey levels; 0.7 on a photo at 720p
