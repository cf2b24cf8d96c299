"""Saved measurements of a study's networks: files beside their graphs.

    networks/<id>/measured/<phone>-<threads>.json

There is one file for each phone and number of threads, with the newest measurement; the prediction
in `record.json` stays. A study is read with its measurements in place of the predictions, so a
front that was measured after the search is ranked by the measurements.
"""

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_text_whole
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import (
    GRAPH_NAMES,
    NetworkRecord,
    StudyHistory,
    TrialResult,
    from_json,
    to_json,
)
from jejunet_nas.records.measurements import NetworkMeasurement, PhoneInfo

NETWORKS = "networks"  # the folder of a study's networks
FOLDER = "measured"


def save_measurement(measurement: NetworkMeasurement, network_folder: Path) -> Path:
    """Write `measurement` beside its graphs; return its file."""
    folder = network_folder / FOLDER
    folder.mkdir(exist_ok=True)
    file = folder / f"{measurement.phone.serial_hash}-{measurement.threads}.json"
    return write_text_whole(file, to_json(measurement, indent=2))


def read_measurements(network_folder: Path, *, threads: int) -> list[NetworkMeasurement]:
    """Return the measurements of one network with `threads`, one a phone, oldest first.

    A file that cannot be read is ignored: it can be measured again.
    """
    folder = network_folder / FOLDER
    if not folder.is_dir():  # as for most networks; looking for files takes ten times as long
        return []
    found = []
    for file in folder.glob(f"[!.]*-{threads}.json"):  # not those that are being written
        try:
            measurement = from_json(NetworkMeasurement, file.read_bytes())
        except (OSError, ValidationError, SettingError):
            continue
        if measurement.graphs.keys() == set(GRAPH_NAMES):
            found.append(measurement)
    return sorted(found, key=lambda each: each.taken_at)


def with_measured(
    history: StudyHistory, networks: Path, *, phone: PhoneInfo | None = None
) -> StudyHistory:
    """Return `history` with measured latencies in place of predicted ones.

    Trials are never ranked by figures of different phones: only those of `phone` count, or of the
    phone that was used last. Networks that were not measured on it stay predicted.
    """
    ids = {trial.network_id for trial in history.complete}
    found = {name: read_measurements(networks / name, threads=history.threads) for name in ids}
    if phone is None and any(found.values()):
        phone = max(itertools.chain(*found.values()), key=lambda each: each.taken_at).phone
    on_phone = {
        name: each
        for name, all_phones in found.items()
        for each in all_phones
        if phone and each.phone.serial_hash == phone.serial_hash
    }
    complete = tuple(
        measured_trial(trial, on_phone.get(trial.network_id), history.target_fps)
        for trial in history.complete
    )
    name = phone.name if phone and on_phone else None
    return dataclasses.replace(history, complete=complete, phone=name)


def measured_trial(
    trial: TrialResult, measurement: NetworkMeasurement | None, target_fps: float
) -> TrialResult:
    """Return `trial` with the latency by `measurement` of its network, or without one."""
    if measurement is None:
        if trial.measured is None:
            return trial
        return dataclasses.replace(trial, measured=None, measured_graphs=None)
    graphs = measurement.latencies
    stream = stream_latency(trial.walks, graphs, target_fps=target_fps, doubts=measurement.unstable)
    return dataclasses.replace(trial, measured=stream, measured_graphs=graphs)


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
