"""Saved measurements of a study's networks: files beside their graphs.

    networks/<id>/measured/<phone>-<threads>.json

There is one file for each phone and number of threads, with the newest measurement; the prediction
in `record.json` stays. A study is read with its measurements in place of the predictions, so a
front that was measured after the search is ranked by the measurements. A measurement counts for a
trial once its masks are scored with the measured latencies (`study.screens`).
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from jejunet_nas.documents.json_file import parse_json
from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of, write_text_whole
from jejunet_nas.records import (
    GRAPH_NAMES,
    NetworkRecord,
    StudyHistory,
    TrialResult,
    from_json,
    graphs_run_by,
    to_json,
)
from jejunet_nas.records.measurements import NetworkMeasurement, PhoneInfo
from jejunet_nas.study.screens import Screens

NETWORKS = "networks"  # the folder of a study's networks
FOLDER = "measured"
MOST_MS = 600_000.0  # of one run: a round ends long before


def save_measurement(measurement: NetworkMeasurement, network_folder: Path) -> Path:
    """Write `measurement` beside its graphs; return its file.

    An earlier measurement on the phone keeps the graphs that this one leaves out.
    """
    folder = network_folder / FOLDER
    folder.mkdir(exist_ok=True)
    file = folder / f"{measurement.phone.serial_hash}-{measurement.threads}.json"
    for earlier in read_measurements(network_folder, threads=measurement.threads):
        if earlier.phone.serial_hash == measurement.phone.serial_hash:
            measurement = NetworkMeasurement(graphs={**earlier.graphs, **measurement.graphs})
    return write_text_whole(file, to_json(measurement, indent=2))


def read_measurements(network_folder: Path, *, threads: int) -> list[NetworkMeasurement]:
    """Return the measurements of one network with `threads`, one a phone, oldest first.

    A file that cannot be believed is ignored: `ignored_measurements` names it.
    """
    folder = network_folder / FOLDER
    if not folder.is_dir():  # as for most networks; looking for files takes ten times as long
        return []
    found = []
    for file in folder.glob(f"[!.]*-{threads}.json"):  # not those that are being written
        with contextlib.suppress(SettingError):
            found.append(_read(file))
    return sorted(found, key=lambda each: each.taken_at)


def ignored_measurements(history: StudyHistory, networks: Path) -> list[str]:
    """Return a line for each file of a measurement that is not believed, and why."""
    names = sorted({trial.network_id for trial in history.complete})
    return [
        f"{why} Remove it, or measure again: its figures are ignored."
        for name in names
        for why in unbelievable(networks / name, f"{history.threads}").values()
    ]


def unbelievable(network_folder: Path, threads: str = "*") -> dict[Path, str]:
    """Return the files of measurements of a network that are not believed, and why.

    Such a file is damaged, has figures that no phone has, or is of other graphs than those there.
    """
    found = {}
    for file in sorted((network_folder / FOLDER).glob(f"[!.]*-{threads}.json")):
        try:
            _read(file)
        except SettingError as error:
            found[file] = str(error)
    return found


def _read(file: Path) -> NetworkMeasurement:
    """Return the measurement in `file`. Raises `SettingError` if it cannot be of the graphs there.

    A graph that is not there, as in a copied study, passes.
    """
    try:
        content = file.read_bytes()
        parse_json(content)  # refuses what pydantic's own reader takes: keys that occur twice
        measurement = from_json(NetworkMeasurement, content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingError(f"{file} is no measurement ({where}: {first['msg']}).") from None
    except (OSError, ValueError, SettingError) as error:
        raise SettingError(f"{file} is no measurement ({str(error).rstrip('.')}).") from None
    if not {"key"} <= measurement.graphs.keys() <= set(GRAPH_NAMES):
        raise SettingError(f"{file} is no measurement of {', '.join(GRAPH_NAMES)}.")
    for name, one in measurement.graphs.items():
        graph = file.parent.parent / f"{name}.tflite"
        if not 0 < one.latency.median_ms <= MOST_MS:
            raise SettingError(f"{file} has {one.latency.median_ms:g} ms for {name}.")
        if graph.is_file() and sha256_of(graph) != one.graph_sha256:
            raise SettingError(f"{file} was measured on another graph than {graph}.")
    return measurement


def measurements_of(
    network: NetworkRecord, networks: Path, *, threads: int
) -> list[NetworkMeasurement]:
    """Return the measurements of the graphs of `network` with `threads`, oldest first.

    Measurements of other graphs that were in the network's folder are left out.
    """
    found = []
    for each in read_measurements(networks / network.network_id, threads=threads):
        hashes = {name: one.graph_sha256 for name, one in each.graphs.items()}
        if all(network.graphs[name].sha256 == sha256 for name, sha256 in hashes.items()):
            found.append(each)
    return found


def with_measured(
    history: StudyHistory,
    networks: Path,
    *,
    phone: PhoneInfo | None = None,
    screens: Screens | None = None,
) -> StudyHistory:
    """Return `history` with measured latencies in place of predicted ones.

    Trials are never ranked by figures of different phones: only those of `phone` count, or of the
    phone that was used last. Networks that were not measured on it stay predicted, and so do trials
    whose score with the measured latencies is unknown: `unscored` names them. screens: finds those
    scores; by default only known ones, without data.
    """
    screens = screens or Screens(networks, history.target_fps)
    trained = {trial.network_id: trial.network for trial in history.complete}
    found = {
        name: measurements_of(network, networks, threads=history.threads)
        for name, network in trained.items()
    }
    if phone is None and any(found.values()):
        phone = max(itertools.chain(*found.values()), key=lambda each: each.taken_at).phone
    on_phone = {
        name: each
        for name, all_phones in found.items()
        for each in all_phones
        if phone and each.phone.serial_hash == phone.serial_hash
    }
    complete = tuple(
        measured_trial(trial, on_phone.get(trial.network_id), screens) for trial in history.complete
    )
    unscored = tuple(t.number for t in complete if t.network_id in on_phone and not t.measured)
    name = phone.name if phone and on_phone else None
    return dataclasses.replace(history, complete=complete, unscored=unscored, phone=name)


def measured_trial(
    trial: TrialResult, measurement: NetworkMeasurement | None, screens: Screens
) -> TrialResult:
    """Return `trial` with latency and score by `measurement` of its network.

    Without one, or where the score is unknown, it is as predicted. A measurement without a graph
    that the trial's policy runs is none.
    """
    streamed, graphs = None, None
    runs = {*graphs_run_by(trial.architecture.policy)}
    if measurement is not None and runs <= measurement.graphs.keys():
        graphs = measurement.latencies_beside(trial.network.latencies)
        streamed = screens.at(trial, graphs, measurement.unstable)
    if streamed is None:
        if trial.on_measurement is None:
            return trial
        return dataclasses.replace(trial, on_measurement=None, measured_graphs=None)
    return dataclasses.replace(trial, on_measurement=streamed, measured_graphs=graphs)


def outside_interval(network: NetworkRecord, measurement: NetworkMeasurement) -> list[str]:
    """Return a line for each graph whose measurement is outside the prediction's interval."""
    lines = []
    for name, one in measurement.graphs.items():
        predicted, ms = getattr(network.latencies, name), one.latency.median_ms
        if not predicted.low_ms <= ms <= predicted.high_ms:
            lines.append(
                f"{name}: measured {ms:.2f} ms, {ms / predicted.median_ms:.2f} of the predicted "
                f"{predicted.median_ms:.2f} ms; outside the interval {predicted.low_ms:.2f} to "
                f"{predicted.high_ms:.2f}"
            )
    return lines


def unmeasured(trials: Iterable[TrialResult]) -> list[NetworkRecord]:
    """Return the networks of `trials` without a measurement, each once, in their order."""
    waiting = {t.network_id: t.network for t in trials if t.measured is None}
    return list(waiting.values())
