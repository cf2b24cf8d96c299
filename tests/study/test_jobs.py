"""Jobs, in SQLite and in PostgreSQL: one worker each, none lost, workers watched by their beats."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from jejunet_nas.study import jobs as jobs_module
from jejunet_nas.study.jobs import Jobs, Present, Pulse
from jejunet_nas.study.storage import open_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    server = request.getfixturevalue("postgresql")
    return str(server.new_database())


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine, "tiny")


def test_a_job_is_claimed_once_finished_once_and_taken_once(jobs: Jobs) -> None:
    job_id = jobs.add("work")

    claimed, second = jobs.claim("one"), jobs.claim("two")

    assert claimed is not None
    assert (claimed.job_id, claimed.work, claimed.worker) == (job_id, "work", "one")
    assert second is None
    assert jobs.take(job_id) is None
    assert not jobs.finish(job_id, "other work", "wrong")
    assert [jobs.finish(job_id, "work", each) for each in ("done", "late")] == [True, False]
    taken = jobs.take(job_id)
    assert taken is not None
    assert taken.outcome == "done"
    assert jobs.take(job_id) is None
    assert jobs.open() == []


def test_the_same_work_is_one_job_whoever_adds_it_and_studies_are_apart(
    jobs: Jobs, engine: Engine
) -> None:
    other = Jobs(engine, "other")

    assert jobs.add("work") == jobs.add("work") != other.add("work")
    assert len(jobs.open()) == 1


def test_what_a_worker_was_running_waits_again_and_counts_if_it_ended_the_process(
    jobs: Jobs,
) -> None:
    jobs.add("work")
    for ended in (True, False, True, True):
        assert jobs.claim("one") is not None
        jobs.release("one", ended=ended)

    (job,) = jobs.open()

    assert (job.state, job.worker, job.ends) == ("waiting", None, 3)
    assert jobs.claim("one") is None  # it ended too many processes


def test_a_late_outcome_is_not_that_of_the_next_job(jobs: Jobs) -> None:
    first = jobs.add("first")
    claimed = jobs.claim("slow")
    jobs.release("slow", ended=False)  # it was taken for gone
    assert jobs.finish(first, "first", "done")
    jobs.take(first)
    second = jobs.add("second")

    assert claimed is not None
    assert not jobs.finish(claimed.job_id, claimed.work, "late")
    assert second != first
    assert [each.state for each in jobs.open()] == ["waiting"]


def test_many_workers_that_claim_at_once_have_each_job_once(jobs: Jobs, url: str) -> None:
    count, workers = 60, 6
    added = [jobs.add(f"work {number}") for number in range(count)]

    def work(number: int) -> list[int]:
        engine = open_engine(url)
        mine, done = Jobs(engine, "tiny"), list[int]()
        while job := mine.claim(f"worker {number}"):
            assert mine.finish(job.job_id, job.work, "done")
            done.append(job.job_id)
        engine.dispose()
        return done

    with ThreadPoolExecutor(workers) as pool:
        done = [job for each in pool.map(work, range(workers)) for job in each]

    assert sorted(done) == sorted(added)


def test_a_worker_arrives_beats_says_its_fault_and_leaves(jobs: Jobs) -> None:
    jobs.arrive("one")
    jobs.beat("one", "train")
    jobs.note_fault("one", "disk full")

    assert jobs.present() == [Present("one", 1, "train", "disk full")]
    jobs.leave("one")
    assert jobs.present() == []
    jobs.beat("one", "train")  # it was only slow
    assert [each.worker for each in jobs.present()] == ["one"]


def test_a_worker_is_gone_when_it_has_not_beaten_by_the_watchers_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(jobs_module.time, "monotonic", lambda: now[0])
    pulse, still = Pulse(lost_s=60), Present("still", 7, None, None)
    gone = []
    for second in range(0, 80, 5):
        now[0] = second
        alive = Present("alive", second, None, None)
        gone.append((second, [*pulse.gone([still, alive])]))

    assert [second for second, names in gone if names] == [60, 65, 70, 75]
    assert {name for _, names in gone for name in names} == {"still"}


def test_a_watcher_that_stood_still_looks_again_before_it_calls_workers_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(jobs_module.time, "monotonic", lambda: now[0])
    pulse, worker = Pulse(lost_s=60), Present("one", 7, None, None)
    assert [*pulse.gone([worker])] == []

    now[0] = 3600.0

    assert [*pulse.gone([worker])] == []
