"""A bundle: the graphs of one trial, and what it takes to run them on a phone or this computer.

    key.tflite  propagate.tflite  gate.tflite  manifest.json  README.md  example.py  Segmenter.kt

The graphs propagate and gate are there if the policy runs them.

A folder, or a `.zip` of the same files. The manifest says how to run the graphs and contains the
hash of each file, so that an incomplete copy or a replaced graph is detected. `export` writes
bundles.

`measurements.json` is added when a phone measures the graphs. The manifest has no hash of it, since
it changes with every measurement; each measurement has the hash of its graph.

Units: input in pixels; `keyframe_lag` in frames; `target_fps` in frames a second of the camera.
"""

import atexit
import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of, write_text_whole
from jejunet_nas.records import GraphName, from_json, to_json
from jejunet_nas.records.measurements import NetworkMeasurement
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.archive import unpack
from jejunet_nas.video.manifest import MANIFEST, Manifest
from jejunet_nas.video.manifest_file import read_manifest

MEASUREMENTS = "measurements.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleSource:
    """The trial that a bundle was exported from."""

    study: str
    trial: int
    network_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Graphs, and how to run them.

    keyframe_lag: frames that a keyframe in the background takes, at `target_fps` and with the
    latencies that the trial was scored with; only asynchronous policies use it.
    """

    graphs: Mapping[GraphName, Path]
    class_names: tuple[str, ...]
    policy: Policy
    input_height: int
    input_width: int
    keyframe_lag: int
    target_fps: float
    source: BundleSource


def read_bundle(place: Path) -> Bundle:
    """Return the bundle in the folder or `.zip` at `place`. Raises as `open_bundle` does."""
    manifest, folder = open_bundle(place)
    return Bundle(
        graphs=bundle_graphs(manifest, folder),
        class_names=manifest.class_names,
        policy=manifest.policy,
        input_height=manifest.input.height,
        input_width=manifest.input.width,
        keyframe_lag=manifest.keyframe_lag,
        target_fps=manifest.target_fps,
        source=BundleSource(
            study=manifest.source.study,
            trial=manifest.source.trial,
            network_id=manifest.source.network_id,
        ),
    )


def open_bundle(place: Path) -> tuple[Manifest, Path]:
    """Return the manifest of the bundle at `place`, a folder or a `.zip`, and its folder.

    A `.zip` is unpacked into a folder that is deleted when this program ends. Raises `SettingError`
    if `place` is no bundle, or its manifest or a graph is damaged.
    """
    folder = place
    if not place.exists():
        raise SettingError(f"{place} does not exist. Give the folder or .zip of a bundle.")
    if place.is_file():
        folder = Path(tempfile.mkdtemp(prefix="jejunet-bundle-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        unpack(place, folder)
    with naming_place(place, folder):
        manifest = read_manifest(folder)
        for file in bundle_graphs(manifest, folder).values():
            require_hash(file, manifest.files)
    return manifest, folder


def bundle_graphs(manifest: Manifest, folder: Path) -> dict[GraphName, Path]:
    """Return the files of the bundle's graphs by name."""
    return {name: folder / graph.file for name, graph in manifest.graphs.by_name.items()}


@contextlib.contextmanager
def naming_place(place: Path, folder: Path) -> Iterator[None]:
    """Make errors name the bundle at `place`, not the `folder` that it was unpacked into."""
    try:
        yield
    except SettingError as error:
        raise SettingError(str(error).replace(str(folder), str(place))) from None


def require_hash(file: Path, files: Mapping[str, str]) -> None:
    """Raise `SettingError` if `file` is missing or its SHA-256 is not the one in `files`."""
    if not file.is_file():
        raise SettingError(f"{file} is missing. Copy the whole bundle again.")
    if sha256_of(file) != files.get(file.name):
        raise SettingError(
            f"{file} was changed: its SHA-256 is not the one in {MANIFEST}. Copy the whole bundle "
            "again."
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleMeasurements:
    """The newest measurement of a bundle for each phone and number of threads, newest last."""

    measured: tuple[NetworkMeasurement, ...] = ()


def read_measurements(folder: Path) -> BundleMeasurements:
    """Return the measurements of the bundle in `folder`.

    Raises `SettingError` if the file cannot be read.
    """
    file = folder / MEASUREMENTS
    try:
        return from_json(BundleMeasurements, file.read_bytes())
    except FileNotFoundError:
        return BundleMeasurements()
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SettingError(
            f"{file} cannot be read ({reason}). Remove it, and measure again."
        ) from None


def add_measurement(taken: NetworkMeasurement, folder: Path) -> Path:
    """Add `taken` to the measurements of the bundle in `folder`; return the file.

    It replaces one of the same phone and threads. Raises `SettingError` if the file cannot be read
    or written.
    """
    file = folder / MEASUREMENTS
    phone = (taken.phone.serial_hash, taken.threads)
    kept = read_measurements(folder).measured
    others = (each for each in kept if (each.phone.serial_hash, each.threads) != phone)
    everything = BundleMeasurements(measured=(*others, taken))
    try:
        return write_text_whole(file, f"{to_json(everything, indent=2)}\n")
    except OSError as error:
        raise SettingError(
            f"{file} cannot be written ({error.strerror}). Copy the bundle, and measure the copy."
        ) from None
