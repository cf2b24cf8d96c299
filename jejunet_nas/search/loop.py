"""The search: draws networks, refuses those that cannot meet the target, and trains the others.

A search may end at any moment, also during a trial. Complete trials are in the ledger and trained
networks in their folders, so the same command resumes it.
"""

import contextlib
import functools
import math
import shutil
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import yaml

from jejunet_nas.datasets.learnable import origin_warning
from jejunet_nas.errors import JejunetError, TrialError
from jejunet_nas.faults import fault_of
from jejunet_nas.files import NOTED, write_text_whole
from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.ranking import over_target_ms, point_of
from jejunet_nas.search.candidates import Candidates
from jejunet_nas.search.closing import (
    Closing,
    open_phone,
    resume,
    still_to_measure,
)
from jejunet_nas.search.lines import added_words, trial_words
from jejunet_nas.search.prepare import data_facts, made_from, prepare
from jejunet_nas.search.view import SearchProgress, View, duration
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.trial.run import run_trial
from jejunet_nas.trial.setup import TrialSetup

FAILURES_IN_A_ROW = 5  # then the search stops: the cause is not the architectures


def search(
    settings: StudySettings,
    folder: Path,
    view: View,
    *,
    seconds: float | None = None,
    storage: str | None = None,
    notes: Mapping[str, Any] | None = None,
) -> StudyHistory:
    """Search until `settings.trials` trials are complete; return the results of the whole study.

    seconds: after these no trial starts. storage: the URL of the study's Optuna storage, if that is
    not in `folder`. notes: what study.yaml notes for later commands, see `study.named`.

    Raises `SettingError` if another process searches the study, or if its settings differ from
    those of its earlier trials.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with study_lock(folder, settings.name), view:
        url = storage or storage_url(folder)
        return _search(settings, folder, view, seconds, url, notes or {})


def _search(
    settings: StudySettings,
    folder: Path,
    view: View,
    seconds: float | None,
    url: str,
    notes: Mapping[str, Any],
) -> StudyHistory:
    networks = folder / NETWORKS
    ledger = Ledger.find(settings, url, view.say)
    history = resume(ledger, networks, view) if ledger else None
    done = history is not None and len(history.drawn) >= settings.trials
    if history and done and not still_to_measure(settings, history):
        view.say(
            f"{settings.name} is complete: {len(history.drawn)} of {settings.trials} trials. "
            f"Add trials with a larger number, such as --trials {2 * len(history.drawn)}."
        )
        return history
    with open_phone(settings, networks, view) as phone:
        if ledger and done:
            open_val = functools.cache(lambda: settings.data.open_split("val", view.stage))
            Closing(ledger, phone, networks, view, open_val).settle()
        else:
            setup, ledger = _set_up(settings, folder, view, ledger, url, notes)
            closing = Closing(ledger, phone, networks, view, lambda: setup.val)
            _Search(ledger, setup, closing, view, seconds).run()
        return with_measured(ledger.history(), networks)


def _set_up(
    settings: StudySettings,
    folder: Path,
    view: View,
    ledger: Ledger | None,
    url: str,
    notes: Mapping[str, Any],
) -> tuple[TrialSetup, Ledger]:
    """Prepare the trials, and store what all of them share in the ledger and in study.yaml."""
    for part in (folder / NETWORKS).glob("*.part"):  # of a killed process; this one has the lock
        shutil.rmtree(part, ignore_errors=True)
    setup = prepare(settings, folder, view.stage)
    facts = data_facts(setup.train, setup.val)
    for warning in (*facts.warnings, *origin_warning(len(facts.videos), facts.photos)):
        view.say(f"warning: {warning}")
    identity = {**settings.identity(), "made_from": made_from(setup, settings)}
    if ledger:
        ledger.keep_identity(identity)  # refuses other data before any of it is stored
    ledger = ledger or Ledger(settings, url, view.say)
    ledger.note_class_names(setup.val.class_names)
    ledger.note_data(facts)
    ledger.keep_identity(identity)  # last: a study without it is created again
    noted = yaml.safe_dump({**identity, **notes}, sort_keys=False)
    write_text_whole(folder / NOTED, noted)
    view.say(f"searching {settings.name}; its state and logs are in {folder}")
    return setup, ledger


class _Search:
    """One run of a search over a ledger."""

    def __init__(
        self,
        ledger: Ledger,
        setup: TrialSetup,
        closing: Closing,
        view: View,
        seconds: float | None,
    ) -> None:
        self._settings, self._ledger, self._setup = ledger.settings, ledger, setup
        self._closing, self._view, self._seconds = closing, view, seconds
        history, classes = ledger.history(), len(setup.val.class_names)
        self._failed = len(history.failed)
        self._candidates = Candidates(ledger, view, classes=classes, refused=len(history.refused))
        self._began_s, self._before = time.monotonic(), len(closing.drawn)

    def run(self) -> None:
        """Try networks until the budget is spent or the space is exhausted."""
        failures = 0
        self._view.progress(self._progress())
        while not self._is_over():
            self._closing.collect()
            drawn = self._candidates.draw(self._closing.results)
            if drawn is None:
                continue
            failures = 0 if self._try(*drawn) else failures + 1
            if failures >= FAILURES_IN_A_ROW:
                raise JejunetError(
                    f"the last {failures} trials failed; the last error: "
                    f"{self._ledger.history().failed[-1].reason}"
                )
            self._view.progress(self._progress())
        self._closing.settle()

    def _is_over(self) -> bool:
        """Return True if the search ends here; say why if it ends early."""
        if len(self._closing.drawn) >= self._settings.trials:
            return True
        if self._seconds is not None and self._spent_s() >= self._seconds:
            self._view.say(f"the time budget of {duration(self._seconds)} is spent")
            return True
        if self._candidates.exhausted:
            self._view.say("the search ends: no untried network can meet the target")
            return True
        return False

    def _try(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        """Run one trial and store its result; return whether it was completed.

        An error of the user or of this machine ends the search; the trial is tried again.
        """
        try:
            return self._run(trial, architecture)
        except BaseException as error:
            with contextlib.suppress(Exception):  # on a full disk
                self._ledger.note_stopped(trial)
            if isinstance(error, Exception) and (fault := fault_of(error)):
                raise fault from error
            raise

    def _run(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        try:
            results = run_trial(trial.number, architecture.network, self._setup, self._view.stage)
        except Exception as error:  # one network's bug must not end a long search
            fault = fault_of(error)
            if fault is not None and not isinstance(fault, TrialError):
                raise
            traceback.print_exc()
            reason = str(error) if isinstance(error, JejunetError) else repr(error)
            self._ledger.drop(trial, "failed", reason)
            self._failed += 1
            self._view.say(f"trial {trial.number} failed: {reason}")
            return False
        self._view.say(trial_words(results[0], self._settings))
        _, *added = self._closing.close(trial, results) or results[:1]
        if added:
            self._view.say(added_words(added))
        return True

    def _spent_s(self) -> float:
        return time.monotonic() - self._began_s

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
            failed=self._failed,
            target_fps=target_fps,
            best_miou=max((miou for miou, _ in points), default=None),
            hypervolume=hypervolume(points, reference_point(target_fps)),
            left_s=self._left_s(),
        )

    def _left_s(self) -> float | None:
        """Return the time left, from the mean time of this run's trials so far."""
        complete, spent_s = len(self._closing.drawn), self._spent_s()
        done = complete - self._before
        if done == 0 or complete >= self._settings.trials:
            return None
        left_s = spent_s / done * (self._settings.trials - complete)
        return min(left_s, max((self._seconds or math.inf) - spent_s, 0.0))
