"""The search: draws networks, refuses those that cannot meet the target, and trains the others.

A search may end at any moment, also during a trial. Complete trials are in the ledger and trained
networks in their folders, so the same command resumes it.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.datasets.learnable import origin_warning
from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.ranking import over_target_ms, point_of
from jejunet_nas.search.attempts import Attempts
from jejunet_nas.search.candidates import Candidates
from jejunet_nas.search.closing import (
    Closing,
    open_phone,
    resume,
    still_to_measure,
)
from jejunet_nas.search.crew import Crew, Workers
from jejunet_nas.search.forecast import Forecast, forecast_search
from jejunet_nas.search.last_round import LastRound, next_training
from jejunet_nas.search.pace import Budget, EndTime, budget_of
from jejunet_nas.search.prepare import data_facts, made_from, prepare
from jejunet_nas.search.rounds import Rounds
from jejunet_nas.search.sharing import share
from jejunet_nas.search.store import fetch_networks, with_store
from jejunet_nas.search.view import SearchProgress, View, duration
from jejunet_nas.search.work import Executor, InThisProcess
from jejunet_nas.search.worker import Post
from jejunet_nas.space.draw import network_choices
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.lead import is_shared
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.named import write_notes
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import remove_parts


def search(
    settings: StudySettings,
    folder: Path,
    view: View,
    *,
    seconds: float | None = None,
    storage: str | None = None,
    notes: Mapping[str, Any] | None = None,
    workers: int = 1,
    store: str | None = None,
) -> StudyHistory:
    """Search until `settings.trials` trials are complete; return the results of the whole study.

    seconds: after these no trial starts; a last round has a quarter of them. storage: the URL of
    the study's Optuna storage, if that is not in `folder`. notes: what study.yaml notes for later
    commands, see `study.named`. workers: processes that train; with 1, this one does. store: where
    machines share their networks, see `trial.shared`; the study notes it.

    Raises `SettingError` if another process searches the study, or if its settings differ from
    those of its earlier trials.
    """
    folder.mkdir(parents=True, exist_ok=True)
    url = storage or storage_url(folder)
    post = Post(settings=settings, folder=folder, url=url, store=store)
    run = functools.partial(_search, post, view, seconds, notes or {})
    with view, Crew(post, workers) as crew:
        if is_shared(url):
            return share(post, crew, view, lambda lead: run(crew, lead.check))
        with study_lock(folder, settings.name, url):
            return run(crew if workers > 1 else None)


def _search(
    post: Post,
    view: View,
    seconds: float | None,
    notes: Mapping[str, Any],
    crew: Crew | None = None,
    check: Callable[[], None] = lambda: None,
) -> StudyHistory:
    """Search as `search` does. crew: who trains; None: this process. check: see `Workers`."""
    settings, folder, url = post.settings, post.folder, post.url
    networks = folder / NETWORKS
    ledger = Ledger.find(settings, url, view.say)
    history = resume(ledger, networks, view) if ledger else None
    if ledger and history:
        fetch_networks(ledger, history, networks)
    done = history is not None and len(history.drawn) >= settings.trials
    if history and done and next_training(settings, history):
        done = False
    if history and done and not still_to_measure(settings, history):
        drawn = len(history.drawn)
        view.say(
            f"{settings.name} is complete: {drawn} of {max(drawn, settings.trials)} trials. "
            f"Add trials with a larger number, such as --trials {2 * drawn}."
        )
        return history
    with open_phone(settings, networks, view) as phone:
        if ledger and done:
            open_val = functools.cache(lambda: settings.data.open_split("val", view.stage))
            Closing(ledger, phone, networks, view, open_val).settle()
        else:
            forecast = forecast_search(settings, history, seconds)
            setup, ledger = _set_up(post, view, ledger, notes, forecast)
            closing = Closing(ledger, phone, networks, view, lambda: setup.val)
            executor: Executor = InThisProcess(setup, view.stage)
            if crew:
                executor = Workers(ledger.jobs(), crew, view, setup, check)
            with contextlib.closing(executor):
                _Search(ledger, setup, executor, closing, view, seconds).run()
        return with_measured(ledger.history(), networks)


def _set_up(
    post: Post, view: View, ledger: Ledger | None, notes: Mapping[str, Any], forecast: Forecast
) -> tuple[TrialSetup, Ledger]:
    """Prepare the trials, and store what all of them share in the ledger and in study.yaml."""
    settings, folder = post.settings, post.folder
    remove_parts(folder / NETWORKS)
    said = ledger is not None and bool(ledger.trials())  # by the process that began the search
    setup = prepare(settings, folder, view.stage, lambda: forecast.say(view.say, end_alone=said))
    facts = data_facts(setup.train, setup.val)
    for warning in (*facts.warnings, *origin_warning(len(facts.videos), facts.photos)):
        view.say(f"warning: {warning}")
    identity = {**settings.identity(), "made_from": made_from(setup, settings)}
    if ledger:
        ledger.keep_identity(identity)  # refuses other data before any of it is stored
    ledger = ledger or Ledger(settings, post.url, view.say)
    ledger.note_class_names(setup.val.class_names)
    ledger.note_data(facts)
    ledger.keep_identity(identity)  # last: a study without it is created again
    setup = with_store(setup, ledger, post.store)
    write_notes(folder, identity, notes)
    if (rare := forecast.rare) and rare not in ledger.known_networks():
        ledger.propose(network_choices(rare))
    view.say(f"searching {settings.name}; its state and logs are in {folder}")
    return setup, ledger


class _Search:
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
