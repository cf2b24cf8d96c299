"""Workers in processes of their own, with networks made in no time (`tests.search.fast`)."""

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jejunet_nas.records import StudyHistory, to_json
from jejunet_nas.search.crew import Crew, Workers, shares_of
from jejunet_nas.search.work import Outcome, Work
from jejunet_nas.search.worker import Post
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.study_file import read_study
from tests.builders import tiny_network
from tests.search.build import SPACE, QuietView, write_study
from tests.search.fast import HOLD, KILLS, SECONDS, start_search

WIDE = (
    SPACE.replace("[8, 16, 24]", "[8, 16, 24, 32, 40, 48, 56, 64]")
    .replace("[64, 96]", "[64, 96, 128, 160, 192]")
    .replace("{from: 1, to: 3}", "[1, 3]")
)
PATIENCE_S = 300.0  # both cores may be busy


def study_in(folder: Path, trials: int, rungs: str = "training: {steps: 9, rungs: [3]}") -> Path:
    return write_study(folder, f"trials: {trials}\n{rungs}\n", WIDE)


def history_of(study: Path, url: str | None = None) -> StudyHistory:
    with contextlib.closing(ledger_of(study, url)) as ledger:
        return ledger.history()


def ledger_of(study: Path, url: str | None = None) -> Ledger:
    return Ledger(read_study(study), url or storage_url(study.parent / "tiny"))


def assert_whole(study: Path, trials: int, url: str | None = None) -> StudyHistory:
    """Every network is there once, with both of its policies, and so are their files."""
    history = history_of(study, url)
    assert len(history.drawn) == trials
    found = Counter(canonical_json(each.architecture) for each in history.complete)
    assert set(found.values()) == {1}
    assert len(found) == 2 * trials
    networks = study.parent / "tiny" / "networks"
    for each in history.drawn:
        assert (networks / each.network_id / "record.json").is_file()
    assert [*networks.glob("*.part")] == []
    return history


