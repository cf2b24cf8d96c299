import pytest

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
