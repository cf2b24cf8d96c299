"""Further trainings come back from the attributes of a study; damaged ones raise ValueError."""

import pytest

from jejunet_nas.records import to_json
from jejunet_nas.study.kept_data import kept_failed_repeats, kept_repeats, repeat_key
from tests.scoring.networks import again, network

TRIAL = network(3, [0.6, 0.7])


def test_repeats_come_back_by_trial_in_the_order_of_their_seeds() -> None:
    repeats = [again(TRIAL, seed, [0.6, 0.7]) for seed in (10, 2)]
    kept = {repeat_key(each.number, each.seed): to_json(each) for each in repeats}
    kept[repeat_key(3, 4, failed=True)] = "the loss became nan"

    assert kept_repeats({**kept, "class_names": ["a"]}) == {3: tuple(reversed(repeats))}
    assert kept_failed_repeats(kept) == {(3, 4): "the loss became nan"}
    assert kept_repeats({}) == {}


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null"])
def test_a_damaged_repeat_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="Repeat"):
        kept_repeats({repeat_key(3, 1): text})


def test_a_failed_repeat_without_a_reason_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no repeat 3 seed 1 is None, not text"):
        kept_failed_repeats({repeat_key(3, 1, failed=True): None})


def test_a_repeat_under_the_key_of_another_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="repeat 4 seed 1 is of trial 3, seed 1"):
        kept_repeats({repeat_key(4, 1): to_json(again(TRIAL, 1, [0.6, 0.7]))})
