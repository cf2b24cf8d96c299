from pathlib import Path

import pytest

from jejunet_nas.datasets.catalog import DATA_SET_NAMES, open_split
from jejunet_nas.errors import SettingError
from tests.datasets.davis_tree import write_davis


def test_an_unknown_data_set_is_named_with_the_nearest_known() -> None:
    with pytest.raises(
        SettingError, match=r"dataset is davids; allowed: procedural, davis.* mean davis\?"
    ):
        open_split("davids", "train", root=None)


def test_an_unknown_split_is_named_with_the_allowed() -> None:
    with pytest.raises(SettingError, match=r"split is test; allowed: train, val\."):
        open_split("procedural", "test", root=None)  # type: ignore[arg-type]


def test_a_data_set_on_disk_without_a_root_asks_for_one() -> None:
    with pytest.raises(SettingError, match=r"davis lies on disk.* Add --data-root DIR"):
        open_split("davis", "train", root=None)


def test_an_unknown_option_is_named_with_the_nearest_known() -> None:
    with pytest.raises(
        SettingError,
        match=r"objekts is not an option of the data set procedural; .*mean objects\?",
    ):
        open_split("procedural", "train", root=None, options={"objekts": 2})


def test_the_procedural_set_has_no_use_for_a_root() -> None:
    options = {"clips": 1, "frames": 2, "height": 32, "width": 32}

    split = open_split("procedural", "train", root=Path("/nowhere"), options=options)

    assert (split.dataset, split.frame_count) == ("procedural", 2)


@pytest.mark.parametrize("dataset", DATA_SET_NAMES)
def test_every_data_set_tells_how_far_it_is(dataset: str, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    open_split(
        dataset,
        "train",
        root=write_davis(tmp_path / "davis"),
        cache_dir=tmp_path / "cache",
        options={"clips": 2},
        progress=lambda *step: told.append(step),
    )

    done, total = [step[1] for step in told], told[0][2]
    assert done == list(range(1, total + 1))
    assert all(dataset in what for what, _, _ in told)


@pytest.mark.parametrize("dataset", DATA_SET_NAMES)
def test_every_mask_value_is_a_class_of_the_split(dataset: str, tmp_path: Path) -> None:
    split = open_split(
        dataset,
        "train",
        root=write_davis(tmp_path / "davis"),
        cache_dir=tmp_path / "cache",
        options={"clips": 2},
    )

    assert all(clip.annotated.all() for clip in split.clips)
    assert max(int(clip.masks.max()) for clip in split.clips) < len(split.class_names)
