"""Attempts: the trials of one search, whose failures do not end it."""

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


class Attempts:
    """Runs and closes trials; `failed`: how many failed so far."""

    def __init__(
        self, ledger: Ledger, setup: TrialSetup, closing: Closing, view: View, *, failed: int
    ) -> None:
        self.failed = failed
        self._ledger, self._setup, self._closing, self._view = ledger, setup, closing, view

    def evaluate(
        self, trial: optuna.Trial, architecture: Architecture, rung: int
    ) -> list[TrialResult] | None:
        """Return the results of a trial's network at a rung; None if it failed, and is closed.

        An error of the user or of this machine ends the search; the trial is tried again.
        """
        try:
            return self._run(trial, architecture, self._setup.at_rung(rung))
        except BaseException as error:
            with contextlib.suppress(Exception):  # on a full disk
                self._ledger.note_stopped(trial)
            if isinstance(error, Exception) and (fault := fault_of(error)):
                raise fault from error
            raise

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
        self.failed += 1
        self._view.say(f"trial {trial.number} failed: {reason}")

    def close(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """Close `trial` with the first of `results`, and add the others."""
        drawn, *added = self._closing.close(trial, results) or results[:1]
        if added:
            self._view.say(added_words(drawn, added))
