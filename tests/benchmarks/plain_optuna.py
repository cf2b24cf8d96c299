"""Plain Optuna: TPE, NSGA-II and random search as a user would write them.

Both benchmarks compare our search with these. A trial is one network with one drawn policy. Every
dimension is a categorical suggestion, the objectives are (mIoU up, mean ms down), and the target is
a constraint. Nothing refuses a slow architecture before it is trained, and nothing keeps Optuna
from drawing one again.
"""

from collections.abc import Sequence

import optuna

from jejunet_nas.space.architecture import Architecture
from jejunet_nas.space.draw import draw
from jejunet_nas.space.search_space import Choice, SearchSpace

PLAIN = ("tpe", "nsga2", "random")


def plain_study(name: str, seed: int) -> optuna.Study:
    """Return a new study in memory with Optuna's sampler `name` in its default settings."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samplers: dict[str, type[optuna.samplers.BaseSampler]] = {
        "tpe": optuna.samplers.TPESampler,
        "nsga2": optuna.samplers.NSGAIISampler,
        "random": optuna.samplers.RandomSampler,
    }
    sampler = samplers[name](seed=seed)  # type: ignore[call-arg]
    return optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)


def suggest(trial: optuna.Trial, space: SearchSpace) -> Architecture:
    """Return the architecture that `trial` draws from `space`."""

    def choose(name: str, choices: Sequence[Choice]) -> Choice:
        return trial.suggest_categorical(name, tuple(choices))

    return draw(space, choose)


def tell(
    study: optuna.Study, trial: optuna.Trial, *, miou: float, mean_ms: float, over_ms: float
) -> None:
    """Close `trial` with its objectives, and with the ms a frame by which it misses the target."""
    trial.set_constraint("ms_over_target", over_ms)
    study.tell(trial, [miou, mean_ms])
