"""A study as a search leaves it: of its four trials two are complete, one refused, one failed."""

import contextlib
import dataclasses
import json
import shutil
import sqlite3
from pathlib import Path

from jejunet_nas.files import sha256_of
from jejunet_nas.records import GRAPH_NAMES, RefusedTrial
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.kept_measurements import NETWORKS, save_measurement
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from tests.builders import PROCEDURAL, tiny_network
from tests.export.bundles import described_graphs
from tests.made_up import as_in, graph_record, scored
from tests.search.build import result, tiny_study
from tests.search.measured import network_measurement, of_graphs

INTERVALS = (3, 2)  # of the trials 0 and 1
TOO_SLOW, BROKEN = 2, 3  # their numbers
MIOUS, PREDICTED_MS = (0.9, 0.4), (30.0, 20.0)
TARGET_FPS = 25  # 40 ms a frame


def more(target_fps: int = TARGET_FPS) -> str:
    """Return what the study's file has beside the tiny study's."""
    return f"target_fps: {target_fps}\ndata: {{options: {PROCEDURAL}}}\n"


def searched_study(
    folder: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    reason: str = "out of memory",
    target_fps: int = TARGET_FPS,
) -> Path:
    """Return the YAML file of the study `tiny` in `folder`; it has no graphs yet."""
    state = folder / "studies" / "tiny"
    state.mkdir(parents=True)
    settings = tiny_study(folder, more(target_fps))
    names = class_names or ("background", "object")
    ledger = Ledger(settings, storage_url(state))
    ledger.keep_identity(settings.identity())
    ledger.note_class_names(names)
    for number, interval in enumerate(INTERVALS):
        architecture = _architecture(interval)
        made = result(number, architecture, mean_ms=PREDICTED_MS[number])
        network = dataclasses.replace(made.network, class_names=names)
        score = Score(
            miou=MIOUS[number], class_iou=(MIOUS[number],) * len(names), clips=_clips(names)
        )
        made = scored(dataclasses.replace(made, network=network), score)
        ledger.complete(ledger.ask(), made)
    slow = RefusedTrial(
        number=TOO_SLOW,
        architecture=_architecture(1),
        mean_ms=99.0,
        worst_ms=99.0,
        dropped_frames=0.5,
        source="predicted",
        reason="too slow",
    )
    ledger.refuse(ledger.ask(), slow)
    ledger.drop(ledger.ask(), "failed", reason)
    return folder / "tiny.yaml"


def give_graphs(study: Path) -> None:
    """Put the tiny network's graphs where the study keeps them."""
    folder = network_folder(study)
    folder.mkdir(parents=True)
    for name in GRAPH_NAMES:
        shutil.copy(described_graphs()[name], folder / f"{name}.tflite")
    _note_hashes(study.parent / "studies" / "tiny" / "study.db", folder)


def _note_hashes(storage: Path, folder: Path) -> None:
    """Write the hashes of the graphs in `folder` into the records of both trials."""
    with contextlib.closing(sqlite3.connect(storage)) as database, database:
        for name in GRAPH_NAMES:
            before = graph_record(f"{name}.tflite")
            now = sha256_of(folder / before.file)
            pair = [
                json.dumps(f'"{before.file}","sha256":"{each}"')[1:-1]
                for each in (before.sha256, now)
            ]
            database.execute(
                "UPDATE trial_user_attributes SET value_json = replace(value_json, ?, ?)", pair
            )


def measure_network(study: Path, *, key_ms: float) -> None:
    """Have the network of both trials measured."""
    folder = network_folder(study)
    folder.mkdir(parents=True, exist_ok=True)
    record = as_in(folder, result(0, _architecture(INTERVALS[0])).network)
    save_measurement(of_graphs(network_measurement(key_ms), record), folder)


def network_folder(study: Path) -> Path:
    """Return the folder of the one network that both trials have."""
    name = result(0, _architecture(INTERVALS[0])).network_id
    return study.parent / "studies" / "tiny" / NETWORKS / name


def _architecture(interval: int) -> Architecture:
    return Architecture(network=tiny_network(), policy=Policy(keyframe_interval=interval))


def _clips(classes: tuple[str, ...]) -> tuple[ClipScore, ...]:
    """Return the scores of two clips that differ; they say nothing of the trial's mIoU."""
    every = len(classes)
    return tuple(
        ClipScore(
            name=name,
            frames=2,
            annotated=(80,) * every,
            intersection=(right,) * every,
            union=(100,) * every,
        )
        for name, right in (("bear", 60), ("camel", 75))
    )
