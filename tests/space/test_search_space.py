from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.space.search_space import SearchSpace, size_of
from jejunet_nas.space.space_file import read_search_space


def test_a_resolution_is_a_side_or_height_times_width() -> None:
    assert size_of(256) == (256, 256)
    assert size_of("192x320") == (192, 320)


@pytest.mark.parametrize("resolution", ["192", "x320", "192x", "192x-32", "192x320x3", ""])
def test_an_invalid_resolution_is_answered_with_two_examples(resolution: str) -> None:
    with pytest.raises(SettingError, match=r"allowed: a side such as 256, or HEIGHTxWIDTH such as"):
        size_of(resolution)


def test_background_keyframes_need_propagated_frames() -> None:
    file = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
    choices = read_search_space(file).choices()
    choices |= {"between_keyframes": ("reuse",), "asynchronous": (True,), "reuse_below": (None,)}

    with pytest.raises(SettingError, match=r"does not hold propagate, .*Add propagate, or remove"):
        SearchSpace(**choices)
