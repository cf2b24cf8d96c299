import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jejunet_nas.datasets.clip_files import read_frame
from jejunet_nas.datasets.layout import by_stem
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.images.listing import natural_key
from jejunet_nas.media.source import open_source
from tests.media.films import HEIGHT, WIDTH, ramp


def save(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(ramp(number)).save(folder / name)


def test_frames_are_sorted_by_number_and_timed_by_the_given_rate(tmp_path: Path) -> None:
    save(tmp_path, "f2.png", "F10.PNG", "f1.bmp")
    (tmp_path / "notes.txt").write_text("not a frame")

    with open_source(tmp_path, fps=5) as source:
        frames = list(source)

    assert (source.fps, source.frame_count, source.size) == (5, 3, (HEIGHT, WIDTH))
    assert source.trouble is None
    assert [frame.time_s for frame in frames] == [0, 0.2, 0.4]
    assert [frame.picture[0, 0, 2] for frame in frames] == [20, 0, 10]  # f1, f2, F10


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_sort_by_their_value_however_they_are_padded(numbers: list[int]) -> None:
    names = [f"frame {n:0{4 * (n % 2)}d}.png" for n in numbers]

    assert sorted(names, key=natural_key) == [
        name for _, name in sorted(zip(numbers, names, strict=True))
    ]


def test_frames_have_the_names_of_their_files_and_folders_beside_them_are_told(
    tmp_path: Path,
) -> None:
    save(tmp_path, "dawn.png", "noon.png")
    save(tmp_path / "drive", "1.png")

    with open_source(tmp_path) as source:
        assert [frame.name for frame in source] == ["dawn", "noon"]
    assert re.search(r"^The 2 pictures .* as one video; .* 1 folder \(drive\) was", source.notes[0])
    assert source.notes[0].endswith(f"use {tmp_path / 'drive'}.")

    save(tmp_path, "dawn.jpg")
    with open_source(tmp_path) as source:
        assert [frame.name for frame in source] == ["dawn.jpg", "dawn.png", "noon.png"]


def test_a_frame_of_another_size_is_named_before_any_is_read(tmp_path: Path) -> None:
    save(tmp_path, "0.png", "1.png")
    Image.new("RGB", (10, 20)).save(tmp_path / "2.png")

    with pytest.raises(
        DataError, match=r"2\.png is 20x10 pixels .*, but the first frame 0\.png is 48x64"
    ):
        open_source(tmp_path)


def test_a_file_that_is_no_picture_is_named_before_any_is_read(tmp_path: Path) -> None:
    save(tmp_path, "0.png", "1.png")
    (tmp_path / "2.jpg").write_text("not a picture")

    with pytest.raises(DataError, match=r"2\.jpg cannot be read \(it is no picture\); .* Copy or"):
        open_source(tmp_path)


def test_a_frame_that_breaks_off_ends_the_iteration_and_is_named(tmp_path: Path) -> None:
    save(tmp_path, "0.png", "1.png", "2.png")
    data = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(data[: len(data) // 2])

    with open_source(tmp_path) as source:
        assert len(list(source)) == 1

    assert source.trouble is not None
    assert "cannot be read beyond 1.png" in source.trouble
    assert source.trouble.endswith("1 frame was read.")


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: to be turned clockwise
    Image.fromarray(ramp(0)).save(tmp_path / "0.png", exif=exif)

    with open_source(tmp_path) as source:
        picture = next(iter(source)).picture

    assert source.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(picture, np.rot90(ramp(0), -1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16"])
def test_every_kind_of_png_becomes_rgb(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 200 << 8, np.uint16))
    elif mode == "P":
        image = Image.fromarray(np.zeros((8, 8), np.uint8))
        image.putpalette([200, 200, 200])
        image.info["transparency"] = b"\x10"
    else:
        image = Image.new("RGBA", (8, 8), (200, 200, 200, 99)).convert(mode)
    image.save(tmp_path / "0.png")

    with open_source(tmp_path) as source:
        picture = next(iter(source)).picture

    expected = 255 if mode == "1" else 200
    assert picture.dtype == np.uint8
    assert set(np.unique(picture)) <= ({0, expected} if mode == "1" else {expected})


def test_a_folder_without_frames_says_what_frames_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"contains no pictures \(\.jpg, .*\.tiff\)"):
        open_source(tmp_path)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(fps: float, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"fps is .*; allowed: above 0, to 1000\. Use 24"):
        open_source(tmp_path, fps=fps)


def test_a_first_frame_that_is_broken_is_an_error_not_a_film_of_0_frames(tmp_path: Path) -> None:
    save(tmp_path, "0.png")
    data = (tmp_path / "0.png").read_bytes()
    (tmp_path / "0.png").write_bytes(data[: len(data) // 2])

    with pytest.raises(DataError, match=r"0\.png cannot be read \(.*\); expected: a complete PNG"):
        open_source(tmp_path)


def test_a_folder_is_read_for_segment_as_for_training(tmp_path: Path) -> None:
    save(tmp_path, "f1.webp", "f2.tif", "f10.BMP")
    for name in ("._f1.jpg", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"left behind")

    with open_source(tmp_path) as source:
        seen = [frame.picture for frame in source]

    for frame, file in zip(seen, by_stem(tmp_path).values(), strict=True):
        np.testing.assert_array_equal(frame, read_frame(file, (HEIGHT, WIDTH)))
