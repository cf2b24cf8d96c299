import warnings
from pathlib import Path
from typing import Any, Literal

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from jejunet_nas.study.samplers import chooser, distribution, make_sampler
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study

Name = Literal["tpe", "nsga2", "random"]
KINDS: dict[Name, type] = {
    "tpe": optuna.samplers.TPESampler,
    "nsga2": optuna.samplers.NSGAIISampler,
    "random": optuna.samplers.RandomSampler,
}
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


def sampled_by(name: Name, seed: int = 0) -> StudySettings:
    folder = Path(__file__).parents[2] / "studies"
    overrides = {"sampler": {"name": name, "seed": seed}, "trials": 40}
    return read_study(folder / "quickstart.yaml", overrides)


@pytest.mark.parametrize("name", KINDS)
def test_a_sampler_is_found_by_its_name(name: Name) -> None:
    assert isinstance(make_sampler(sampled_by(name), trials_before=0), KINDS[name])


def draws(name: Name, *, seed: int, before: int = 0) -> list[Any]:
    with warnings.catch_warnings(action="ignore"):
        sampler = make_sampler(sampled_by(name, seed), trials_before=before)
    study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
    drawn = []
    for number in range(15):  # beyond TPE's start at random
        trial = study.ask()
        drawn.append(chooser(trial)("resolution", range(64, 1024, 32)))
        study.tell(trial, [float(number), 1.0])
    return drawn


@pytest.mark.parametrize("name", KINDS)
def test_one_seed_draws_one_row_of_choices(name: Name) -> None:
    assert draws(name, seed=3) == draws(name, seed=3)
    assert draws(name, seed=3) != draws(name, seed=4)


@pytest.mark.parametrize("name", KINDS)
def test_a_study_taken_up_again_draws_anew(name: Name) -> None:
    assert draws(name, seed=3, before=9) != draws(name, seed=3)