def until(true: Any, what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def networks_in(study: Path) -> int:
    return len([*(study.parent / "tiny" / "networks").glob("*/record.json")])


def workers_of(study: Path, url: str | None = None) -> list[int]:
    """Return the processes of all workers that have begun, dead ones too until they are seen."""
    with contextlib.closing(ledger_of(study, url)) as ledger:
        present = ledger.jobs().present()
    return [int(each.worker.rpartition(":")[2]) for each in present]


@pytest.fixture
def searches() -> Any:
    """Starts searches, and ends those that a failed test left."""
    begun: list[Any] = []

    def start(*arguments: Any) -> Any:
        begun.append(start_search(*arguments))
        return begun[-1]

    yield start
    for each in begun:
        if each.is_alive():
            each.kill()
        each.join()


@contextlib.contextmanager
def held(hold: Path) -> Iterator[None]:
    """Let no search finish a network meanwhile: on a busy machine one ends before another joins."""
    hold.touch()
    yield
    hold.unlink()


def ended(search: Any) -> int:
    search.join(PATIENCE_S)
    assert search.exitcode is not None, "the search does not end"
    return int(search.exitcode)


@pytest.mark.parametrize(
    "rungs",
    [
        "training: {steps: 9, rungs: [3]}",
        pytest.param("training: {steps: 9}", marks=pytest.mark.slow),
    ],
    ids=["rungs", "plain"],
)
def test_three_workers_search_a_study_whole_and_lose_and_double_nothing(
    rungs: str, tmp_path: Path, searches: Any
) -> None:
    study = study_in(tmp_path, 10, rungs)

    search = searches(study, tmp_path / "tiny", None, 3)

    assert ended(search) == 0
    assert_whole(study, 10)


def test_a_worker_that_is_killed_is_replaced_and_its_network_made_by_another(
    tmp_path: Path, searches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "1.0")
    study = study_in(tmp_path, 8)
    search = searches(study, tmp_path / "tiny", None, 2)
    killed = set[int]()
    for count in (1, 3):
        until(lambda count=count: networks_in(study) >= count, "no network is made")  # type: ignore[misc]
        until(lambda: {*workers_of(study)} - killed, "no worker lives")
        alive = {*workers_of(study)} - killed  # a dead one stands there until the search looks
        os.kill(min(alive), signal.SIGKILL)
        killed.add(min(alive))

    assert ended(search) == 0
    history = assert_whole(study, 8)
    assert history.failed == ()


@pytest.mark.slow
def test_networks_that_end_three_workers_fail_and_the_search_goes_on(
    tmp_path: Path, searches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILLS, "0.5")
    study = write_study(
        tmp_path,
        "trials: 4\nsampler: {name: random, seed: 3}\ntraining: {steps: 9}\n",
        SPACE.replace("[8, 16, 24]", "[8]").replace("{from: 1, to: 3}", "[1, 3]"),
    )
    search = searches(study, tmp_path / "tiny", None, 2)

    assert ended(search) == 0
    history = history_of(study)
    assert {each.architecture.network.depth_multiplier for each in history.drawn} == {0.25}
    assert {each.reason for each in history.failed} == {
        "ended the process 3 times: a crash, or not enough memory"
    }


@pytest.mark.slow
def test_a_search_that_is_killed_with_its_workers_is_resumed_whole(
    tmp_path: Path, searches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "0.5")
    study = study_in(tmp_path, 9)
    for count in (2, 5):
        search = searches(study, tmp_path / "tiny", None, 2)
        until(lambda count=count: networks_in(study) >= count, "no network is made")  # type: ignore[misc]
        workers = workers_of(study)
        search.kill()
        search.join()
        until(lambda w=workers: not any(Path(f"/proc/{p}").exists() for p in w), "workers live on")  # type: ignore[misc]

    search = searches(study, tmp_path / "tiny", None, 2)

    assert ended(search) == 0
    assert assert_whole(study, 9).failed == ()


@pytest.mark.slow
def test_two_searches_of_one_postgresql_study_share_it_and_one_takes_over_from_the_other(
    tmp_path: Path, searches: Any, postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "0.6")
    monkeypatch.setenv(HOLD, str(hold := tmp_path / "hold"))
    url, study = postgresql.new_database(), study_in(tmp_path, 20)
    first = searches(study, tmp_path / "tiny", url, 2)
    until(lambda: networks_in(study) >= 1, "the first does not begin")
    with held(hold):
        second = searches(study, tmp_path / "tiny", url, 1)
        until(lambda: len(workers_of(study, url)) == 3, "the second does not join")
    until(lambda: networks_in(study) >= 4, "nothing is made")
    first.kill()

    assert ended(second) == 0
    assert assert_whole(study, 20, url).failed == ()


@pytest.mark.slow
def test_two_machines_without_a_common_folder_share_networks_through_the_store(
    tmp_path: Path, searches: Any, postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "0.8")
    monkeypatch.setenv(HOLD, str(hold := tmp_path / "hold"))
    url, study, store = postgresql.new_database(), study_in(tmp_path, 16), tmp_path / "store"
    first = searches(study, tmp_path / "one" / "tiny", url, 1, str(store))
    until(lambda: [*store.glob("tiny/*.zip")], "the first does not begin")
    with held(hold):
        second = searches(study, tmp_path / "two" / "tiny", url, 1)
        until(lambda: len(workers_of(study, url)) == 2, "the second does not join")

    assert [ended(first), ended(second)] == [0, 0]
    history = history_of(study, url)
    assert len(history.drawn) == 16
    for machine in ("one", "two"):
        networks = tmp_path / machine / "tiny" / "networks"
        assert all((networks / each.network_id / "record.json").is_file() for each in history.drawn)
    made = {each.name for each in store.glob("tiny/*")}
    assert {f"{each.network_id}.zip" for each in history.drawn} <= made
    assert not [name for name in made if not name.endswith(".zip")]


@pytest.mark.slow
def test_a_search_waits_for_a_server_that_is_away_for_a_while(
    tmp_path: Path, searches: Any, postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "0.6")
    url, study = postgresql.new_database(), study_in(tmp_path, 8)
    search = searches(study, tmp_path / "tiny", url, 2)
    until(lambda: networks_in(study) >= 2, "nothing is made")
    postgresql.stop()
    time.sleep(3)
    postgresql.start()

    assert ended(search) == 0
    assert assert_whole(study, 8, url).failed == ()


def test_work_whose_job_another_process_forgot_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    ledger = Ledger(read_study(study_in(tmp_path, 1)), storage_url(tmp_path / "tiny"))
    crew = Crew(Post(settings=ledger.settings, folder=tmp_path, url=""), 1)
    crew.start = lambda jobs: None  # type: ignore[method-assign]
    setup = SimpleNamespace(shared=None)
    executor = Workers(crew, QuietView(), lambda: None, setup, ledger)  # type: ignore[arg-type]
    jobs, work = ledger.jobs(), Work(network=tiny_network(), rung=0)
    executor.submit(work)
    jobs.forget("waiting")

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(executor.wait)
        until(lambda: [each.state for each in jobs.open()] == ["waiting"], "it is not begun again")
        claimed = jobs.claim("one")
        assert claimed is not None
        jobs.finish(claimed.job_id, claimed.work, to_json(Outcome(failure="as a test wants")))

    assert found.result() == (work, Outcome(failure="as a test wants"))
    ledger.close()


def test_a_worker_that_is_killed_before_its_work_began_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    ledger = Ledger(read_study(study_in(tmp_path, 1)), storage_url(tmp_path / "tiny"))
    monkeypatch.setattr("jejunet_nas.search.crew.serve", wait_to_begin)
    with Crew(Post(settings=ledger.settings, folder=tmp_path / "tiny", url=""), 2) as crew:
        crew.warm_up()
        killed, alive = crew._processes
        time.sleep(1)
        killed.kill()
        killed.join()

        crew.start(ledger.jobs())
        alive.join(PATIENCE_S)

        assert alive.exitcode == 7
    ledger.close()


def wait_to_begin(post: Post, begin: Any) -> None:
    """Stand for `serve`, up to where it begins."""
    while not begin.value:
        time.sleep(0.05)
    raise SystemExit(7)


def test_processors_are_split_and_shared_where_there_are_too_few() -> None:
    assert shares_of([0, 1, 2, 3, 4], 2) == [(0, 2, 4), (1, 3)]
    assert shares_of([4, 7], 3) == [(4,), (7,), (4,)]
    assert shares_of([], 2) == [(), ()]
