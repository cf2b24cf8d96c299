"""Who leads a study that several machines search, and what a store must be before it is noted."""

import time
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from jejunet_nas.errors import DeviceError, SettingError, StorageError
from jejunet_nas.search import sharing
from jejunet_nas.search.crew import Crew, Workers
from jejunet_nas.search.ray_executor import RayWorkers
from jejunet_nas.search.sharing import share
from jejunet_nas.search.store import STORE, fetch_networks, store_of
from jejunet_nas.search.worker import Post
from jejunet_nas.study.lead import SharedLead
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import is_locked, study_lock
from jejunet_nas.study.storage import storage_url
from tests.search.build import QuietView, tiny_study


class CrewThatWorks:
    """Stands for a crew whose workers do the work of a search that another process leads."""

    started = True

    def tend(self) -> None:
        return

    def __len__(self) -> int:
        return 1


def post_in(folder: Path, url: str) -> Post:
    (folder / "tiny").mkdir()
    return Post(settings=tiny_study(folder), folder=folder / "tiny", url=url)


def test_a_machine_without_the_phone_leaves_the_lead_to_others_and_tries_again(
    tmp_path: Path, postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "CANNOT_LEAD_S", 0.1)
    post, crew, tries = post_in(tmp_path, postgresql.new_database()), CrewThatWorks(), list[bool]()
    view = QuietView()

    def search(lead: SharedLead) -> Any:
        tries.append(True)
        if len(tries) < 3:
            raise DeviceError("no phone is attached")
        other = SharedLead(post.url, "tiny")
        assert not other.acquire()
        return "history"

    assert share(post, crew, view, search) == "history"  # type: ignore[arg-type,comparison-overlap]
    assert len(tries) == 3
    assert [line for line in view.lines if "cannot lead" in line] == [
        "this machine cannot lead the search: no phone is attached. Its workers go on"
    ] * 2

    crew.started = False
    tries.clear()
    with pytest.raises(
        DeviceError, match="no phone is attached"
    ):  # the first of all machines must have it
        share(post, crew, view, search)  # type: ignore[arg-type]


def test_a_process_waits_until_another_has_left_their_folder(
    tmp_path: Path, postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LOOK_S", 0.05)
    post, view, locked = post_in(tmp_path, postgresql.new_database()), QuietView(), Event()

    def stay() -> None:
        with study_lock(post.folder, "tiny"):
            locked.set()
            while not any("join it" in line for line in view.lines):
                time.sleep(0.05)

    thread = Thread(target=stay)
    thread.start()
    assert locked.wait(60)

    found = share(post, CrewThatWorks(), view, lambda lead: is_locked(post.folder))  # type: ignore[arg-type,return-value]

    thread.join(60)
    assert found
    assert not thread.is_alive()


def test_a_server_that_is_away_at_the_beginning_is_named_at_once(tmp_path: Path) -> None:
    post = post_in(tmp_path, "postgresql://me:hidden@127.0.0.1:1/nas")
    began_s = time.monotonic()

    with pytest.raises(StorageError, match=r"me:\*\*\*@127.* cannot be used") as caught:
        share(post, CrewThatWorks(), QuietView(), lambda lead: None)  # type: ignore[arg-type,return-value]

    assert "hidden" not in str(caught.value)
    assert time.monotonic() - began_s < 60


def test_a_store_that_cannot_be_opened_is_not_noted(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path)
    (tmp_path / "tiny").mkdir()
    ledger = Ledger(settings, storage_url(tmp_path / "tiny"))

    with pytest.raises(SettingError, match="--store is s4://bucket"):
        store_of(ledger, "s4://bucket")
    assert ledger.noted(STORE) is None

    ledger.note(STORE, "s4://bucket")  # by a version that did
    fetch_networks(ledger, ledger.history(), tmp_path, f"{tmp_path}/store")
    assert store_of(ledger) == f"{tmp_path}/store"
    ledger.close()


def test_a_database_that_is_away_at_the_end_does_not_hide_what_ended_the_search(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tiny_study(tmp_path), storage_url(tmp_path))
    crew = Crew(Post(settings=ledger.settings, folder=tmp_path, url=""), 1)
    crew.start = lambda jobs: None  # type: ignore[method-assign]
    setup = SimpleNamespace(shared=None)
    workers = Workers(crew, QuietView(), lambda: None, setup, ledger)  # type: ignore[arg-type]

    def away(*_: str) -> None:
        raise StorageError("away")

    workers._jobs.forget = away  # type: ignore[method-assign]
    workers.close()
    ledger.close()


@pytest.mark.parametrize(
    ("workers", "nodes", "cpus"), [(None, (8, 8), 1), (1, (8, 8), 8), (4, (8, 8), 4), (9, (2,), 1)]
)
def test_a_task_of_ray_asks_for_no_more_than_a_node_has(
    workers: int | None, nodes: tuple[int, ...], cpus: int, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def remote(**options: Any) -> Any:
        asked.update(options)
        return lambda function: function

    ray: Any = SimpleNamespace(
        cluster_resources=lambda: {"CPU": float(sum(nodes))},
        nodes=lambda: (
            [{"Alive": True, "Resources": {"CPU": float(n)}} for n in nodes]
            + [{"Alive": False, "Resources": {"CPU": 64.0}}]
        ),
        remote=remote,
        put=lambda post: post,
    )
    ledger = Ledger(tiny_study(tmp_path), storage_url(tmp_path))
    post = Post(settings=ledger.settings, folder=tmp_path, url="")

    RayWorkers(ray, lambda: None, post, QuietView(), workers, SimpleNamespace(), ledger)  # type: ignore[arg-type]

    assert asked["num_cpus"] == cpus
    ledger.close()
