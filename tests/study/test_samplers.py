import dataclasses
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from jejunet_nas.space.architecture import Policy
from jejunet_nas.space.draw import choices_of, draw
from jejunet_nas.study.samplers import chooser, distribution, make_sampler, params_of
from jejunet_nas.study.study_file import read_study

SETTINGS = read_study(Path(__file__).parents[2] / "studies" / "quickstart.yaml")
OTHER_CHOICES: list[tuple[Any, ...]] = [
    (0.25, 0.5),
    (64, 96, 160),
    (9,),
    (96, 64),
    ("thin", "shared"),
    (None, 0.05),
    (64, "64x96"),
    (False, True),
    (True,),
]


@given(first=st.integers(1, 99), step=st.integers(1, 64), count=st.integers(2, 12))
def test_evenly_spaced_whole_numbers_keep_their_order(first: int, step: int, count: int) -> None:
    numbers = tuple(range(first, first + step * count, step))

    assert distribution(numbers) == IntDistribution(numbers[0], numbers[-1], step=step)


@pytest.mark.parametrize("choices", OTHER_CHOICES)
def test_other_choices_are_a_set(choices: tuple[Any, ...]) -> None:
    assert distribution(choices) == CategoricalDistribution(choices)


@pytest.mark.parametrize("choices", [(64, 96, 128), *OTHER_CHOICES])
def test_a_trial_is_given_one_of_the_choices_as_it_stands(choices: tuple[Any, ...]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    chosen = [chooser(study.ask())("dimension", choices) for _ in range(12)]

    assert set(chosen) <= set(choices)
    assert {type(choice) for choice in chosen} <= {type(choice) for choice in choices}


def test_what_a_starting_point_leaves_out_is_drawn_anew_when_a_study_is_resumed() -> None:
    def draws(before: int) -> list[Any]:
        sampler = make_sampler(SETTINGS, trials_before=before)
        study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
        return [chooser(study.ask())("resolution", range(64, 1024, 32)) for _ in range(9)]

    assert draws(3) == draws(3) != draws(4)


def test_an_architecture_has_the_parameters_of_its_space_or_none() -> None:
    space = SETTINGS.search_space
    inside = draw(space, lambda _, choices: choices[-1])
    outside = dataclasses.replace(inside, policy=Policy(keyframe_interval=100))

    params = params_of(choices_of(inside), SETTINGS)

    assert {name: choice for name, (choice, _) in params.items()} == choices_of(inside)
    assert params_of(choices_of(outside), SETTINGS) == {}
