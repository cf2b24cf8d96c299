"""Attempts: the trials of one search; it ends only if many fail in a row."""

import contextlib
import traceback
from collections.abc import Sequence

import optuna

from jejunet_nas.errors import JejunetError, TrialError
from jejunet_nas.faults import fault_of
from jejunet_nas.records import TrialResult
from jejunet_nas.search.closing import Closing
from jejunet_nas.search.lines import added_words, trial_words
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.trial.run import run_trial
from jejunet_nas.trial.setup import TrialSetup

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
        self, ledger: Ledger, setup: TrialSetup, closing: Closing, view: View, *, failed: int
    ) -> None:
        self.failed = failed
        self._ledger, self._setup, self._closing, self._view = ledger, setup, closing, view
        training, self._reason = ledger.settings.training, ""
        # For each rung: most networks fail above the first only after others did well there.
        higher = (*training.rungs, training.steps)[1:]
        self._streaks = [Streak("trials"), *(Streak(f"trainings to {n} steps") for n in higher)]

    def evaluate(
        self, trial: optuna.Trial, architecture: Architecture, rung: int
    ) -> list[TrialResult] | None:
        """Return the results of a trial's network at a rung; None if it failed, and is closed.

        An error of the user or of this machine ends the search; the trial is tried again. Raises
        `JejunetError` after too many failures in a row at this rung.
        """
        try:
            results = self._run(trial, architecture, self._setup.at_rung(rung))
        except BaseException as error:
            with contextlib.suppress(Exception):  # on a full disk
                self._ledger.note_stopped(trial)
            if isinstance(error, Exception) and (fault := fault_of(error)):
                raise fault from error
            raise
        if results is None:
            self._streaks[rung].add(self._reason)
        else:
            self._streaks[rung].end()
        return results

    def _run(
        self, trial: optuna.Trial, architecture: Architecture, setup: TrialSetup
    ) -> list[TrialResult] | None:
        try:
            results = run_trial(trial.number, architecture.network, setup, self._view.stage)
        except Exception as error:  # one network's bug must not end a long search
            fault = fault_of(error)
            if fault is not None and not isinstance(fault, TrialError):
                raise
            traceback.print_exc()
            self.drop(trial, str(error) if isinstance(error, JejunetError) else repr(error))
            return None
        self._view.say(trial_words(results[0], self._ledger.settings))
        return results

    def drop(self, trial: optuna.Trial, reason: str) -> None:
        """Close `trial` as failed."""
        self._ledger.drop(trial, "failed", reason)
        self.failed, self._reason = self.failed + 1, reason
        self._view.say(f"trial {trial.number} failed: {reason}")

    def close(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """Close `trial` with the first of `results`, and add the others."""
        drawn, *added = self._closing.close(trial, results) or results[:1]
        if added:
            self._view.say(added_words(drawn, added))
