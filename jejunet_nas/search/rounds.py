"""Rounds: networks are drawn together, trained briefly, and only the best are trained on.

With `training.rungs` a round of networks is scored after the steps of the first rung. Those that
`scoring.promotion` promotes are trained to the next, and so on; then every trial of the round is
completed with the scores of its highest rung, and the sampler learns them. The first network of a
study is a round of its own, which begins at the top; without rungs each network is a round.

A search may be killed at any moment. Members are held in the ledger and their networks are kept, so
that the next one scores them again without training, and promotes the same ones.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import optuna

from jejunet_nas.records import TrialResult
from jejunet_nas.records.words import counted
from jejunet_nas.scoring.contenders import expected_noise
from jejunet_nas.scoring.promotion import PolicyPoint, promoted
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.study.history import ARCHITECTURE, OUTCOME, stored_architecture
from jejunet_nas.study.kept_rounds import (
    hold_in_round,
    is_waiting,
    note_round,
    points_at,
    reached,
    rounds_of,
)
from jejunet_nas.study.ledger import Ledger


class Runs(Protocol):
    """What runs the trials of a search and closes them: `search.attempts`.

    Too many failures in a row raise `JejunetError`; the round is resumed by the next search.
    """

    def begin(self, trial: optuna.Trial, architecture: Architecture, rung: int) -> bool:
        """Begin to score a trial's network at a rung; False if it cannot, and is closed as failed.

        The results come to `Rounds.take`.
        """

    def close(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """Close `trial` with the first of `results`, and add the others."""


@dataclasses.dataclass(slots=True)
class _Member:
    """rung: at which it is scored while `busy`, and then the one that `results` are of."""

    trial: optuna.Trial
    architecture: Architecture
    rung: int = 0
    busy: bool = True
    results: Sequence[TrialResult] = ()


@dataclasses.dataclass(slots=True)
class _Round:
    """number: of the first trial. left: networks to be drawn yet. rung: that members are at."""

    number: int
    left: int
    rung: int = 0
    members: list[_Member] = dataclasses.field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether all its networks were drawn, and scored at its rung."""
        return self.left == 0 and not any(member.busy for member in self.members)


class Rounds:
    """The rounds that are under way: one that is drawn, and those whose best are trained on.

    With one worker, a round ends before the next one begins.
    """

    def __init__(self, ledger: Ledger, view: View, runs: Runs) -> None:
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._runs = runs
        self._steps = (*self._settings.training.rungs, self._settings.training.steps)
        self._top = len(self._steps) - 1
        self._rounds: list[_Round] = []
        self._begun = False

    def __len__(self) -> int:
        """Return the number of networks whose trials are closed when their rounds end."""
        return sum(len(each.members) for each in self._rounds)

    def resume(self) -> None:
        """Take up the rounds of a process that ended; their networks are scored again.

        Where that process had begun to close the trials of a round, the others are closed too.
        """
        with self._ledger.readable():
            known = rounds_of(self._ledger.trials())
        for number, trials in known.items():
            waiting = [each for each in trials if is_waiting(each)]
            if not waiting:
                continue
            closing = any(each.user_attrs[OUTCOME] == "complete" for each in trials)
            its = self._new(number, first=number == min(known))
            its.left = 0 if closing else max(its.left - len(trials), 0)
            its.rung = self._top if closing else its.rung
            for each in waiting:
                with self._ledger.readable():
                    architecture = stored_architecture(each.user_attrs[ARCHITECTURE])
                    rung = reached(each) if closing else its.rung
                its.members.append(_Member(self._ledger.reopen(each), architecture, rung))
                self._begin(its, its.members[-1])

    def add(self, trial: optuna.Trial, architecture: Architecture) -> None:
        """Begin to score the network that `trial` drew."""
        if not self._rounds or self._rounds[-1].left == 0:
            self._new(trial.number, first=self._is_first())
        newest = self._rounds[-1]
        if len(self._steps) > 1:
            note_round(trial, newest.number)
        newest.left -= 1
        newest.members.append(_Member(trial, architecture, newest.rung))
        self._begin(newest, newest.members[-1])

    def take(self, number: int, results: Sequence[TrialResult] | None) -> None:
        """Take what the network of trial `number` scored; None: it failed, and leaves its round."""
        for each in self._rounds:
            for member in each.members:
                if member.trial.number == number:
                    self._take(each, member, results)
                    self._go_on(each)
                    return

    def finish_drawing(self) -> None:
        """Let the round that is drawn go on with the networks that it has."""
        for each in [*self._rounds]:
            each.left = 0
            self._go_on(each)

    def _is_first(self) -> bool:
        """Whether the study has had no round so far."""
        if not self._begun:
            with self._ledger.readable():
                self._begun = bool(rounds_of(self._ledger.trials()))
        return not self._begun

    def _new(self, number: int, *, first: bool) -> _Round:
        """Open a round. The first network has nothing to be compared with, and is trained whole.

        So a study soon has a network that is worth using.
        """
        self._begun = True
        size, rung = (1, self._top) if first else (self._settings.networks_a_round, 0)
        self._rounds.append(_Round(number, size, rung))
        return self._rounds[-1]

    def _begin(self, its: _Round, member: _Member) -> None:
        member.busy = True
        if not self._runs.begin(member.trial, member.architecture, member.rung):
            its.members.remove(member)

    def _take(self, its: _Round, member: _Member, results: Sequence[TrialResult] | None) -> None:
        if results is None:
            its.members.remove(member)
            return
        if member.results:  # of the rung below
            spent = dict(member.results[0].stage_s)
            for stage, seconds in results[0].stage_s.items():
                spent[stage] = spent.get(stage, 0.0) + seconds
            results = [dataclasses.replace(results[0], stage_s=spent), *results[1:]]
        member.results, member.busy = results, False
        if len(self._steps) > 1:  # so that the round can be resumed
            points = self._points(member.results)
            hold_in_round(member.trial, member.results[0], member.rung, points)

    def _go_on(self, its: _Round) -> None:
        """Train the best on where a rung is done; after the last, close all trials of the round."""
        while its.ready and its.rung < self._top:
            its.rung += 1
            self._promote(its)
        if its.ready:
            self._rounds.remove(its)
            for member in its.members:
                self._runs.close(member.trial, member.results)

    def _promote(self, its: _Round) -> None:
        rung = its.rung
        below = {f"{m.trial.number}": m for m in its.members if m.rung == rung - 1}
        numbers = {member.trial.number for member in its.members}
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
            below[name].rung = rung
            self._begin(its, below[name])

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
