from pathlib import Path

import pytest

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.errors import SettingError


def test_an_unknown_data_set_is_named_with_the_nearest_known() -> None:
    with pytest.raises(
        SettingError, match=r"dataset is davids; allowed: procedural, davis.* mean davis\?"
    ):
        open_split("davids", "train", root=None)


@pytest.mark.parametrize("dataset", ["procedural", "davis", "voc2012", "youtube_vos"])
def test_a_data_set_without_public_masks_of_test_names_its_splits(dataset: str) -> None:
    with pytest.raises(SettingError, match=rf"split of {dataset} is test; allowed: train, val\."):
        open_split(dataset, "test", root=Path("/nowhere"))


def test_an_unknown_split_is_named_with_the_allowed() -> None:
    with pytest.raises(SettingError, match=r"split of camvid is tst; allowed: .*, test\. Did you"):
        open_split("camvid", "tst", root=Path("/nowhere"))  # type: ignore[arg-type]


def test_a_data_set_on_disk_without_a_root_asks_for_one() -> None:
    with pytest.raises(
        SettingError, match=r"the data set davis is not known\. Add --data-root DIR"
    ):
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
