"""What a study's database keeps of rounds: user attributes of the trials that were drawn together.

round           the number of the round's first trial
rung_points     by rung: [mIoU, mean ms, ms over the target] of each policy that was scored there
starts          of trainings beyond the first rung that have not ended, see `begin_training`

A member of a round is `held`, like a trial whose network is being measured, until the round ends.
It has ended once any member is complete: all were trained to their last rung by then.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.records import TrialResult, to_json
from jejunet_nas.scoring.promotion import PolicyPoint
from jejunet_nas.study.history import OUTCOME, RECORD, is_held

ROUND, POINTS, STARTS = "round", "rung_points", "starts"


def note_round(trial: optuna.Trial, number: int) -> None:
    """Store that `trial` belongs to the round whose first trial is `number`."""
    trial.set_user_attr(ROUND, number)


def hold_in_round(
    trial: optuna.Trial, result: TrialResult, rung: int, points: Sequence[PolicyPoint]
) -> None:
    """Store the result of a trial's network at `rung`, and the points of all its policies there."""
    known = trial.user_attrs.get(POINTS, {})
    figures = [[each.miou, each.mean_ms, each.over_ms] for each in points]
    trial.set_user_attr(POINTS, {**known, f"{rung}": figures})
    trial.set_user_attr(RECORD, to_json(result))
    trial.set_user_attr(OUTCOME, "held")


def begin_training(trial: optuna.Trial) -> None:
    """Store that the network of `trial` is trained on in this process."""
    trial.set_user_attr(STARTS, unended(trial) + 1)


def unended(trial: optuna.Trial) -> int:
    """Return how often a training of the network of `trial` ended its process."""
    return int(trial.user_attrs.get(STARTS, 0))


def end_training(trial: optuna.Trial) -> None:
    """Store that the training ended, or was stopped from outside."""
    trial.set_user_attr(STARTS, 0)


def rounds_of(trials: Iterable[FrozenTrial]) -> dict[int, list[FrozenTrial]]:
    """Return the trials of each round that are held, failed or complete, by the round's number.

    A trial that was interrupted is no longer of its round.
    """
    members: dict[int, list[FrozenTrial]] = {}
    for trial in sorted(trials, key=lambda each: each.number):
        if ROUND in trial.user_attrs:
            its = members.setdefault(trial.user_attrs[ROUND], [])
            if is_waiting(trial) or trial.user_attrs.get(OUTCOME) in ("failed", "complete"):
                its.append(trial)
    return {number: kept for number, kept in members.items() if kept}


def is_member(trial: FrozenTrial) -> bool:
    """Whether `trial` is held until its round ends, or was when it waited for its measurement.

    One whose outcome is stored was being closed when the process died, and only needs that.
    """
    return is_waiting(trial) and ROUND in trial.user_attrs and trial.user_attrs[OUTCOME] == "held"


def is_waiting(trial: FrozenTrial) -> bool:
    """Whether `trial` is held until its round or its measurement ends."""
    return trial.state == TrialState.RUNNING and is_held(trial)


def points_at(rung: int, trials: Iterable[FrozenTrial], *, but: set[int]) -> list[PolicyPoint]:
    """Return the points of all complete `trials` at `rung`, without those of the numbers `but`."""
    return [
        PolicyPoint(miou=miou, mean_ms=mean_ms, over_ms=over_ms)
        for trial in trials
        if trial.number not in but and trial.user_attrs.get(OUTCOME) == "complete"
        for miou, mean_ms, over_ms in _figures(trial.user_attrs, rung)
    ]


def reached(trial: FrozenTrial) -> int:
    """Return the highest rung at which the network of a held `trial` was scored."""
    return max(map(int, trial.user_attrs[POINTS]))


def _figures(attributes: dict[str, Any], rung: int) -> list[list[float]]:
    found: list[list[float]] = attributes.get(POINTS, {}).get(f"{rung}", [])
    return found
