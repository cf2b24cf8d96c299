"""A search space as Optuna's distributions, and architectures as its parameters."""

import itertools
from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from jejunet_nas.space.draw import Chooser
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.settings import StudySettings


def make_sampler(study: StudySettings, *, trials_before: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of what a starting point leaves out; `proposals` draw all else.

    The seed depends on the trials before: a resumed study must not draw the same ones again.
    """
    return optuna.samplers.RandomSampler(seed=study.sampler.seed + trials_before)


def distribution(choices: Sequence[Choice]) -> BaseDistribution:
    """Return evenly spaced integers as a range, which keeps their order; others as categories."""
    numbers = [c for c in choices if isinstance(c, int) and not isinstance(c, bool)]
    if len(numbers) == len(choices) > 1:
        steps = {b - a for a, b in itertools.pairwise(numbers)}
        if len(steps) == 1 and (step := steps.pop()) > 0:
            return IntDistribution(numbers[0], numbers[-1], step=step)
    return CategoricalDistribution(tuple(choices))


def params_of(
    choices: Mapping[str, Choice], settings: StudySettings
) -> dict[str, tuple[Choice, BaseDistribution]]:
    """Return each choice and its distribution; none where the space does not have a choice."""
    spaces = settings.search_space.choices()
    if any(choice not in spaces[name] for name, choice in choices.items()):
        return {}
    return {  # the space's own objects: a 1 would not equal a 1.0 in Optuna
        name: (spaces[name][spaces[name].index(choice)], distribution(spaces[name]))
        for name, choice in choices.items()
    }


def chooser(trial: optuna.Trial) -> Chooser:
    """Return a chooser that lets the study's sampler choose for `trial`."""

    def choose(name: str, choices: Sequence[Choice]) -> Choice:
        kind = distribution(choices)
        if isinstance(kind, IntDistribution):
            return trial.suggest_int(name, kind.low, kind.high, step=kind.step)
        return trial.suggest_categorical(name, tuple(choices))

    return choose
