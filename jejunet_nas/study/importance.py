"""Importance: how much each dimension of the search space decides each objective.

PED-ANOVA compares how often a choice occurs among the best trials and among all trials, for each
objective separately. It judges the choices that were drawn: added trials are left out, so that a
network counts once, with its best policy. Dimensions may be drawn in some trials only, such as the
gate's thresholds (conditional PED-ANOVA, arXiv 2601.20800).

Units: shares in [0, 1] that add up to 1 for each objective.
"""

import warnings
from collections.abc import Container

import optuna
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.space.draw import choices_of
from jejunet_nas.study.samplers import distribution
from jejunet_nas.study.settings import StudySettings

LEAST_TRIALS = 8  # complete and drawn; among fewer, the best differ from the rest by chance
_BEST_SHARE = 0.1  # of the trials count as the best,
_BEST_TRIALS = 5  # but at least so many, or half of all
_OBJECTIVES = ("mIoU", "ms a frame")


def importances(settings: StudySettings, history: StudyHistory) -> dict[str, dict[str, float]]:
    """Return each dimension's share in each objective, `mIoU` and `ms a frame`, largest first.

    Dimensions with one choice are left out, and so is an objective for which the best trials chose
    as all trials did. Empty with fewer than `LEAST_TRIALS` complete trials that were drawn.
    """
    count = len(history.drawn)
    if count < LEAST_TRIALS:
        return {}
    study = _study_of(settings, history)
    best = min(max(_BEST_SHARE, _BEST_TRIALS / count), 0.5)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
    found = {}
    for index, objective in enumerate(_OBJECTIVES):
        with warnings.catch_warnings():
            # It warns that it minimises, of dimensions drawn once, and of trials that are equal.
            warnings.simplefilter("ignore", UserWarning)
            raw = evaluator.evaluate(study, target=lambda trial: trial.values[index])  # noqa: B023
        if total := sum(raw.values()):
            found[objective] = {name: value / total for name, value in raw.items()}
    return found


class _Study(optuna.Study):
    """A study of given trials: a storage would copy each choice of each trial, which is slow."""

    def __init__(self, trials: list[FrozenTrial]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.InMemoryStorage()
        storage.create_new_study(
            [optuna.study.StudyDirection.MINIMIZE] * len(_OBJECTIVES), "trials"
        )
        super().__init__("trials", storage)
        self._given = trials

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._given


def _study_of(settings: StudySettings, history: StudyHistory) -> optuna.Study:
    """Return a study of the complete trials that were drawn; both objectives are minimised."""
    spaces = settings.search_space.choices()
    kinds = {name: distribution(choices) for name, choices in spaces.items() if len(choices) > 1}
    return _Study([_frozen(trial, kinds) for trial in history.drawn])


def _frozen(trial: TrialResult, kinds: dict[str, BaseDistribution]) -> FrozenTrial:
    # Not by `create_trial`, which checks every choice: with 10,000 trials that takes a second.
    choices = choices_of(trial.architecture)
    params = {name: choice for name, choice in choices.items() if name in kinds}
    return FrozenTrial(
        number=trial.number,
        trial_id=trial.number,
        state=TrialState.COMPLETE,
        value=None,
        values=[-trial.score.miou, trial.latency.mean_ms],
        datetime_start=None,
        datetime_complete=None,
        params=params,
        distributions={name: kinds[name] for name in params},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )
