"""The search: draws networks, refuses those that cannot meet the target, and trains the others.

A search may end at any moment, also during a trial. Complete trials are in the ledger and trained
networks in their folders, so the same command resumes it.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from jejunet_nas.datasets.learnable import origin_warning
from jejunet_nas.records import StudyHistory
from jejunet_nas.search.closing import Closing, resume, still_to_measure
from jejunet_nas.search.crew import Crew, Workers
from jejunet_nas.search.forecast import Forecast, forecast_search
from jejunet_nas.search.last_round import next_training
from jejunet_nas.search.phone import open_phone
from jejunet_nas.search.prepare import data_facts, made_from, prepare
from jejunet_nas.search.ray_cluster import cluster
from jejunet_nas.search.ray_executor import RayWorkers
from jejunet_nas.search.run import SearchRun
from jejunet_nas.search.sharing import share
from jejunet_nas.search.store import fetch_networks, store_of, with_store
from jejunet_nas.search.view import View
from jejunet_nas.search.work import Executor, InThisProcess
from jejunet_nas.search.worker import ALIKE, Post, same_everywhere
from jejunet_nas.space.draw import network_choices
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.known import known_networks
from jejunet_nas.study.lead import is_shared, sole_lead
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
    workers: int | None = None,
    store: str | None = None,
    executor: Literal["processes", "ray"] = "processes",
    address: str | None = None,
) -> StudyHistory:
    """Search until `settings.trials` trials are complete; return the results of the whole study.

    seconds: after these no trial starts; a last round has a quarter of them. storage: the URL of
    the study's Optuna storage, if that is not in `folder`. notes: what study.yaml notes for later
    commands, see `study.named`. workers: processes that train; None: this one, in Ray one for each
    CPU. store: where machines share their networks, see `trial.shared`; the study notes it.
    address: of the Ray cluster, None: one of this machine.

    Raises `SettingError` if another process searches the study, or if its settings differ from
    those of its earlier trials.
    """
    folder.mkdir(parents=True, exist_ok=True)
    url = storage or storage_url(folder)
    post = Post(settings=settings, folder=folder, url=url, store=store)
    ends_s = None if seconds is None else time.monotonic() + seconds
    run = functools.partial(_search, post, view, ends_s, notes or {})
    with view, Crew(post, workers or 1) as crew:
        if executor == "ray":
            with (
                sole_lead(url, settings.name) as check,
                study_lock(folder, settings.name, url),
                cluster(address) as ray,
            ):
                return run(functools.partial(RayWorkers, ray, check, post, view, workers), ray=ray)
        if is_shared(url):
            shared = functools.partial(Workers, crew, view)
            return share(
                post, crew, view, lambda lead: run(functools.partial(shared, lead.check), crew=crew)
            )
        with study_lock(folder, settings.name, url):
            if (workers or 1) > 1:
                return run(functools.partial(Workers, crew, view, lambda: None), crew=crew)
            return run(lambda setup, _: InThisProcess(setup, view.stage))


def _search(
    post: Post,
    view: View,
    ends_s: float | None,
    notes: Mapping[str, Any],
    executor_of: Callable[[TrialSetup, Ledger], Executor],
    *,
    crew: Crew | None = None,
    ray: Any = None,
) -> StudyHistory:
    """Search as `search` does. executor_of: returns who trains, once the study has begun.

    ends_s: of the time budget, whoever led before; by the monotonic clock. crew: gets ready while
    the trials are prepared. ray: the cluster, whose phone is used if it has one.
    """
    seconds = None if ends_s is None else max(ends_s - time.monotonic(), 0.0)
    settings, folder, url = post.settings, post.folder, post.url
    networks = folder / NETWORKS
    ledger = Ledger.find(settings, url, view.say)
    history = resume(ledger, networks, view) if ledger else None
    if ledger and history:
        fetch_networks(ledger, history, networks, post.store)
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
    with open_phone(settings, networks, view, ray) as phone:
        if ledger and done:
            open_val = functools.cache(lambda: settings.data.open_split("val", view.stage))
            Closing(ledger, phone, networks, view, open_val).settle()
        else:
            forecast = forecast_search(settings, history, seconds)
            if crew:
                crew.warm_up()
            setup, ledger = _set_up(post, view, ledger, notes, forecast)
            closing = Closing(ledger, phone, networks, view, lambda: setup.val)
            with contextlib.closing(executor_of(setup, ledger)) as executor:
                SearchRun(ledger, setup, executor, closing, view, seconds).run()
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
    made = made_from(setup, settings)
    identity = {**settings.identity(), "made_from": made}
    if ledger:
        ledger.keep_identity(identity)  # refuses other data before any of it is stored
    ledger = ledger or Ledger(settings, post.url, view.say)
    ledger.note_class_names(setup.val.class_names)
    ledger.note_data(facts)
    ledger.keep_identity(identity)  # last: a study without it is created again
    setup = with_store(setup, store_of(ledger, post.store), settings.name)
    ledger.note(ALIKE, same_everywhere(made))
    write_notes(folder, identity, notes)
    if (rare := forecast.rare) and rare not in known_networks(ledger):
        ledger.propose(network_choices(rare))
    view.say(f"searching {settings.name}; its state and logs are in {folder}")
    return setup, ledger
