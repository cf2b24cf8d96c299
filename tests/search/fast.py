"""Searches with workers, without training: real processes, whose networks are made in no time.

`fast_search` runs in a process of its own, and so do its workers: what stands for training is put
in place in each of them. A network is a folder as `doctor` expects it, and scores what its id says.
"""

import dataclasses
import multiprocessing
import os
import random
import time
import zlib
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from jejunet_nas.files import RECORD
from jejunet_nas.records import DataSplit, NetworkRecord, TrialResult, as_added, from_json
from jejunet_nas.search import crew, loop, ray_executor, work, worker
from jejunet_nas.search.loop import search
from jejunet_nas.search.view import View
from jejunet_nas.search.worker import Post, serve
from jejunet_nas.space.architecture import (
    Architecture,
    Network,
    Policy,
    canonical_json,
    network_id,
)
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.study_file import read_study
from jejunet_nas.trial.store import new_folder
from tests.search.build import FakeSetup, result
from tests.study.kept import made_network, write_network

INTERVALS = (1, 3)  # a drawn policy and an added one
SECONDS = "JEJUNET_TEST_SECONDS"  # the longest of a network
DO = ray_executor.do  # before `fast_do` stands in its place
HOLD = "JEJUNET_TEST_HOLD"  # while this file is there, no network is finished
KILLS = "JEJUNET_TEST_KILLS"  # a depth multiplier whose networks end their process


def fast_prepare(settings: Any, folder: Path, *given: Any) -> FakeSetup:
    """Stand for `prepare`."""
    if given[1:]:
        given[1]()
    split = DataSplit(
        dataset="davis",
        split="val",
        class_names=("background", "object"),
        clips=(),
        fingerprint="0",
    )
    return FakeSetup(train=split, val=split, folder=folder / NETWORKS)


def fast_trial(number: int, network: Network, setup: Any, tell: Any) -> list[TrialResult]:
    """Stand for `run_trial`: find or make the folder of a network, and score its policies."""
    if os.environ.get(KILLS) == str(network.depth_multiplier):
        os.kill(os.getpid(), 9)
    record = made_network(network)
    name = network_id(network, {"rung": setup.rung, "seed": setup.seed})
    record = dataclasses.replace(record, network_id=name)
    found = _found(setup.folder / name)
    if found is None and setup.shared and setup.shared.fetch(name, setup.folder):
        found = _found(setup.folder / name)
    if found is None:
        tell("train", 1, 2)
        time.sleep(random.uniform(0, float(os.environ.get(SECONDS, "0.05"))))
        while Path(os.environ.get(HOLD, "")).is_file():
            time.sleep(0.05)
        with new_folder(setup.folder / name) as folder:
            write_network(folder.parent, dataclasses.replace(record, network_id=folder.name))
            (folder / RECORD).write_text((folder / RECORD).read_text().replace(folder.name, name))
        if setup.shared:
            setup.shared.keep(setup.folder / name)
    best, *others = [
        _scored(number, network, found or record, interval, reused=found is not None)
        for interval in INTERVALS
    ]
    return [best, *map(as_added, others)]


def _scored(
    number: int, network: Network, record: NetworkRecord, interval: int, *, reused: bool
) -> TrialResult:
    architecture = Architecture(network=network, policy=Policy(keyframe_interval=interval))
    ms = 5.0 + zlib.crc32(canonical_json(network).encode()) % 20 + 10 / interval
    made = result(number, architecture, mean_ms=ms, reused=reused)
    return dataclasses.replace(made, network=record)


def _found(folder: Path) -> NetworkRecord | None:
    file = folder / RECORD
    return from_json(NetworkRecord, file.read_bytes()) if file.is_file() else None


def install_fast() -> None:
    """Put the fast trials in place, in this process."""
    loop.prepare = worker.prepare = fast_prepare  # type: ignore[assignment]
    loop.made_from = worker.made_from = lambda *_: {"train_fingerprint": "0"}
    work.run_trial = fast_trial
    crew.serve = fast_serve


def fast_serve(post: Post, begin: Any) -> NoReturn:
    """Stand for `serve`."""
    install_fast()
    serve(post, begin)


def fast_do(post: Post, text: str, cpus: int) -> str:
    """Stand for what a Ray task does."""
    install_fast()
    return DO(post, text, cpus)


def fast_search(
    study: Path,
    folder: Path,
    url: str | None,
    workers: int | None,
    store: str | None = None,
    address: str | None = None,
) -> int:
    """Search, in Ray if there is an `address`; return how many networks are complete."""
    install_fast()
    ray_executor.do = fast_do
    # It imports TensorFlow once; nothing is computed with it.
    crew.START = multiprocessing.get_context("forkserver")
    multiprocessing.set_forkserver_preload([__name__])
    settings = read_study(study)
    view = View(Console(stderr=True))
    history = search(
        settings,
        folder,
        view,
        storage=url,
        workers=workers,
        store=store,
        executor="ray" if address else "processes",
        address=address,
    )
    return len(history.drawn)


def start_search(*arguments: Any) -> Any:
    """Start `fast_search` in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=fast_search, args=arguments)
    process.start()
    return process
