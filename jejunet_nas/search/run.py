"""One run of a search: draws networks until the budget is spent, then trains the best again."""

import time

from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.ranking import over_target_ms, point_of
from jejunet_nas.search.attempts import Attempts
from jejunet_nas.search.candidates import Candidates
from jejunet_nas.search.closing import Closing
from jejunet_nas.search.last_round import LastRound
from jejunet_nas.search.pace import Budget, EndTime, budget_of
from jejunet_nas.search.rounds import Rounds
from jejunet_nas.search.view import SearchProgress, View, duration
from jejunet_nas.search.work import Executor
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.trial.setup import TrialSetup


class SearchRun:
    """One run of a search over a ledger."""

    def __init__(
        self,
        ledger: Ledger,
        setup: TrialSetup,
        executor: Executor,
        closing: Closing,
        view: View,
        seconds: float | None,
    ) -> None:
        self._settings, self._ledger = ledger.settings, ledger
        self._closing, self._view, self._seconds = closing, view, seconds
        history, classes = ledger.history(), len(setup.val.class_names)
        self._said = set[str]()
        self._attempts = Attempts(ledger, executor, closing, view, failed=len(history.failed))
        self._candidates = Candidates(ledger, view, classes=classes, refused=len(history.refused))
        self._began_s, self._before = time.monotonic(), len(closing.drawn)
        self._rounds = Rounds(ledger, view, self._attempts)
        self._last_round = LastRound(ledger, setup.folder, executor, view)
        self._end = EndTime(self._settings, view.say)

    def run(self) -> None:
        """Try networks until the budget is spent or the space is exhausted."""
        self._rounds.resume()
        self._view.progress(self._progress())
        while True:
            if self._is_over():
                self._rounds.finish_drawing()
            elif self._attempts.free:
                self._closing.collect()
                if drawn := self._candidates.draw(self._closing.results):
                    self._rounds.add(*drawn)
                continue
            if not self._attempts.busy:
                if self._is_over():
                    break
                continue
            self._rounds.take(*self._attempts.wait())
            new = self._closing.drawn[self._before :]
            self._end.look(new, self._spent_s(), self._budget())
            self._view.progress(self._progress())
        self._closing.settle()
        self._last_round.run(self._is_late)

    def _is_over(self) -> bool:
        """Return True if no further network is drawn; say why if the search ends early."""
        if len(self._closing.drawn) + len(self._rounds) >= self._settings.trials:
            return True
        budget = self._budget()
        if budget.networks_s == 0:
            kept = f", but for {duration(budget.kept_s)} of the last round" if budget.kept_s else ""
            self._say_once(f"the time budget of {duration(self._seconds or 0)} is spent{kept}")
            return True
        if self._candidates.exhausted:
            self._say_once("the search ends: no untried network can meet the target")
            return True
        return False

    def _is_late(self) -> bool:
        """Whether the time budget is spent."""
        return self._seconds is not None and self._spent_s() >= self._seconds

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._view.say(line)

    def _spent_s(self) -> float:
        return time.monotonic() - self._began_s

    def _budget(self) -> Budget:
        """Return what is left of the budget."""
        return budget_of(
            self._settings,
            drawn=len(self._closing.drawn),
            seconds=self._seconds,
            spent_s=self._spent_s(),
        )

    def _progress(self) -> SearchProgress:
        results, target_fps = self._closing.results, self._settings.target_fps
        rule = self._settings.feasible
        points = [
            point_of(result)
            for result in results
            if over_target_ms(result.latency, rule, target_fps) <= 0
        ]
        return SearchProgress(
            study=self._settings.name,
            complete=len(self._closing.drawn),
            wanted=self._settings.trials,
            refused=self._candidates.refused,
            failed=self._attempts.failed,
            target_fps=target_fps,
            best_miou=max((miou for miou, _ in points), default=None),
            hypervolume=hypervolume(points, reference_point(target_fps)),
            left_s=self._end.left_s(self._spent_s()),
            held=len(self._rounds),
            added=len(results) - len(self._closing.drawn),
        )
