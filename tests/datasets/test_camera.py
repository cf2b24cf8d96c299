import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jejunet_nas.datasets.camera import LONGEST, SIDE, Motion, MovingPictures, view_at
from jejunet_nas.datasets.pictures import Picture, StoredPictures
from jejunet_nas.errors import SettingError

names = st.text(max_size=8)
seeds = st.integers(0, 2**32 - 1)
times = st.integers(0, LONGEST - 1)
aspects = st.floats(0.25, 4)


def moving(pictures: Picture, folder: Path, name: str = "photo", **motion: int) -> MovingPictures:
    file = folder / f"{name}{pictures.ndim}.bin"
    file.write_bytes(pictures.tobytes())
    height, width = pictures.shape[:2]
    stored = StoredPictures(file, 0, (1, *pictures.shape))
    return MovingPictures(stored, name, width / height, Motion(**motion))


@given(name=names, seed=seeds, aspect=aspects, t=times)
def test_no_view_leaves_the_photo(name: str, seed: int, aspect: float, t: int) -> None:
    view = view_at(name, seed, aspect, t)

    # The view's corners, in heights of the photo, turned about its centre.
    for u, v in ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)):
        across, down = u * view.scale * aspect, v * view.scale
        x = view.x + (across * math.cos(view.angle) - down * math.sin(view.angle)) / aspect
        y = view.y + across * math.sin(view.angle) + down * math.cos(view.angle)
        assert -1e-9 <= x <= 1 + 1e-9
        assert -1e-9 <= y <= 1 + 1e-9


@given(name=names, seed=seeds, aspect=st.floats(0.5, 2))
def test_a_clip_begins_upright_in_the_middle_and_sees_most_of_the_photo(
    name: str, seed: int, aspect: float
) -> None:
    view = view_at(name, seed, aspect, 0)

    assert (view.x, view.y, view.angle) == (0.5, 0.5, 0)
    assert 0.5 < view.scale <= 0.8


@given(name=names, seed=seeds, aspect=aspects, t=st.integers(2, LONGEST - 1))
def test_the_camera_moves_smoothly(name: str, seed: int, aspect: float, t: int) -> None:
    views = [view_at(name, seed, aspect, t - back) for back in (2, 1, 0)]

    x, y, scale, angle = np.array([[v.x, v.y, math.log(v.scale), v.angle] for v in views]).T
    # A swing of amplitude a and period T: speed at most 2 pi a / T, acceleration 4 pi^2 a / T^2.
    for values, swing in ((x, 0.05), (y, 0.05), (scale, 0.06), (angle, math.radians(2.5))):
        assert np.abs(np.diff(values)).max() <= 2 * math.pi * swing / 16 + 1e-9
        assert np.abs(np.diff(values, 2)).max() <= 4 * math.pi**2 * swing / 16**2 + 1e-9


@settings(max_examples=40)
@given(seed=seeds, height=st.integers(24, 90), width=st.integers(24, 90), t=st.integers(0, 47))
def test_the_mask_moves_with_the_picture(
    seed: int, height: int, width: int, t: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    coarse = np.random.default_rng(seed).integers(0, 2, (6, 6), dtype=np.uint8)
    mask = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST))
    picture = np.repeat(255 * mask[..., None], 3, axis=2)

    frames, masks = (moving(each, folder, frames=48) for each in (picture, mask))
    frame, moved = frames[t], masks[t]

    # Between two pixels the picture is a mixture, the mask the nearer one of both: off by one half.
    np.testing.assert_array_less(np.abs(frame[..., 0] / 255 - moved), 0.76)
    pure = np.isin(frame[..., 0], (0, 255))
    np.testing.assert_array_equal(frame[..., 0][pure] == 255, moved[pure] == 1)
    assert pure.mean() > 0.2


def test_a_shrunk_photo_and_its_mask_move_as_one(tmp_path: Path) -> None:
    mask = np.zeros((200, 300), np.uint8)
    mask[60:140, 90:210] = 1
    small = np.asarray(Image.fromarray(255 * mask).resize((120, 80), Image.Resampling.BOX))
    picture = np.repeat(small[..., None], 3, axis=2)

    frames, masks = moving(picture, tmp_path), moving(mask, tmp_path)
    for frame, moved in zip(frames, masks, strict=True):
        shown = np.asarray(Image.fromarray(frame[..., 0]).resize(moved.shape[::-1])) > 127
        assert (shown == (moved == 1)).mean() > 0.98


def test_a_clip_is_told_by_the_photos_name_and_the_seed_alone(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)

    def pixels(name: str, frames: int, seed: int) -> bytes:
        return moving(photo, tmp_path, name, frames=frames, seed=seed)[:4].tobytes()

    assert pixels("a", 4, 0) == pixels("a", 4, 0) == pixels("a", 30, 0)
    assert len({pixels("a", 4, 0), pixels("b", 4, 0), pixels("a", 4, 1)}) == 3


def test_frames_have_their_share_of_the_photos_pixels(tmp_path: Path) -> None:
    frames = moving(np.zeros((40, 60, 3), np.uint8), tmp_path)

    assert frames.shape == (8, round(40 * SIDE), round(60 * SIDE), 3)
    assert frames[-1].shape == frames.shape[1:]


@pytest.mark.parametrize(("option", "value"), [("frames", 0), ("frames", 241), ("seed", -1)])
def test_a_motion_out_of_range_names_what_is_allowed(option: str, value: int) -> None:
    with pytest.raises(SettingError, match=rf"{option} is {value}; allowed: .* The nearest is "):
        Motion(**{option: value})
