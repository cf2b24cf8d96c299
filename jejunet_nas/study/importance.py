"""Importance: which choices of the space decided how right and how fast a trial became.

By PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023): how differently a dimension is distributed
among the best trials and among all, for each objective by itself. It judges what was drawn, not
what might have been, and it knows dimensions that are drawn in some trials only, such as the gate's
thresholds (conditional PED-ANOVA, arXiv 2601.20800).

Units: shares in [0, 1], which add up to 1 for each objective.
"""

import warnings
from collections.abc import Callable, Container

import optuna
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.space.draw import choices_of
from jejunet_nas.study.samplers import distribution
from jejunet_nas.study.settings import StudySettings

LEAST_TRIALS = 8  # complete ones; among fewer, the best and the rest differ by chance
_BEST_SHARE = 0.1  # of the trials count as the best,
_BEST_TRIALS = 5  # but so many at least, or half of all: what fewer have in common is chance
# What is to be small, since PED-ANOVA takes less for better.
_LOSSES: dict[str, Callable[[TrialResult], float]] = {
    "mIoU": lambda trial: -trial.score.miou,
    "ms a frame": lambda trial: trial.latency.mean_ms,
}


def importances(settings: StudySettings, history: StudyHistory) -> dict[str, dict[str, float]]:
    """Return each dimension's share in each objective, `mIoU` and `ms a frame`, largest first.

    A dimension with one choice is left out, and so is an objective in which the best trials chose
    as all did. Empty where fewer than `LEAST_TRIALS` trials are complete.
    """
    count = len(history.complete)
    if count < LEAST_TRIALS:
        return {}
    spaces = settings.search_space.choices()
    kinds = {name: distribution(choices) for name, choices in spaces.items() if len(choices) > 1}
    best = min(max(_BEST_SHARE, _BEST_TRIALS / count), 0.5)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
    trials = [_frozen(trial, kinds) for trial in history.complete]
    found = {}
    for objective, loss in _LOSSES.items():
        for told, trial in zip(trials, history.complete, strict=True):
            told.value = loss(trial)
        study = _Told(trials)
        with warnings.catch_warnings():
            # It warns where a dimension was drawn once, and where all trials are as good.
            warnings.simplefilter("ignore", UserWarning)
            raw = evaluator.evaluate(study)
        if total := sum(raw.values()):
            found[objective] = {name: value / total for name, value in raw.items()}
    return found


class _Told(optuna.Study):
    """A study of the trials that it is told: Optuna's storages would copy each choice of each."""

    def __init__(self, trials: list[FrozenTrial]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.InMemoryStorage()
        storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "told")
        super().__init__("told", storage)
        self._told = trials

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._told


def _frozen(trial: TrialResult, kinds: dict[str, BaseDistribution]) -> FrozenTrial:
    """Return `trial` as Optuna knows one, with the dimensions in `kinds` that were drawn for it.

    Its value is yet to be set.
    """
    params = {
        name: value for name, value in choices_of(trial.architecture).items() if name in kinds
    }
    return FrozenTrial(
        number=trial.number,
        trial_id=trial.number,
        state=TrialState.COMPLETE,
        value=None,
        datetime_start=None,
        datetime_complete=None,
        params=params,
        distributions={name: kinds[name] for name in params},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )
