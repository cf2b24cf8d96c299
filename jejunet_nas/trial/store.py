"""Store: the folder of a trained network, named by its id, in which a later trial finds it.

    <network_id>/    network.json  recipe.json  weights.npz  *.tflite  record.json

A folder is filled under another name and renamed when it is complete. An interrupted trial leaves
no record, and its network is made again.
"""

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from jejunet_nas.compression.chain import chain_in_words, chain_of
from jejunet_nas.errors import SettingError
from jejunet_nas.faults import naming
from jejunet_nas.files import LEFT_OVER_S, is_alive
from jejunet_nas.files import RECORD as RECORD
from jejunet_nas.files import WEIGHTS as WEIGHTS
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.records import NetworkRecord, Record, from_json, to_json
from jejunet_nas.space.architecture import Network, canonical_json, network_id
from jejunet_nas.trial.setup import NetworkJob, TrialSetup
from jejunet_nas.video.graphs import damage_of

RECIPE = "recipe.json"


def network_name(network: Network, setup: TrialSetup) -> str:
    """Return the id of `network` as trained and compressed in this study."""
    recipe = recipe_of(setup)
    if network != network.as_trained:
        recipe = {**recipe, "chain": chain_in_words(chain_of(network, setup.compression))}
    return network_id(network, recipe)


def recipe_of(setup: TrialSetup) -> Mapping[str, Any]:
    """Return the recipe of a network, which says where its training ends before the last rung."""
    return setup.recipe if setup.rung is None else {**setup.recipe, "rung": setup.rung}


def find_network(network: Network, setup: TrialSetup) -> NetworkRecord | None:
    """Return the record of `network`; None before it was made, and if a graph was damaged since.

    One that another machine made is fetched.
    """
    folder = setup.folder / network_name(network, setup)
    found = find_judged(folder)
    if found is None and setup.shared and setup.shared.fetch(folder.name, setup.folder):
        found = find_judged(folder)
    return found


def find_judged(folder: Path) -> NetworkRecord | None:
    """Return the record in `folder`; None without one, or if its graphs are not those judged."""
    record = read_record(NetworkRecord, folder / RECORD)
    return record if record and damage_of(record.graphs, folder) is None else None


def read_record(kind: type[Record], file: Path) -> Record | None:
    """Return the record in `file`, or None where it is missing or not readable."""
    try:
        return from_json(kind, file.read_bytes())
    except (OSError, ValueError):
        return None


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Let one process of this machine at a time make `folder`; yield whether another just did."""
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()
    locks = platformdirs.user_cache_path("jejunet_nas") / "making"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{digest[:3]}.lock")  # files that are never removed are few
    waited = False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waited = True
        lock.acquire()
    try:
        yield waited
    finally:
        lock.release()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`, and rename it to `folder` unless the block fails.

    What processes that died left there is removed first. If the block fails, the new folder is
    removed: on a full disk its space is needed at once.
    """
    maker = f"{socket.gethostname()}-{os.getpid()}"  # workers may make the same network
    part = folder.with_name(f"{folder.name}.{maker}.part")
    remove_parts(folder.parent)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with naming(folder):
            yield part
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_parts(networks: Path) -> None:
    """Remove what processes were making in `networks` when they died.

    On a network drive the process may be another computer's: then only the age tells.
    """
    for part in networks.glob("*.part"):
        host, _, process = part.stem.partition(".")[2].rpartition("-")
        if host == socket.gethostname() and process.isdecimal():
            dead = not is_alive(int(process))
        elif host:
            dead = part.exists() and time.time() - part.stat().st_mtime >= LEFT_OVER_S
        else:
            dead = True
        if dead:
            shutil.rmtree(part, ignore_errors=True)


def write_record(record: NetworkRecord, job: NetworkJob) -> None:
    """Write the record, the network and its recipe into the folder of `job`."""
    recipe = json.dumps(recipe_of(job.setup), indent=2, sort_keys=True)
    (job.folder / "network.json").write_text(canonical_json(job.network))
    (job.folder / RECIPE).write_text(recipe)
    (job.folder / RECORD).write_text(to_json(record, indent=2))


def trained_network(record: NetworkRecord, setup: TrialSetup) -> KerasNetwork:
    """Return the network of `record` as trained, before pruning and quantisation-aware training.

    Raises `SettingError` where its weights are missing.
    """
    file = setup.folder / (record.compressed_from or record.network_id) / WEIGHTS
    if not file.is_file():
        raise SettingError(
            f"{file}, the weights that the search left, is missing. Copy the study's folder "
            "again, or make the network again: `jejunet-nas search` with --repair."
        )
    keras = build_network(record.network.as_trained, len(record.class_names), seed=0)
    keras.load_weights(file)
    return keras
