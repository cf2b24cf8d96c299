"""A worker: a process that trains and scores networks for a search, one after the other.

It claims jobs (`study.jobs`) until it is ended. What it makes is in the study's folder of networks
before the search knows of it, so a worker that is killed loses what it was training, and no more.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from jejunet_nas.errors import JejunetError, SettingError
from jejunet_nas.faults import ENDING, fault_of, insist
from jejunet_nas.files import is_alive
from jejunet_nas.progress import Tell
from jejunet_nas.records import from_json, to_json
from jejunet_nas.search.prepare import made_from, prepare
from jejunet_nas.search.store import store_of, with_store
from jejunet_nas.search.work import Work, attempt
from jejunet_nas.study.jobs import Jobs
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.training.provenance import versions
from jejunet_nas.trial.setup import TrialSetup

ALIKE = "alike"  # an attribute of the study: what `same_everywhere` returned to the search
IDLE_S = 0.2  # between two looks for a job
BEAT_S = 3.0
LOOK_S = 0.5  # between two looks at the process that began this one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Where a worker works.

    store: where machines share networks. alike: what must be alike on all of them, see
    `same_everywhere`; None before the search has stored it. cores: processors that the worker may
    use; empty: all.
    """

    settings: StudySettings
    folder: Path
    url: str
    store: str | None = None
    alike: Mapping[str, Any] | None = None
    cores: tuple[int, ...] = ()


def worker_name(pid: int) -> str:
    """Return the name of the worker that is process `pid` of this machine."""
    return f"{socket.gethostname()}:{pid}"


def lives_here(worker: str) -> bool | None:
    """Return whether a worker of this machine lives; None for one of another machine."""
    host, _, pid = worker.rpartition(":")
    return is_alive(int(pid)) if host == socket.gethostname() and pid.isdecimal() else None


def serve(post: Post, begin: Any) -> NoReturn:
    """Work at `post` until this process is ended; the entry point of a worker's process.

    begin: a shared number, not 0 when there may be jobs; meanwhile this process was imported.
    """
    if post.cores:
        os.sched_setaffinity(0, post.cores)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # a terminal sends Ctrl-C to workers too
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while not begin.value:
        _end_with(multiprocessing.parent_process())
        time.sleep(IDLE_S)
    ledger = Ledger(post.settings, post.url, lambda _: None)
    jobs, name = ledger.jobs(), worker_name(os.getpid())
    jobs.arrive(name)
    try:
        with _beating(jobs, name) as say:
            setup = set_up(post_of(post, ledger), say.stage)
            while True:
                _do_next(ledger, jobs, name, setup, say)
    except Exception as error:
        fault = fault_of(error) or JejunetError(repr(error))
        jobs.note_fault(name, str(fault))
        raise SystemExit(fault.exit_code) from error


def post_of(post: Post, ledger: Ledger) -> Post:
    """Return `post` with what the search has stored for its workers."""
    return dataclasses.replace(post, store=store_of(ledger), alike=ledger.noted(ALIKE))


def same_everywhere(made: Mapping[str, Any]) -> dict[str, str]:
    """Return what decides results beside the settings: versions, and what `made_from` returned."""
    alike = {name: f"{value}" for name, value in made.items()}
    return alike | {f"version of {name}": value for name, value in versions().items()}


def set_up(post: Post, tell: Tell) -> TrialSetup:
    """Prepare the trials at `post`.

    Raises `SettingError` where data, weights or versions are not those of the search.
    """
    prepared = prepare(post.settings, post.folder, tell)
    setup = with_store(prepared, post.store, post.settings.name)
    here = same_everywhere(made_from(setup, post.settings))
    apart = [name for name, value in (post.alike or {}).items() if here.get(name) != value]
    if apart:
        raise SettingError(
            f"worker {worker_name(os.getpid())} has not what the search has: {', '.join(apart)}. "
            "Copy the data and the weights of the first machine, and install the same versions."
        )
    return setup


def _do_next(ledger: Ledger, jobs: Jobs, name: str, setup: TrialSetup, say: "_Say") -> None:
    job = insist(lambda: jobs.claim(name))
    if job is None:
        say.stage("wait for work", 0, 1)
        time.sleep(IDLE_S)
        return
    with ledger.readable():
        work = from_json(Work, job.work)
    outcome = to_json(attempt(work, setup, say.stage))
    insist(lambda: jobs.finish(job.job_id, job.work, outcome))


def _end_with(parent: BaseProcess | None) -> None:
    """End this process if the one that began it has died."""
    if parent is not None and not parent.is_alive():
        os._exit(1)


class _Say:
    """The last stage of a worker, in words."""

    words = "prepare"

    def stage(self, what: str, done: int, total: int) -> None:
        self.words = f"{what}, {done} of {total}" if total > 1 else what


@contextlib.contextmanager
def _beating(jobs: Jobs, name: str) -> Iterator[_Say]:
    """Show in the block that this worker lives, and end it when the process that began it dies."""
    say, over = _Say(), threading.Event()
    parent = multiprocessing.parent_process()

    def beat() -> None:
        beaten_s = -BEAT_S
        while not over.wait(LOOK_S):
            _end_with(parent)
            if time.monotonic() - beaten_s >= BEAT_S:
                beaten_s = time.monotonic()
                with contextlib.suppress(JejunetError):  # the database is away
                    jobs.beat(name, say.words)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield say
    finally:
        over.set()
        thread.join()
