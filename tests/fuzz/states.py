"""The state of a study, as its own programs write it: rows, records, caches, notes."""

import contextlib
import functools
import io
import json
import os
import random
import sqlite3
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from jejunet_nas.records import TrialResult, from_json, to_json
from tests.fuzz.attempt import Parser
from tests.fuzz.binaries import npz
from tests.fuzz.documents import PROJECT
from tests.fuzz.makers import of_bytes, of_text, of_values, put
from tests.fuzz.mutation import mutated, mutated_json
from tests.reporting.build import history, trial

_NOTES = (
    b"name: x\nmade_from:\n  train_fingerprint: ab12\n  val_fingerprint: cd\n",
    b"given: {data.root: /data, training.init: imagenet, training.seed: 3, sampler.seed: 4}\n"
    b"weights: /w.npz\nstorage: sqlite:////tmp/x.db\nfile: /x/study.yaml\n",
)
_FPS = 25.0


def _results(data: bytes, folder: Path) -> None:
    """Read a cache of masks; those that are believed can be used."""
    from jejunet_nas.video.results import ClipResults, read_results

    clip = mock.MagicMock()
    clip.__len__.return_value = 4
    results = ClipResults(clip, mock.Mock(mask_size=(4, 4)))
    read_results(put(folder, "r.npz", data), [results], graphs="g")
    for shown in results.compressed:
        assert 0 <= shown.keyframe <= shown.frame < 4
        results.mask(shown)


def _results_seed() -> tuple[bytes, ...]:
    import zlib

    blobs = [zlib.compress(bytes([n]) * 16, 1) for n in range(2)]
    arrays = {
        "masks": np.array([[0, 0, 0], [0, 1, 0]], np.int32),
        "lengths": np.array([len(blob) for blob in blobs], np.int64),
        "blob": np.frombuffer(b"".join(blobs), np.uint8),
        "scored": np.array([[0, 1, 0]], np.int32),
        "scores": np.array([0.5], np.float64),
        "graphs": np.array("g"),
    }
    wrong = {name: array + 7 for name, array in arrays.items() if array.dtype.kind != "U"}
    return (npz(**arrays), *(npz(**{**arrays, name: wrong[name]}) for name in wrong))


class _Variable:
    """Stands for a variable of Keras."""

    def __init__(self) -> None:
        self.value = np.zeros((2, 3), np.float32)

    @property
    def shape(self) -> Any:
        return _Shape((2, 3))

    def numpy(self) -> Any:
        return self.value

    def assign(self, value: Any) -> None:
        assert value.shape == (2, 3)
        assert value.dtype.kind == "f"
        self.value = value


class _Shape(tuple[int, ...]):
    __slots__ = ()

    def as_list(self) -> list[int]:
        return list(self)


def _checkpoint_of(file: Path) -> Any:
    from jejunet_nas.training.checkpoint import Checkpoint
    from jejunet_nas.training.settings import TrainingSettings

    return Checkpoint(file, [_Variable()], TrainingSettings(), ())


def _checkpoint(data: bytes, folder: Path) -> None:
    losses = _checkpoint_of(put(folder, "c.npz", data)).resume()
    assert all(isinstance(loss, float) for loss in losses)


def _checkpoint_seed() -> tuple[bytes, ...]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _checkpoint_of(Path(folder) / "c.npz")
        checkpoint.keep([0.5, 0.25], last=True)
        whole = (Path(folder) / "c.npz").read_bytes()
    with np.load(io.BytesIO(whole)) as stored:
        arrays = dict(stored)
    wrong = ({"0": np.zeros(3)}, {"0": np.array([["x"] * 3] * 2)}, {"losses": np.array("x")})
    return (whole, *(npz(**(arrays | each)) for each in wrong))


def _prepare_rows(folder: Path) -> None:
    from jejunet_nas.study.ledger import Ledger
    from jejunet_nas.study.storage import storage_url
    from jejunet_nas.study.study_file import read_study

    settings = read_study(PROJECT / "studies" / "quickstart.yaml")
    (folder / "state").mkdir()
    ledger = Ledger(settings, storage_url(folder / "state"))
    ledger.keep_identity(settings.identity())
    ledger.note_class_names(("background", "object"))
    for number in range(2):
        ledger.complete(ledger.ask(), trial(number, 0.5, 20.0, interval=2))


def _rows(data: bytes, folder: Path) -> None:
    """Read the study with one of its rows replaced by `data`: TABLE:NUMBER:TEXT."""
    from jejunet_nas.study.known import known_architectures
    from jejunet_nas.study.ledger import Ledger
    from jejunet_nas.study.storage import storage_url
    from jejunet_nas.study.study_file import read_study
    from jejunet_nas.study.tables import summary

    table, number, text = data.split(b":", 2)
    database = folder / "state" / "study.db"
    kept = database.read_bytes()
    try:
        with contextlib.closing(sqlite3.connect(database)) as opened, opened:
            column = f"{table.decode()}_user_attribute_id"
            opened.execute(
                f"update {table.decode()}_user_attributes set value_json = ? where {column} = ?",
                (text.decode("utf-8", "replace"), int(number)),
            )
        settings = read_study(PROJECT / "studies" / "quickstart.yaml")
        ledger = Ledger.find(settings, storage_url(folder / "state"))
        assert ledger is not None
        summary(ledger.history())
        known_architectures(ledger)
    finally:
        database.write_bytes(kept)


