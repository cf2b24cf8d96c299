import contextlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jejunet_nas.errors import DataError
from jejunet_nas.images import read
from jejunet_nas.images.read import picture_size, read_rgb, read_values

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)
ORIENTATION = 0x0112
TURNED = {  # how a picture is stored that is seen as RAMP
    1: RAMP,
    2: RAMP[:, ::-1],
    3: RAMP[::-1, ::-1],
    4: RAMP[::-1],
    5: RAMP.T,
    6: np.rot90(RAMP),
    7: RAMP.T[::-1, ::-1],
    8: np.rot90(RAMP, -1),
}


def save(picture: np.ndarray, path: Path, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(picture)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_frames_and_masks_are_seen_as_their_exif_says(
    orientation: int, suffix: str, tmp_path: Path
) -> None:
    path = save(TURNED[orientation], tmp_path / f"mask{suffix}", orientation)

    assert picture_size(path) == RAMP.shape
    assert read_values(path).tolist() == RAMP.tolist()
    assert read_rgb(path)[..., 0].tolist() == RAMP.tolist()


def test_a_large_jpeg_is_turned_after_it_is_halved(tmp_path: Path) -> None:
    picture = np.zeros((400, 200, 3), np.uint8)
    picture[:, :100] = 200
    path = save(np.rot90(picture), tmp_path / "upright.jpg", 6)

    seen = read_rgb(path, at_least=(200, 100))

    assert seen.shape == (200, 100, 3)
    assert (seen[100, 20, 0] > 180, seen[100, 80, 0] < 20) == (True, True)


def test_of_16_bit_grey_a_frame_has_the_upper_bits_and_a_mask_its_values(tmp_path: Path) -> None:
    bright, few = tmp_path / "frame.png", tmp_path / "mask.png"
    Image.fromarray(np.full((8, 8), 100 << 8, np.uint16)).save(bright)
    Image.fromarray(RAMP.astype(np.uint16)).save(few)

    assert np.unique(read_rgb(bright)).tolist() == [100]
    assert read_values(few).tolist() == RAMP.tolist()
    with pytest.raises(DataError, match=r"holds the 16-bit value 25600; expected: values from 0"):
        read_values(bright)


@pytest.mark.parametrize("bits", [2, 4])
def test_values_of_packed_grey_are_those_that_were_written(bits: int, tmp_path: Path) -> None:
    Image.fromarray(RAMP % 4).save(tmp_path / "mask.png", bits=bits)

    assert read_values(tmp_path / "mask.png").tolist() == (RAMP % 4).tolist()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # as `read` does outside of pytest
def test_broken_exif_turns_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    assert picture_size(path) == read_rgb(path).shape[:2] == (4, 8)


def test_the_length_that_a_chunk_claims_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(path)
    content = path.read_bytes()
    at = content.index(b"IDAT")
    path.write_bytes(content[: at - 4] + struct.pack(">I", 2**31 - 1) + content[at:-16])
    tracemalloc.start()
    try:
        with contextlib.suppress(DataError):
            read_rgb(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2**20


@pytest.mark.parametrize("side", [13_300, 10_000])
def test_a_picture_beyond_the_bound_is_refused_by_its_header(side: int, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (side, side)).save(path)

    for reading in (picture_size, read_rgb, read_values):
        with pytest.raises(DataError, match=r"large\.png has \d+ pixels; .*at most 50 million\. S"):
            reading(path)


def test_the_largest_size_that_fits_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "MOST_PIXELS", 3_000_000)
    Image.new("1", (4000, 3000)).save(tmp_path / "large.png")

    with pytest.raises(DataError, match=r"3000x4000 pixels; .* Shrink it, to 1500x2000 or less\.$"):
        picture_size(tmp_path / "large.png")


@pytest.mark.parametrize("size", [(2000, 3), (3, 2000)])
def test_a_strip_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("L", size).save(tmp_path / "strip.png")

    with pytest.raises(DataError, match=r"strip\.png is \d+x\d+ pixels .*; .*32 times the shorter"):
        picture_size(tmp_path / "strip.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_garbled_picture_is_read_or_named(
    suffix: str, data: st.DataObject, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(path)
    garbled = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        garbled[data.draw(st.integers(0, len(garbled) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(garbled[: data.draw(st.integers(0, len(garbled)))])

    said = []
    for reading in (picture_size, read_rgb, read_values):
        try:
            reading(path)
        except DataError as error:
            said.append(str(error))

    assert not [line for line in said if "\n" in line or str(path) not in line]
