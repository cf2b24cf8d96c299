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
from collections.abc import Callable, Sequence

import optuna

from jejunet_nas.records import TrialResult
from jejunet_nas.records.words import counted
from jejunet_nas.scoring.noise import seed_noise
from jejunet_nas.scoring.promotion import PolicyPoint, promoted
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.study.history import ARCHITECTURE, stored_architecture
from jejunet_nas.study.kept_rounds import (
    begin_training,
    end_training,
    is_waiting,
    note_points,
    note_round,
    open_round,
    points_at,
)
from jejunet_nas.study.ledger import MOST_ENDS, Ledger

# Of a trial's network at a rung: the drawn trial's result first, then its other policies; None if
# it failed, and the trial is closed.
Evaluate = Callable[[optuna.Trial, Architecture, int], Sequence[TrialResult] | None]
Close = Callable[[optuna.Trial, Sequence[TrialResult]], None]


@dataclasses.dataclass(slots=True)
class _Member:
    trial: optuna.Trial
    architecture: Architecture
    results: Sequence[TrialResult]
    rung: int = 0


class Round:
    """The round that is under way; the next one begins when it is finished."""

    def __init__(self, ledger: Ledger, view: View, evaluate: Evaluate, close: Close) -> None:
        """evaluate: scores a network at a rung. close: stores the results of a trial."""
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._evaluate, self._close = evaluate, close
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
        """Take up the round of a process that ended; its networks are scored again."""
        for kept in open_round(self._ledger.trials()):
            if is_waiting(kept):
                plain = kept.user_attrs[ARCHITECTURE]
                self.add(self._ledger.resumed(kept), stored_architecture(plain))
            else:
                self._drawn += 1

    def add(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        """Score the network that `trial` drew at the first rung; return whether that worked."""
        if self._number is None:
            self._number = trial.number
        if len(self._steps) > 1:
            note_round(trial, self._number)
        results = self._evaluate(trial, architecture, 0)
        self._drawn += 1
        if results is None:
            return False
        self._keep(_Member(trial, architecture, results))
        return True

    def finish(self) -> None:
        """Train the best on, rung by rung, then close all trials of the round."""
        for rung in range(1, len(self._steps)):
            self._promote(rung)
        for member in self._members:
            self._close(member.trial, member.results)
        self._members, self._number, self._drawn = [], None, 0

    def _promote(self, rung: int) -> None:
        below = {f"{m.trial.number}": m for m in self._members if m.rung == rung - 1}
        others = points_at(
            rung - 1, self._ledger.trials(), but={m.trial.number for m in self._members}
        )
        history = self._ledger.history()
        noise = seed_noise(history.complete, history.repeats).of_difference
        points = {name: self._points(member.results) for name, member in below.items()}
        chosen = promoted(points, others, noise=noise)
        if chosen:
            self._view.say(
                f"round of {counted(len(below), 'network')} after {self._steps[rung - 1]} steps: "
                f"trained on to {self._steps[rung]}: {', '.join(sorted(chosen, key=int))}"
            )
        for name in chosen:
            self._train_on(below[name], rung)

    def _train_on(self, member: _Member, rung: int) -> None:
        """Score `member` at `rung`; it leaves the round if that fails."""
        ends = begin_training(member.trial)
        results: Sequence[TrialResult] | None = None
        if ends >= MOST_ENDS:
            reason = f"ended the process {ends} times: a crash, or not enough memory"
            self._ledger.drop(member.trial, "failed", reason)
            self._view.say(f"trial {member.trial.number} failed: {reason}")
        else:
            try:
                results = self._evaluate(member.trial, member.architecture, rung)
            except BaseException:
                with contextlib.suppress(Exception):  # on a full disk
                    end_training(member.trial)
                raise
        if results is None:
            self._members.remove(member)
            return
        end_training(member.trial)
        spent = dict(member.results[0].stage_s)
        for stage, seconds in results[0].stage_s.items():
            spent[stage] = spent.get(stage, 0.0) + seconds
        member.results = [dataclasses.replace(results[0], stage_s=spent), *results[1:]]
        member.rung = rung
        self._keep(member)

    def _keep(self, member: _Member) -> None:
        """Hold the trial of `member` with what it scored, so that the round can be resumed."""
        if len(self._steps) > 1:
            note_points(member.trial, member.rung, self._points(member.results))
            self._ledger.hold(member.trial, member.results[0])
        if member not in self._members:
            self._members.append(member)

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
