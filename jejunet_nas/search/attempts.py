"""Attempts: the trials of one search; it ends only if many fail in a row."""

import contextlib
import dataclasses
from collections.abc import Sequence

import optuna

from jejunet_nas.errors import JejunetError
from jejunet_nas.faults import fault_of
from jejunet_nas.records import TrialResult
from jejunet_nas.search.closing import Closing
from jejunet_nas.search.lines import added_words, trial_words
from jejunet_nas.search.view import View
from jejunet_nas.search.work import Executor, Work
from jejunet_nas.space.architecture import Architecture, Network
from jejunet_nas.study.interrupted import ended_words
from jejunet_nas.study.jobs import MOST_ENDS
from jejunet_nas.study.kept_rounds import begin_training, end_training, unended
from jejunet_nas.study.ledger import Ledger

FAILURES_IN_A_ROW = 5  # then the search stops: the cause is not the architectures


class Streak:
    """The failures in a row of one kind of training, named `what`."""

    def __init__(self, what: str) -> None:
        self._what, self._failures = what, 0

    def end(self) -> None:
        """Count from 0 again, after one that did not fail."""
        self._failures = 0

    def add(self, reason: str) -> None:
        """Count a failure. Raises `JejunetError` with its `reason` where it is one too many."""
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            raise JejunetError(
                f"the last {self._failures} {self._what} failed; the last error: {reason}"
            )


class Attempts:
    """Runs and closes trials; `failed`: how many failed so far."""

    def __init__(
        self, ledger: Ledger, executor: Executor, closing: Closing, view: View, *, failed: int
    ) -> None:
        self.failed = failed
        self._ledger, self._executor, self._closing, self._view = ledger, executor, closing, view
        self._under_way: dict[tuple[Network, int], optuna.Trial] = {}  # by network and rung
        training = ledger.settings.training
        # For each rung: most networks fail above the first only after others did well there.
        higher = (*training.rungs, training.steps)[1:]
        self._streaks = [Streak("trials"), *(Streak(f"trainings to {n} steps") for n in higher)]

    @property
    def free(self) -> int:
        """The slots for further networks."""
        return max(self._executor.slots - len(self._under_way), 0)

    @property
    def busy(self) -> bool:
        """Whether any network is under way."""
        return bool(self._under_way)

    def begin(self, trial: optuna.Trial, architecture: Architecture, rung: int) -> bool:
        """Begin to score a trial's network at a rung; False if it failed before, and is closed."""
        if not self._executor.alone:
            self._ledger.note_stopped(trial)  # it cannot end this process
        elif rung and (ends := unended(trial)) >= MOST_ENDS:
            self._drop(trial, ended_words(ends))
            return False
        self._under_way[architecture.network, rung] = trial
        self._executor.submit(Work(network=architecture.network, rung=rung))
        return True

    def wait(self) -> tuple[int, list[TrialResult] | None]:
        """Return the number of a trial whose network was scored, and its results.

        None: it failed, and is closed. An error of the user or of this machine ends the search; the
        trials are tried again. Raises `JejunetError` after too many failures in a row at a rung.
        """
        if (upcoming := self._executor.upcoming) and upcoming.rung:
            begin_training(self._under_way[upcoming.network, upcoming.rung])
        try:
            work, outcome = self._executor.wait()
        except BaseException as error:
            with contextlib.suppress(Exception):  # on a full disk
                self._note_stopped()
            if isinstance(error, Exception) and (fault := fault_of(error)):
                raise fault from error
            raise
        trial = self._under_way.pop((work.network, work.rung))
        if self._executor.alone and work.rung:
            end_training(trial)
        if outcome.failure is not None:
            self._drop(trial, outcome.failure)
            self._streaks[work.rung].add(outcome.failure)
            return trial.number, None
        self._streaks[work.rung].end()
        results = [dataclasses.replace(each, number=trial.number) for each in outcome.results]
        self._view.say(trial_words(results[0], self._ledger.settings))
        return trial.number, results

    def _note_stopped(self) -> None:
        """Store that what ends the search is not the fault of the networks that are under way."""
        for (_, rung), trial in self._under_way.items():
            self._ledger.note_stopped(trial)
            if self._executor.alone and rung:
                end_training(trial)

    def _drop(self, trial: optuna.Trial, reason: str) -> None:
        """Close `trial` as failed."""
        self._ledger.drop(trial, "failed", reason)
        self.failed += 1
        self._view.say(f"trial {trial.number} failed: {reason}")

    def close(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """Close `trial` with the first of `results`, and add the others."""
        drawn, *added = self._closing.close(trial, results) or results[:1]
        if added:
            self._view.say(added_words(drawn, added))
