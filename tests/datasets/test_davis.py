import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.clip_files import MaskCode, read_frame, read_mask
from jejunet_nas.datasets.davis import DavisSettings, describe_split
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE, DataSplit
from tests.datasets.davis_tree import REAL_DAVIS, frame_file, mask_file, write_davis

BINARY = MaskCode(classes=bytes([0] + [1] * 255), colours_as_grey=True)


def opened(root: Path, **options: Any) -> DataSplit:
    return open_split("davis", "train", root=root, cache_dir=root / "cache", options=options)


def test_a_tree_in_the_official_layout_becomes_clips(tmp_path: Path) -> None:
    split = opened(write_davis(tmp_path))

    assert split.class_names == ("background", "object")
    assert [(clip.name, len(clip), clip.fps) for clip in split.clips] == [
        ("bear", 3, 24.0),
        ("boat", 3, 24.0),
    ]
    mask = split.clips[0].masks[0]
    assert mask[:, :16].min() == 1
    assert mask[:, 16:].max() == 0


def test_a_list_of_files_means_the_same_as_a_list_of_sequences(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    by_sequence = describe_split("train", root, DavisSettings())
    (root / "ImageSets" / "2016" / "train.txt").write_text(
        "".join(
            f"/JPEGImages/480p/{s}/{t:05d}.jpg /Annotations/480p/{s}/{t:05d}.png\n"
            for s in ("bear", "boat")
            for t in range(3)
        )
    )

    assert describe_split("train", root, DavisSettings()) == by_sequence


def test_the_lists_of_the_first_release_lie_beside_the_resolution(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    (root / "ImageSets" / "2016").rename(root / "ImageSets" / "480p")

    assert len(describe_split("train", root, DavisSettings()).clips) == 2


def test_the_only_resolution_there_is_is_taken(tmp_path: Path) -> None:
    files = describe_split("train", write_davis(tmp_path, resolution="1080p"), DavisSettings())

    assert "1080p" in files.clips[0].frames[0].parts


def test_every_and_clips_take_part_of_the_split(tmp_path: Path) -> None:
    split = opened(write_davis(tmp_path, frames=5), every=2, clips=1)

    assert [(clip.name, len(clip), clip.fps) for clip in split.clips] == [("bear", 3, 12.0)]
    levels = split.clips[0].frames[:][:, 0, 0, 0].astype(int)
    assert np.abs(levels - [10, 50, 90]).max() <= 2  # JPEG rounds


def test_an_option_out_of_range_names_what_is_allowed() -> None:
    with pytest.raises(SettingError, match=r"every is 0; allowed: .* The nearest is 1\."):
        DavisSettings(every=0)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    root = write_davis(tmp_path)

    with pytest.raises(
        DataError, match=r"2016/val\.txt is missing; .*val sequences\. Copy the lists of 2016"
    ):
        describe_split("val", root, DavisSettings())


def test_a_root_one_folder_too_high_is_told_the_right_one(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "DAVIS")

    with pytest.raises(DataError, match=rf"JPEGImages is missing.* Use --data-root {root}\."):
        describe_split("train", tmp_path, DavisSettings())


def test_an_empty_list_is_named(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    (root / "ImageSets" / "2016" / "train.txt").write_text("\n")

    with pytest.raises(
        DataError, match=r"train\.txt is empty; expected: a sequence on each line\."
    ):
        describe_split("train", root, DavisSettings())


def test_a_missing_sequence_is_named_with_the_list_that_asks_for_it(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    frame_file(root, "boat", 0).parent.rename(tmp_path / "elsewhere")

    with pytest.raises(DataError, match=r"480p/boat is missing; .*train\.txt names"):
        describe_split("train", root, DavisSettings())


def test_frames_without_masks_are_found_together(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    for number in (0, 1):
        mask_file(root, "boat", number).unlink()

    with pytest.raises(DataError, match=r"boat/00000\.png is missing; expected: the mask") as found:
        describe_split("train", root, DavisSettings())

    assert "boat/00001.png is missing" in found.value.others[0]


def test_a_frame_without_a_mask_names_the_mask(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    mask_file(root, "boat", 1).unlink()

    with pytest.raises(DataError, match=r"boat/00001\.png is missing; expected: the mask of"):
        describe_split("train", root, DavisSettings())


def test_a_mask_of_another_size_is_named_before_anything_is_decoded(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    Image.fromarray(np.zeros((12, 16), np.uint8)).save(mask_file(root, "boat", 2))

    with pytest.raises(
        DataError,
        match=r"00002\.png is 12x16 pixels .*: 24x32, as its frame .*02\.jpg",
    ):
        opened(root)

    assert not (root / "cache").exists()


@pytest.mark.parametrize("broken", [frame_file, mask_file])
def test_a_truncated_picture_is_named(
    broken: Callable[[Path, str, int], Path], tmp_path: Path
) -> None:
    root = write_davis(tmp_path)
    path = broken(root, "boat", 1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    with pytest.raises(DataError, match=rf"boat/{path.name} cannot be read .*Copy or download"):
        opened(root)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kept=st.floats(0, 1), is_mask=st.booleans())
def test_a_file_cut_anywhere_is_read_or_named(kept: float, is_mask: bool, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    path = tmp_path / ("cut.png" if is_mask else "cut.jpg")
    Image.fromarray(noise[..., 0] if is_mask else noise).save(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])

    message = ""
    try:
        picture = read_mask(path, BINARY) if is_mask else read_frame(path, (24, 32))
    except DataError as error:
        message = str(error)

    assert f"{path} cannot be read" in message or picture.shape[:2] == (24, 32)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "1"])
def test_a_mask_counts_whatever_mode_it_is_stored_in(mode: str, tmp_path: Path) -> None:
    grey = np.array([[0, 255], [0, 0]], np.uint8)
    Image.fromarray(grey).convert(mode).save(tmp_path / "mask.png")

    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", BINARY), grey // 255)


@pytest.mark.data
@pytest.mark.skipif(not REAL_DAVIS.is_dir(), reason=f"no DAVIS at {REAL_DAVIS}")
def test_the_real_data_set_opens_at_once_when_it_is_cached(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    cache_dir, options = tmp_path_factory.mktemp("cache"), {"every": 8}
    cold = open_split("davis", "train", root=REAL_DAVIS, cache_dir=cache_dir, options=options)

    started = time.perf_counter()
    warm = open_split("davis", "train", root=REAL_DAVIS, cache_dir=cache_dir, options=options)

    assert time.perf_counter() - started < 1
    assert (len(warm.clips), warm.fingerprint) == (30, cold.fingerprint)
    np.testing.assert_array_equal(warm.clips[7].frames[-1], cold.clips[7].frames[-1])


@pytest.mark.data
@pytest.mark.skipif(not REAL_DAVIS.is_dir(), reason=f"no DAVIS at {REAL_DAVIS}")
def test_the_real_data_set_has_an_object_in_nearly_every_frame() -> None:
    files = describe_split("val", REAL_DAVIS, DavisSettings(every=24))

    shares = [read_mask(m, c.mask_code).mean() for c in files.clips for m in c.masks if m]

    assert 0.01 < np.mean(shares) < 0.4


def write_davis_2017(root: Path) -> Path:
    """Three instances side by side on background, in palette PNGs."""
    write_davis(root, sequences=("bike",))
    (root / "ImageSets" / "2016").rename(root / "ImageSets" / "2017")
    mask = np.repeat(np.arange(4, dtype=np.uint8), 8)[None].repeat(24, axis=0)
    image = Image.fromarray(mask)
    image.putpalette([90, 0, 0] + [0, 128, 0] + [128, 128, 0] * 254)
    for t in range(3):
        image.save(mask_file(root, "bike", t))
    return root


@pytest.mark.parametrize(
    ("instances", "expected"), [("all", [0, 1, 1, 1]), ("first", [0, 1, IGNORE, IGNORE])]
)
def test_instances_of_2017_are_one_object_or_the_first_of_them(
    instances: str, expected: list[int], tmp_path: Path
) -> None:
    split = opened(write_davis_2017(tmp_path), year=2017, instances=instances)

    assert split.class_names == ("background", "object")
    assert split.clips[0].masks[0][0, ::8].tolist() == expected


def test_a_resolution_can_be_chosen(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "Full-Resolution").mkdir()
        (root / kind / "480p" / "bear").rename(root / kind / "Full-Resolution" / "bear")

    split = opened(root, resolution="Full-Resolution", clips=1)

    assert [clip.name for clip in split.clips] == ["bear"]
    with pytest.raises(
        DataError, match=r"holds 480p, Full-Resolution; .*/4K\. Set resolution to 4"
    ):
        opened(root, resolution="4K")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"year": 2018}, r"year is 2018; allowed: .* nearest is 2017"),
        ({"instances": "first"}, r"instances of year 2016 is first; allowed: all\."),
        (
            {"year": 2017, "instances": "frist"},
            r"year 2017 is frist; allowed: all, first\. Did you me",
        ),
    ],
)
def test_a_year_and_its_instances_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        DavisSettings(**options)
