"""A healthy study as `doctor` expects it: records, and made-up files that are as they say."""

import contextlib
import dataclasses
import hashlib
import shutil
import sqlite3
import zipfile
from pathlib import Path

from jejunet_nas.files import RECORD, WEIGHTS
from jejunet_nas.records import GRAPH_NAMES, NetworkRecord, to_json
from jejunet_nas.space.architecture import Architecture, Network, Policy, network_id
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.named import write_notes
from jejunet_nas.study.storage import storage_url
from tests.builders import PROCEDURAL, tiny_network
from tests.made_up import graph_record
from tests.search.build import result, tiny_study

MORE = f"trials: 2\ntarget_fps: 25\ndata: {{options: {PROCEDURAL}}}\n"
MADE_FROM = {"train_fingerprint": "0"}
CONTENT = "graph"  # what the files of all graphs begin with


def made_network(network: Network, content: str = CONTENT) -> NetworkRecord:
    """Return the record of a network whose graphs have `content`."""
    one = result(0, Architecture(network=network, policy=Policy(keyframe_interval=1)))
    graphs = {
        name: graph_record(
            f"{name}.tflite", sha256=hashlib.sha256(f"{content} {name}".encode()).hexdigest()
        )
        for name in GRAPH_NAMES
    }
    record = dataclasses.replace(one.network, graphs=graphs)
    return dataclasses.replace(record, class_names=("background", "object"))


def write_network(networks: Path, record: NetworkRecord, content: str = CONTENT) -> Path:
    """Write the folder of a network; return it."""
    folder = networks / record.network_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in GRAPH_NAMES:
        (folder / f"{name}.tflite").write_text(f"{content} {name}")
    with zipfile.ZipFile(folder / WEIGHTS, "w") as archive:
        archive.writestr("kernel.npy", bytes(1000))
    (folder / RECORD).write_text(to_json(record))
    return folder


def kept_study(folder: Path) -> Path:
    """Return the state of the complete study `tiny`: two networks, one with an added policy."""
    state = folder / "studies" / "tiny"
    state.mkdir(parents=True)
    settings = tiny_study(folder / "studies", MORE)
    ledger = Ledger(settings, storage_url(state))
    ledger.note_class_names(("background", "object"))
    identity = {**settings.identity(), "made_from": MADE_FROM}
    ledger.keep_identity(identity)
    write_notes(state, identity, {"given": {}})
    for number, (wide, interval, added) in enumerate(
        ((64, 1, False), (64, 2, True), (96, 1, False))
    ):
        network = tiny_network(input_width=wide)
        made = result(
            number, Architecture(network=network, policy=Policy(keyframe_interval=interval))
        )
        made = dataclasses.replace(made, network=made_network(network), added=added)
        trial = ledger.ask()
        if added:
            trial.set_user_attr("added", True)
        ledger.complete(trial, made)
        write_network(state / NETWORKS, made.network)
    return state


def folder_of(state: Path, number: int) -> Path:
    """Return the folder of the network of trial 0 or 2."""
    network = tiny_network(input_width={0: 64, 2: 96}[number])
    return state / NETWORKS / network_id(network, {})


def execute(state: Path, *statements: str) -> None:
    """Change the database behind Optuna's back."""
    with contextlib.closing(sqlite3.connect(state / "study.db")) as database, database:
        for statement in statements:
            database.execute(statement)
