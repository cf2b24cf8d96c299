"""Jobs: what the workers of a study do, in a table beside Optuna's.

One statement claims a job, and only if it still waits; so no database gives it to two workers. A
worker that lives adds to `beats`, and who watches it uses a clock of its own: the clocks of two
machines need not agree, and may jump.
"""

import dataclasses
import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Engine

MOST_ENDS = 2  # of the search's own process while it trains one network; then that has failed
JOB_ENDS = 3  # of workers' processes: something else may have ended two of many
LOST_S = 60.0  # without a beat; then a worker counts as gone
LOST_LOOKS = 10  # in that time, at least: who looks may have stood still itself
_META = MetaData()
_JOBS = Table(
    "jejunet_nas_jobs",
    _META,
    Column("job_id", Integer, primary_key=True),
    Column("study", String(512), nullable=False, index=True),
    Column("key", String(64), nullable=False),
    Column("work", Text, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, running or done
    Column("worker", String(255)),
    Column("ends", Integer, nullable=False),  # of workers' processes, that this job caused
    Column("outcome", Text),
    sqlite_autoincrement=True,  # no id is used twice
)
_WORKERS = Table(
    "jejunet_nas_workers",
    _META,
    Column("worker", String(255), primary_key=True),
    Column("study", String(512), nullable=False, index=True),
    Column("beats", Integer, nullable=False),
    Column("stage", Text),
    Column("fault", Text),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """work, outcome: JSON, see `search.work`. worker: who runs or ran it."""

    job_id: int
    work: str
    state: str
    worker: str | None
    ends: int
    outcome: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Present:
    """A worker that was started. stage: what it does, in words. fault: why it ended itself."""

    worker: str
    beats: int
    stage: str | None
    fault: str | None


class Jobs:
    """The jobs and the workers of one study. Errors of the database: see `study.storage`."""

    def __init__(self, engine: Engine, study: str) -> None:
        """Make the tables where they are missing."""
        self._engine, self._study = engine, study
        _META.create_all(engine)

    def add(self, work: str) -> int:
        """Return the id of the job of `work`: one that another search left, or a new one."""
        key = _key(work)
        with self._engine.begin() as connection:
            found = connection.execute(
                select(_JOBS.c.job_id).where(self._of(_JOBS), _JOBS.c.key == key)
            ).scalar()
            if found is not None:
                return int(found)
            made = connection.execute(
                insert(_JOBS).values(study=self._study, key=key, work=work, state="waiting", ends=0)
            )
            (job_id,) = made.inserted_primary_key or (None,)
            assert job_id is not None
            return int(job_id)

    def claim(self, worker: str) -> Job | None:
        """Let `worker` run the oldest job that waits, and return it; None if none does.

        A job that ended `JOB_ENDS` processes is left to the search.
        """
        free = (_JOBS.c.state == "waiting", _JOBS.c.ends < JOB_ENDS)
        waiting = select(_JOBS).where(self._of(_JOBS), *free)
        with self._engine.connect() as connection:
            found = connection.execute(waiting.order_by(_JOBS.c.job_id).limit(8)).all()
        for row in found:
            with self._engine.begin() as connection:
                claimed = connection.execute(
                    update(_JOBS)
                    .where(_JOBS.c.job_id == row.job_id, *free)
                    .values(state="running", worker=worker)
                )
            if claimed.rowcount == 1:
                return dataclasses.replace(_job(row), state="running", worker=worker)
        return None

    def finish(self, job_id: int, work: str, outcome: str) -> bool:
        """Store the outcome of the job of `work`; False where it has one, or was removed."""
        with self._engine.begin() as connection:
            done = connection.execute(
                update(_JOBS)
                .where(_JOBS.c.job_id == job_id, _JOBS.c.key == _key(work))
                .where(_JOBS.c.state != "done")
                .values(state="done", outcome=outcome)
            )
        return done.rowcount == 1

    def release(self, worker: str, *, ended: bool) -> None:
        """Let others claim what `worker` was running. ended: it ended the worker's process."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_JOBS)
                .where(self._of(_JOBS), _JOBS.c.worker == worker, _JOBS.c.state == "running")
                .values(state="waiting", worker=None, ends=_JOBS.c.ends + int(ended))
            )

    def take(self, job_id: int) -> Job | None:
        """Remove a job that is done and return it; None if it is not done."""
        with self._engine.begin() as connection:
            done = (_JOBS.c.job_id == job_id, _JOBS.c.state == "done")
            row = connection.execute(select(_JOBS).where(*done)).first()
            if row is not None:
                connection.execute(delete(_JOBS).where(*done))
        return _job(row) if row is not None else None

    def open(self) -> list[Job]:
        """Return all jobs, without what they hold: the outcomes are empty."""
        columns = (_JOBS.c.job_id, _JOBS.c.state, _JOBS.c.worker, _JOBS.c.ends)
        with self._engine.connect() as connection:
            rows = connection.execute(select(*columns).where(self._of(_JOBS))).all()
        return [Job(row.job_id, "", row.state, row.worker, row.ends, None) for row in rows]

    def forget(self, *states: str) -> None:
        """Remove the jobs in `states`."""
        with self._engine.begin() as connection:
            connection.execute(delete(_JOBS).where(self._of(_JOBS), _JOBS.c.state.in_(states)))

    def arrive(self, worker: str) -> None:
        """Enter `worker`, which begins to ask for jobs."""
        self.leave(worker)
        with self._engine.begin() as connection:
            connection.execute(insert(_WORKERS).values(worker=worker, study=self._study, beats=0))

    def beat(self, worker: str, stage: str) -> None:
        """Show that `worker` lives, also if it was taken for one that is gone."""
        with self._engine.begin() as connection:
            shown = connection.execute(
                update(_WORKERS)
                .where(_WORKERS.c.worker == worker)
                .values(beats=_WORKERS.c.beats + 1, stage=stage)
            )
        if shown.rowcount == 0:
            self.arrive(worker)

    def note_fault(self, worker: str, fault: str) -> None:
        """Store why `worker` ends itself."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_WORKERS).where(_WORKERS.c.worker == worker).values(fault=fault)
            )

    def leave(self, worker: str) -> None:
        """Remove `worker`."""
        with self._engine.begin() as connection:
            connection.execute(delete(_WORKERS).where(_WORKERS.c.worker == worker))

    def present(self) -> list[Present]:
        """Return all workers that arrived and have not left, by name."""
        columns = (_WORKERS.c.worker, _WORKERS.c.beats, _WORKERS.c.stage, _WORKERS.c.fault)
        asked = select(*columns).where(self._of(_WORKERS)).order_by(_WORKERS.c.worker)
        with self._engine.connect() as connection:
            return [Present(*row) for row in connection.execute(asked)]

    def _of(self, table: Table) -> sqlalchemy.ColumnElement[bool]:
        return table.c.study == self._study


def _key(work: str) -> str:
    return hashlib.sha256(work.encode()).hexdigest()


def _job(row: Any) -> Job:
    return Job(row.job_id, row.work, row.state, row.worker, row.ends, row.outcome)


class Pulse:
    """Tells which workers live, by their beats and by this process's clock."""

    def __init__(self, lost_s: float = LOST_S) -> None:
        self._lost_s = lost_s
        self._seen: dict[str, tuple[int, float, int]] = {}  # beats, since when (s), looks

    def gone(self, workers: Sequence[Present]) -> Iterator[str]:
        """Yield those of `workers` that have not beaten for `lost_s` of looking at them."""
        now = time.monotonic()
        for each in workers:
            beats, since, looks = self._seen.get(each.worker, (-1, now, 0))
            if beats != each.beats:
                beats, since, looks = each.beats, now, 0
            self._seen[each.worker] = beats, since, looks + 1
            if now - since >= self._lost_s and looks + 1 >= LOST_LOOKS:
                yield each.worker
