"""The crew: worker processes of this machine, and the executor by which a search uses all workers.

Each worker has its share of the processors. One that dies is replaced; its job is given to another,
unless that job ended too many processes already.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from jejunet_nas.errors import JejunetError, MachineError, SettingError
from jejunet_nas.faults import insist
from jejunet_nas.records import from_json, to_json
from jejunet_nas.search.view import View
from jejunet_nas.search.work import Outcome, Work
from jejunet_nas.search.worker import Post, lives_here, serve, worker_name
from jejunet_nas.study.interrupted import ended_words
from jejunet_nas.study.jobs import JOB_ENDS, Job, Jobs, Present, Pulse
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import remove_parts

# TensorFlow does not survive a fork.
START: SpawnContext | ForkServerContext = multiprocessing.get_context("spawn")
LOOK_S = 0.2  # between two looks at the jobs
PATIENCE_S = 10.0  # with a worker that was asked to end
DEATHS_IN_A_ROW = 8  # of workers before any work ends; then the cause is not the networks


class Crew:
    """Worker processes of this machine, from `start` to the end of the context."""

    def __init__(self, post: Post, workers: int) -> None:
        """Start no process yet. workers: their number."""
        self._post = post
        # An event would wait, when it is set, for a worker that was killed while it waited.
        self._begin = START.RawValue("b", 0)
        self._cores = shares_of(available_cores(), workers)
        self._processes: list[BaseProcess] = []
        self._jobs: Jobs | None = None
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
        ends = time.monotonic() + PATIENCE_S
        for process in self._processes:
            process.join(max(ends - time.monotonic(), 0.1))
            if process.is_alive():
                process.kill()
                process.join()
            if self.started:
                with contextlib.suppress(JejunetError):  # the database is away, or its disk full
                    self._let_go(process, ended=False)
        if self.started:
            remove_parts(self._post.folder / NETWORKS)  # what they were making

    def warm_up(self) -> None:
        """Start the processes, which import what they need and wait for `start`."""
        if not self._processes:
            self._processes = [self._start(number) for number in range(len(self._cores))]

    def start(self, jobs: Jobs) -> None:
        """Let the workers claim `jobs`, unless they do so already."""
        self._jobs = jobs
        self.warm_up()
        self._begin.value = 1

    @property
    def started(self) -> bool:
        """Whether the workers were started."""
        return self._jobs is not None

    def __len__(self) -> int:
        return len(self._cores)

    def tend(self) -> None:
        """Replace workers that died. Raises `MachineError` or `SettingError` if one gave up."""
        for number, process in enumerate(self._processes):
            if process.is_alive():
                continue
            assert self._jobs is not None
            name = worker_name(process.pid or 0)
            fault = next((p.fault for p in self._jobs.present() if p.worker == name), None)
            self._let_go(process, ended=fault is None)
            if fault:
                wrong = process.exitcode == SettingError.exit_code
                raise SettingError(fault) if wrong else MachineError(fault)
            self._deaths += 1
            if self._deaths >= DEATHS_IN_A_ROW:
                raise MachineError(
                    f"{self._deaths} workers died before any work was done, the last with "
                    f"exit code {process.exitcode}. See tensorflow.log in {self._post.folder}."
                )
            self._processes[number] = self._start(number)

    def note_work(self) -> None:
        """Note that work has ended: workers do not only die."""
        self._deaths = 0

    def _start(self, number: int) -> BaseProcess:
        post = dataclasses.replace(self._post, cores=self._cores[number])
        process = START.Process(target=serve, args=(post, self._begin))
        with _apart_from_the_terminal():
            process.start()
        return process

    def _let_go(self, process: BaseProcess, *, ended: bool) -> None:
        assert self._jobs is not None
        name = worker_name(process.pid or 0)
        self._jobs.release(name, ended=ended)
        self._jobs.leave(name)


class Workers:
    """Does work in all workers of the study: those of the crew, and those of other machines."""

    alone, upcoming = False, None

    def __init__(
        self, crew: Crew, view: View, check: Callable[[], None], setup: TrialSetup, ledger: Ledger
    ) -> None:
        """Forget the jobs that an earlier search left waiting, and start the crew.

        check: is called again and again while work is awaited; raises an error to end that. setup:
        says where networks of other machines are fetched from.
        """
        self._crew, self._view, self._check, self._setup = crew, view, check, setup
        self._jobs, self._readable = (jobs := ledger.jobs()), ledger.readable
        check()
        jobs.forget("waiting")
        crew.start(jobs)
        self._works: dict[int, Work] = {}
        self._pulse, self._present = Pulse(), list[Present]()

    @property
    def slots(self) -> int:
        """The number of workers."""
        return max(len(self._crew), len(self._present))

    def submit(self, work: Work) -> None:
        """Let the next free worker do `work`."""
        text = to_json(work)
        self._works[insist(lambda: self._jobs.add(text))] = work

    def wait(self) -> tuple[Work, Outcome]:
        """Return the next work that has ended, looking after the workers meanwhile."""
        while True:
            self._check()  # first: without the lead, outcomes are another process's
            jobs = insist(self._jobs.open)
            for lost in self._works.keys() - {job.job_id for job in jobs}:
                self.submit(self._works.pop(lost))  # another process forgot it
            for job in jobs:
                if job.job_id in self._works and (outcome := self._outcome(job)):
                    fetch_outcome(outcome, self._setup)
                    self._crew.note_work()
                    return self._works.pop(job.job_id), outcome
            insist(self._look_after)
            time.sleep(LOOK_S)

    def close(self) -> None:
        """Forget what is left of the jobs; workers end what they are doing."""
        with contextlib.suppress(JejunetError):  # the database is away, and what ends the search
            self._jobs.forget("waiting", "done")  # must be told instead

    def _outcome(self, job: Job) -> Outcome | None:
        if job.state == "done" and (done := insist(lambda: self._jobs.take(job.job_id))):
            with self._readable():
                return from_json(Outcome, done.outcome or "")
        if job.state == "waiting" and job.ends >= JOB_ENDS:
            work = to_json(self._works[job.job_id])
            failure = to_json(Outcome(failure=ended_words(job.ends)))
            insist(lambda: self._jobs.finish(job.job_id, work, failure))
        return None

    def _look_after(self) -> None:
        self._crew.tend()
        self._present = self._jobs.present()
        gone = {*self._pulse.gone(self._present)}
        gone |= {each.worker for each in self._present if lives_here(each.worker) is False}
        for name in gone:
            self._jobs.release(name, ended=False)
            self._jobs.leave(name)
        self._view.workers([each.stage or "prepare" for each in self._present])


def fetch_outcome(outcome: Outcome, setup: TrialSetup) -> None:
    """Fetch the networks that another machine has made: the study is exported from here."""
    names = {each.network_id for each in outcome.results} | {outcome.network_id}
    if setup.shared:
        setup.shared.fetch_missing(filter(None, names), setup.folder)


@contextlib.contextmanager
def _apart_from_the_terminal() -> Iterator[None]:
    """Let a process that is started in the block not hear Ctrl-C, from its first moment."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def available_cores() -> list[int]:
    """Return the processors that this process may use; empty where the system does not tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else []


def shares_of(cores: list[int], workers: int) -> list[tuple[int, ...]]:
    """Return the processors of each worker: equal shares, or one each where there are too few."""
    if not cores:
        return [()] * workers
    if workers >= len(cores):
        return [(cores[number % len(cores)],) for number in range(workers)]
    return [tuple(cores[number::workers]) for number in range(workers)]
