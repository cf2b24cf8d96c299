"""Saves measurements of a bundle in the bundle and, if possible, in the record of its study.

A bundle keeps them in `measurements.json`. Its study keeps those of a phone beside the network, as
it does for a measured front, so the report shows measured figures. That needs the study in
`studies/` of the current folder, and the same graphs in both: a longer training makes others.
"""

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.files import STUDIES, leads_nowhere_else, sha256_of, study_file
from jejunet_nas.measure.graphs import TimedGraph
from jejunet_nas.progress import Say
from jejunet_nas.records import NetworkRecord, from_json
from jejunet_nas.records.measurements import NetworkMeasurement
from jejunet_nas.study.kept_measurements import NETWORKS, outside_interval, save_measurement
from jejunet_nas.video.bundle import Bundle, BundleSource, add_measurement, read_bundle
from jejunet_nas.video.manifest import MANIFEST


def bundle_at(target: Path) -> Bundle | None:
    """Return the bundle at `target`, a folder or a `.zip`; None for any other target.

    Raises `SettingError` if a bundle is incomplete.
    """
    zipped = target.suffix.lower() == ".zip" and target.is_file()
    return read_bundle(target) if zipped or (target / MANIFEST).is_file() else None


def save_timings(bundle: Bundle, place: Path, timed: Sequence[TimedGraph], say: Say) -> None:
    """Save a phone's measurements of the bundle in `place`, of its graphs in their order.

    Other figures are not saved. Raises `SettingError` if the bundle's folder cannot be written to.
    """
    named = zip(bundle.graphs, timed, strict=True)
    measured = {name: one.measurement for name, one in named if one.measurement}
    if not measured:
        return
    measurement = NetworkMeasurement(graphs=measured)
    if place.is_dir():
        say(f"saved in {add_measurement(measurement, place)}")
    else:
        say(
            f"{place} was not changed. To save measurements in it, unpack it and measure the folder"
        )
    _save_in_study(measurement, bundle, say)


def _save_in_study(measurement: NetworkMeasurement, bundle: Bundle, say: Say) -> None:
    source = bundle.source
    network = _network_here(source)
    if network is None:
        say(f"study {source.study} is not in {STUDIES}/ here; it was not updated")
        return
    files = {name: network / f"{name}.tflite" for name in measurement.graphs}
    hashes = {name: sha256_of(file) for name, file in files.items() if file.is_file()}
    if hashes != {name: one.graph_sha256 for name, one in measurement.graphs.items()}:
        say(f"the bundle's graphs differ from those in {network}; the study was not updated")
        return
    save_measurement(measurement, network)
    for line in _remarks(measurement, network):
        say(f"network {source.network_id}, {line}")
    report = ""
    with contextlib.suppress(SettingError):  # its file may be elsewhere
        study_file(source.study)
        report = f"; update the report: jejunet-nas report {shlex.quote(source.study)}"
    say(f"saved in {network}{report}")


def _network_here(source: BundleSource) -> Path | None:
    """Return the folder of a bundle's network in its study, if the study is in studies/ here."""
    if not all(map(leads_nowhere_else, (source.study, source.network_id))):
        return None
    folder = Path(STUDIES) / source.study / NETWORKS / source.network_id
    return folder if folder.is_dir() else None


def _remarks(measurement: NetworkMeasurement, network: Path) -> list[str]:
    record = network / "record.json"
    if not record.is_file():
        return []
    known = from_json(NetworkRecord, record.read_bytes())
    threads = known.latencies.key.threads
    if threads != measurement.threads:
        return [
            f"measured with {measurement.threads} threads: its study is ranked by figures with "
            f"{threads}"
        ]
    return outside_interval(known, measurement)
