"""What was measured of a bundle goes back to where it came from: the bundle and its study's record.

A bundle keeps it in `measurements.json`. The study that it was made of keeps it beside the network,
as a measured front does, so that its report shows measured beside predicted; provided that it lies
in `studies/` here, and that the bundle's graphs are its own, not ones that were trained on.
"""

import dataclasses
import datetime
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path

from jejunet_nas.files import STUDIES, sha256_of
from jejunet_nas.progress import Say
from jejunet_nas.records import GRAPH_NAMES, Latency, NetworkRecord, from_json
from jejunet_nas.records.measurements import Measurement, NetworkMeasurement
from jejunet_nas.study.kept_measurements import NETWORKS, keep, off_the_interval
from jejunet_nas.video.bundle import Bundle, BundleSource, read_bundle
from jejunet_nas.video.bundle_measurements import HostTiming, keep_measurement
from jejunet_nas.video.manifest import MANIFEST


def bundle_at(target: Path) -> Bundle | None:
    """Return the bundle that `target` is, a folder or a `.zip`; None where it is none.

    Raises `SettingError` where it is a bundle that is not whole.
    """
    zipped = target.suffix.lower() == ".zip" and target.is_file()
    return read_bundle(target) if zipped or (target / MANIFEST).is_file() else None


def keep_measured(bundle: Bundle, place: Path, taken: Sequence[Measurement], say: Say) -> None:
    """Keep what a phone took for the bundle's graphs, key, propagate and gate, with it in `place`.

    `say` is told where, and why it is not in the study's record where it cannot be. Raises
    `SettingError` where the bundle's folder cannot be written to.
    """
    measurement = NetworkMeasurement(graphs=dict(zip(GRAPH_NAMES, taken, strict=True)))
    _keep_in_bundle(measurement, place, say)
    source = bundle.source
    network = _network_here(source)
    if network is None:
        say(f"study {source.study} does not lie in {STUDIES}/ here, and learns nothing of it")
        return
    hashes = {name: sha256_of(file) for name, file in bundle.graphs.items()}
    if any(hashes[name] != _hash(network / f"{name}.tflite") for name in GRAPH_NAMES):
        say(f"the bundle's graphs differ from those in {network}; the study was not updated")
        return
    graphs = {
        name: dataclasses.replace(one, graph_sha256=hashes[name])
        for name, one in measurement.graphs.items()
    }
    keep(NetworkMeasurement(graphs=graphs), network)
    for line in _remarks(measurement, network):
        say(f"network {source.network_id}, {line}")
    study = Path(STUDIES) / f"{source.study}.yaml"
    report = shlex.quote(source.study) if study.is_file() else "STUDY.yaml"
    say(f"kept in {network}; write the report anew: jejunet-nas report {report}")


def keep_host(place: Path, latencies: Sequence[Latency], say: Say) -> None:
    """Keep what this computer took for the graphs of the bundle in `place`, apart from the rest.

    No study learns of it: these are no phone's figures. Raises `SettingError` where the bundle's
    folder cannot be written to.
    """
    timing = HostTiming(
        graphs=dict(zip(GRAPH_NAMES, latencies, strict=True)),
        processor=platform.processor() or platform.machine(),
        taken_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    _keep_in_bundle(timing, place, say)


def _keep_in_bundle(taken: NetworkMeasurement | HostTiming, place: Path, say: Say) -> None:
    if place.is_dir():
        say(f"kept in {keep_measurement(taken, place)}")
    else:
        say(f"{place} stays as it is; unpack it, and measure the folder, to keep this with it")


def _network_here(source: BundleSource) -> Path | None:
    """Return the folder of a bundle's network in its study, where that lies in studies/ here."""
    for name in (source.study, source.network_id):
        if Path(name).name != name or name == "..":
            return None  # a bundle may be anybody's: no name in it leads out of studies/
    folder = Path(STUDIES) / source.study / NETWORKS / source.network_id
    return folder if folder.is_dir() else None


def _hash(file: Path) -> str | None:
    return sha256_of(file) if file.is_file() else None


def _remarks(measurement: NetworkMeasurement, network: Path) -> list[str]:
    """Return a line a graph that is off its prediction, or one on threads that do not count."""
    record = network / "record.json"
    if not record.is_file():
        return []
    known = from_json(NetworkRecord, record.read_bytes())
    ranked = known.latencies.key.threads
    if ranked != measurement.threads:
        return [f"measured with {measurement.threads} threads: its report ranks by {ranked}"]
    return off_the_interval(known, measurement)
