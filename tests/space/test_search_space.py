from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.space.search_space import SearchSpace, size_of
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from tests.space.build import SPACE


def test_a_resolution_is_a_side_or_height_times_width() -> None:
    assert size_of(256) == (256, 256)
    assert size_of("192x320") == (192, 320)


@pytest.mark.parametrize("resolution", ["192", "x320", "192x", "192x-32", "192x320x3", ""])
def test_an_invalid_resolution_is_answered_with_two_examples(resolution: str) -> None:
    with pytest.raises(SettingError, match=r"allowed: a side such as 256, or HEIGHTxWIDTH such as"):
        size_of(resolution)


def test_background_keyframes_need_frames_that_are_not_merely_reused() -> None:
    file = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
    choices = read_search_space(file).choices()
    choices |= {"between_keyframes": ("reuse",), "asynchronous": (True,), "reuse_below": (None,)}

    with pytest.raises(
        SettingError, match=r"none of propagate, warp and move, .*Add one, or remove on"
    ):
        SearchSpace(**choices)


def test_masks_ahead_need_frames_that_follow_the_motion() -> None:
    with pytest.raises(
        SettingError, match=r"neither warp nor move, whose motion it needs\. Add one, or remove on"
    ):
        space_from_mapping({**SPACE, "ahead": [False, True]}, "space")


def test_a_space_with_more_policies_than_can_be_scored_is_refused() -> None:
    thresholds = tuple(0.001 * step for step in range(100))

    with pytest.raises(SettingError, match=r"have 10000 combinations; allowed: up to 5000, since"):
        space_from_mapping(
            {**SPACE, "keyframe_interval": [*range(2, 102)], "reuse_below": [*thresholds]}, "space"
        )
