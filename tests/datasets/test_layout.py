from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.datasets.layout import by_stem, masks_in, missing_partner, stratified_split
from jejunet_nas.errors import DataError
from tests.datasets.trees import save

NAMES = st.sets(st.text("abcdef", min_size=1, max_size=6))


def test_a_missing_folder_has_no_files(tmp_path: Path) -> None:
    assert by_stem(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("suffix", [".PNG", ".bmp", ".TIF"])
def test_masks_are_found_whatever_their_case(suffix: str, tmp_path: Path) -> None:
    file = save(np.zeros((4, 4), np.uint8), tmp_path / f"a{suffix}")
    save(np.zeros((4, 4), np.uint8), tmp_path / "preview.jpg")

    assert masks_in(tmp_path) == {"a": file}


def test_a_mask_as_jpeg_is_told_to_be_inexact(tmp_path: Path) -> None:
    save(np.zeros((4, 4), np.uint8), tmp_path / "a.jpg")

    error = missing_partner(tmp_path / "photo.jpg", tmp_path / "a.png", True, "Add it.")

    assert "a.jpg is no exact picture, its values may have changed; expected: the mask" in str(
        error
    )
    assert isinstance(error, DataError)


@given(NAMES, NAMES, st.floats(0.01, 0.99))
def test_clips_and_photos_are_split_apart(
    clips: set[str], photos: set[str], val_share: float
) -> None:
    photos = {name.upper() for name in photos}
    train = {*stratified_split(clips, photos, "train", val_share)}
    val = {*stratified_split(clips, photos, "val", val_share)}

    assert (train | val, train & val) == (clips | photos, set())
    for kind in (clips, photos):
        if len(kind) > 1:
            assert train & kind
            assert val & kind
    if len(clips | photos) > 1:
        assert train
        assert val