def _rows_input(rng: random.Random) -> bytes:
    record = json.loads(to_json(trial(1, 0.5, 20.0, interval=2)))
    plain: Any = rng.choice((json.dumps(record), "complete", {"format": 4}, ["a", "b"]))
    if isinstance(plain, str) and rng.random() < 0.5:
        plain = json.dumps(mutated_json(rng, record))
    changed = mutated_json(rng, [plain])
    text = json.dumps(changed[0] if changed else None).encode()
    if rng.random() < 0.2:
        text = mutated(rng, [text], text=True)
    table = rng.choice((b"trial", b"trial", b"study"))
    return b"%s:%d:%s" % (table, rng.randrange(1, 8), text)


def _measurement(data: bytes, folder: Path) -> None:
    """Read a kept measurement of a network; what is not believed is named."""
    from jejunet_nas.study.kept_measurements import (
        ignored_measurements,
        measurements_of,
        read_measurements,
        with_measured,
    )
    from jejunet_nas.study.tables import summary

    made = _trial_of_zeros()
    place = f"{made.network_id}/measured/0123456789ab-1.json"
    put(folder, place, data)
    known = history(made)
    believed = read_measurements(folder / made.network_id, threads=1)
    lines = ignored_measurements(known, folder)
    assert len(believed) + len(lines) == 1
    assert all("\n" not in line and len(line) < 1000 for line in lines)
    measurements_of(made.network, folder, threads=1)
    summary(with_measured(known, folder))


def _trial_of_zeros() -> TrialResult:
    """Return a trial whose graphs have the hash that made-up measurements have."""
    import dataclasses

    made = trial(1, 0.5, 20.0, interval=2)
    graphs = {
        name: dataclasses.replace(graph, sha256="0" * 64)
        for name, graph in made.network.graphs.items()
    }
    return dataclasses.replace(made, network=dataclasses.replace(made.network, graphs=graphs))


def _screen(data: bytes, folder: Path) -> None:
    """Read a kept score of a screen, and report the trial that it is believed for."""
    from jejunet_nas.study.screens import FOLDER, Screens
    from jejunet_nas.study.tables import summary

    made = _trial_of_zeros()
    latencies = made.network.latencies
    screens = Screens(folder, _FPS)
    put(folder, f"{made.network_id}/{FOLDER}/{screens._key(made, latencies)}.json", data)
    found = screens.at(made, latencies, ("hot",))
    if found is not None:
        import dataclasses

        scored = dataclasses.replace(made, on_measurement=found, measured_graphs=latencies)
        summary(history(scored))


def _record(data: bytes, _: Path) -> None:
    from jejunet_nas.study.history import read_records
    from jejunet_nas.study.tables import summary

    found = read_records(TrialResult, [data.decode("utf-8", "replace")])
    summary(history(*found))


def _of_a_job(kind: type, data: bytes, _: Path) -> None:
    """Read the work of a job, or what came of it, as processes leave it in the database."""
    from jejunet_nas.study.storage import readable

    with readable("sqlite:///x.db"):
        from_json(kind, data)


def _prepare_named(folder: Path) -> None:
    text = (PROJECT / "studies" / "quickstart.yaml").read_text()
    space = PROJECT / "search_spaces" / "quickstart.yaml"
    put(folder, "studies/x.yaml", text.replace("name: quickstart", "name: x").encode())
    assert space.is_file() or "search_space:" in text
    os.chdir(folder)


def _named(data: bytes, folder: Path) -> None:
    """Name a study whose search left the notes `data`, as every command does."""
    from jejunet_nas.export.facts import known_fingerprints
    from jejunet_nas.files import study_names
    from jejunet_nas.study.named import find_named

    put(folder, "studies/x/study.yaml", data)
    known_fingerprints(folder / "studies" / "x")
    study_names()
    named = find_named("x")
    assert named.settings.identity()
    assert "x" in named.word


def _named_file(data: bytes, folder: Path) -> None:
    """Name a study whose file is `data`, whatever its name leads to."""
    from jejunet_nas.study.named import find_named

    file = put(folder, "elsewhere/y.yaml", data)
    assert find_named(str(file)).word


def _study_names(rng: random.Random) -> bytes:
    text = (PROJECT / "studies" / "quickstart.yaml").read_text()
    return (
        mutated(rng, [b"name: x\n", b"name: ../x\n"], text=True)
        + text.replace("name: quickstart", "").encode()
    )


def parsers() -> list[Parser]:
    """Return the parsers of a study's state."""
    from jejunet_nas.search.work import Outcome, Work
    from tests.search.measured import network_measurement

    made = _trial_of_zeros()
    work = Work(network=made.architecture.network, rung=1, seed=3, again=made)
    done = Outcome(results=(made,), network_id="a", streamed=made.on_prediction, failure="b")
    record, screen = (json.loads(to_json(each)) for each in (made, made.on_prediction))
    measured = json.loads(to_json(network_measurement(key_ms=20.0)))
    return [
        Parser(name="database", make=_rows_input, feed=_rows, prepare=_prepare_rows, share=0.1),
        Parser(name="record", make=of_values(record), feed=_record, allowed=(ValueError,)),
        Parser(name="results cache", make=of_bytes(_results_seed), feed=_results),
        Parser(name="checkpoint", make=of_bytes(_checkpoint_seed), feed=_checkpoint),
        Parser(name="kept measurement", make=of_values(measured), feed=_measurement),
        Parser(name="kept screen", make=of_values(screen), feed=_screen),
        *(
            Parser(
                name=f"{type(each).__name__.lower()} of a job",
                make=of_values(json.loads(to_json(each))),
                feed=functools.partial(_of_a_job, type(each)),
            )
            for each in (work, done)
        ),
        Parser(
            name="study.yaml", make=of_text(*_NOTES), feed=_named, prepare=_prepare_named, share=0.3
        ),
        Parser(name="study by name", make=_study_names, feed=_named_file, share=0.3),
    ]
