"""Rounds: networks are drawn together, trained briefly, and only the best are trained on.

With `training.rungs` a round of networks is scored after the steps of the first rung. Those that
`scoring.promotion` promotes are trained to the next, and so on; then every trial of the round is
completed with the scores of its highest rung, and the sampler learns them. Without rungs a round is
one trial.

A search may be killed at any moment. Members are held in the ledger and their networks are kept, so
that the next one scores them again without training, and promotes the same ones.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Protocol

import optuna
from optuna.trial import FrozenTrial

from jejunet_nas.records import TrialResult
from jejunet_nas.records.words import counted
from jejunet_nas.scoring.contenders import expected_noise
from jejunet_nas.scoring.promotion import PolicyPoint, promoted
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.study.history import ARCHITECTURE, OUTCOME, stored_architecture
from jejunet_nas.study.interrupted import MOST_ENDS, ended_words
from jejunet_nas.study.kept_rounds import (
    ROUND,
    begin_training,
    end_training,
    hold_in_round,
    is_waiting,
    newest_round,
    note_round,
    points_at,
    reached,
)
from jejunet_nas.study.ledger import Ledger


class Runs(Protocol):
    """What runs the trials of a search and closes them: `search.attempts`.

    Too many failures in a row raise `JejunetError`; the round is resumed by the next search.
    """

    def evaluate(
        self, trial: optuna.Trial, architecture: Architecture, rung: int
    ) -> Sequence[TrialResult] | None:
        """Return the results of a trial's network at a rung; None if it failed, and is closed.

        The first is that of the drawn trial, the others are of further policies.
        """

    def drop(self, trial: optuna.Trial, reason: str) -> None:
        """Close `trial` as failed."""

    def close(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """Close `trial` with the first of `results`, and add the others."""


@dataclasses.dataclass(slots=True)
class _Member:
    trial: optuna.Trial
    architecture: Architecture
    results: Sequence[TrialResult]
    rung: int = 0


class Round:
    """The round that is under way; the next one begins when it is finished."""

    def __init__(self, ledger: Ledger, view: View, runs: Runs) -> None:
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._runs = runs
        self._steps = (*self._settings.training.rungs, self._settings.training.steps)
        self._members: list[_Member] = []
        self._number: int | None = None
        self._drawn = 0

    def __len__(self) -> int:
        """Return the number of networks that are held until the round ends."""
        return len(self._members)

    @property
    def full(self) -> bool:
        """Whether no further network is drawn for this round."""
        return self._drawn >= self._settings.networks_a_round

    def resume(self) -> None:
        """Take up the round of a process that ended; its networks are scored again.

        If that process had begun to close trials, the others are closed too.
        """
        with self._ledger.readable():
            kept = newest_round(self._ledger.trials())
        waiting = [each for each in kept if is_waiting(each)]
        if any(each.user_attrs[OUTCOME] == "complete" for each in kept):
            for each in waiting:
                trial, architecture = self._reopened(each)
                with self._ledger.readable():
                    rung = reached(each)
                results = self._runs.evaluate(trial, architecture, rung)
                if results is not None:
                    self._runs.close(trial, results)
        elif waiting:
            self._number, self._drawn = kept[0].user_attrs[ROUND], len(kept) - len(waiting)
            for each in waiting:
                self.add(*self._reopened(each))

    def _reopened(self, kept: FrozenTrial) -> tuple[optuna.Trial, Architecture]:
        with self._ledger.readable():
            return self._ledger.reopen(kept), stored_architecture(kept.user_attrs[ARCHITECTURE])

    def add(self, trial: optuna.Trial, architecture: Architecture) -> None:
        """Score the network that `trial` drew at the first rung; it is a member if that worked."""
        self._number = trial.number if self._number is None else self._number
        if len(self._steps) > 1:
            note_round(trial, self._number)
        results = self._runs.evaluate(trial, architecture, 0)
        self._drawn += 1
        if results is not None:
            self._members.append(_Member(trial, architecture, results))
            self._hold(self._members[-1])

    def finish(self) -> None:
        """Train the best on, rung by rung, then close all trials of the round."""
        for rung in range(1, len(self._steps)):
            self._promote(rung)
        for member in self._members:
            self._runs.close(member.trial, member.results)
        self._members, self._number, self._drawn = [], None, 0

    def _promote(self, rung: int) -> None:
        below = {f"{m.trial.number}": m for m in self._members if m.rung == rung - 1}
        numbers = {member.trial.number for member in self._members}
        with self._ledger.readable():
            others = points_at(rung - 1, self._ledger.trials(), but=numbers)
        noise = expected_noise(self._ledger.history()).of_difference
        points = {name: self._points(member.results) for name, member in below.items()}
        chosen = promoted(points, others, noise=noise)
        if chosen:
            self._view.say(
                f"round of {counted(len(below), 'network')} after {self._steps[rung - 1]} steps: "
                f"those of trials {', '.join(sorted(chosen, key=int))} are trained on to "
                f"{self._steps[rung]}"
            )
        for name in chosen:
            self._train_on(below[name], rung)

    def _train_on(self, member: _Member, rung: int) -> None:
        """Score `member` at `rung`; it leaves the round if that fails."""
        results = self._evaluate_above(member, rung)
        if results is None:
            self._members.remove(member)
            return
        spent = dict(member.results[0].stage_s)
        for stage, seconds in results[0].stage_s.items():
            spent[stage] = spent.get(stage, 0.0) + seconds
        member.results = [dataclasses.replace(results[0], stage_s=spent), *results[1:]]
        member.rung = rung
        self._hold(member)

    def _evaluate_above(self, member: _Member, rung: int) -> Sequence[TrialResult] | None:
        ends = begin_training(member.trial)
        if ends >= MOST_ENDS:
            self._runs.drop(member.trial, ended_words(ends))
            return None
        try:
            return self._runs.evaluate(member.trial, member.architecture, rung)
        finally:  # not where the process is killed
            with contextlib.suppress(Exception):  # on a full disk, or closed as failed
                end_training(member.trial)

    def _hold(self, member: _Member) -> None:
        """Store what `member` scored, so that the round can be resumed."""
        if len(self._steps) > 1:
            points = self._points(member.results)
            hold_in_round(member.trial, member.results[0], member.rung, points)

    def _points(self, results: Sequence[TrialResult]) -> list[PolicyPoint]:
        settings = self._settings
        return [
            PolicyPoint(
                miou=each.score.miou,
                mean_ms=each.latency.mean_ms,
                over_ms=over_target_ms(each.latency, settings.feasible, settings.target_fps),
            )
            for each in results
        ]
