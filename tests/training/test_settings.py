import dataclasses
from typing import Any

import pytest

from jejunet_nas.datasets.view import Augment
from jejunet_nas.errors import SettingError
from jejunet_nas.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("steps", 0, "1"),
        ("pairs_per_step", 1, "2"),
        ("learning_rate", 1.5, "1.0"),
        ("pretrained_rate", -0.1, "0.0"),
        ("gate_pairs", 9, "10"),
        ("gate_steps", 0, "1"),
        ("seed", 2**31, "2147483647"),
    ],
)
def test_a_setting_out_of_range_names_the_nearest_that_fits(
    name: str, value: float, nearest: str
) -> None:
    with pytest.raises(SettingError, match=rf"^{name} is {value}; .* nearest is {nearest}\.$"):
        TrainingSettings(**{name: value})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampling": "class"}, "sampling is class; allowed: frames, classes. Did you mean class"),
        ({"rungs": (40, 20)}, r"rungs is \[40, 20\]; allowed: .* 299, .* Use \[20, 40\], or raise"),
        ({"rungs": (300,)}, r"rungs is \[300\]; allowed: .* Remove them, or raise training.steps"),
        (
            {"rungs": (1,), "steps": 1},
            r"rungs is \[1\]; allowed: none, because training.steps is 1",
        ),
    ],
)
def test_an_invalid_setting_names_what_is_allowed(changes: Any, words: str) -> None:
    with pytest.raises(SettingError, match=rf"^{words}"):
        TrainingSettings(**changes)


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [("smallest_area", 0.0, "0.05"), ("zoom_out", 0.5, "1.0"), ("motion_blur_px", 33, "32")],
)
def test_a_view_out_of_range_names_the_nearest_that_fits(
    name: str, value: Any, nearest: str
) -> None:
    with pytest.raises(
        SettingError, match=rf"^augment\.{name} is {value}; .* nearest is {nearest}\.$"
    ):
        Augment(**{name: value})


def test_later_settings_are_in_a_recipe_only_if_they_are_not_the_default() -> None:
    plain = TrainingSettings()

    assert set(plain.recipe()) == {
        *("init", "steps", "pairs_per_step", "learning_rate", "pretrained_rate"),
        *("gate_pairs", "gate_steps", "seed"),
    }
    changed = dataclasses.replace(plain, augment=Augment(zoom_out=2.0), sampling="classes")
    assert changed.recipe() == plain.recipe() | {
        "augment": {"smallest_area": 0.5, "zoom_out": 2.0, "motion_blur_px": 0},
        "sampling": "classes",
    }
