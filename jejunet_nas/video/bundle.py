"""A bundle: what whoever runs a trial's network needs, a phone or this computer.

    key.tflite  propagate.tflite  gate.tflite  manifest.json  README.md  example.py

A folder, or the same files in a `.zip`. The manifest says how the graphs are run and holds the hash
of each file, so that a bundle that was copied in part, or whose graphs were swapped, is found out
before a mask is believed. `export` writes bundles.

Units: input in pixels; `keyframe_lag` in frames; `target_fps` in frames a second of the camera.
"""

import atexit
import dataclasses
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.records import GRAPH_NAMES, GraphName
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.archive import unpack
from jejunet_nas.video.manifest import MANIFEST as MANIFEST
from jejunet_nas.video.manifest import GraphFile, read_manifest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleSource:
    """Which trial a bundle was made of."""

    study: str
    trial: int
    network_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Graphs, and how they are run.

    keyframe_lag: the frames that a keyframe takes in the background by the figures that the trial
    was scored with, at `target_fps`; a policy without a background does not look at it.
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
    """Return the bundle in the folder or `.zip` that `place` is.

    A `.zip` is unpacked into a folder that lasts until this program ends. Raises `SettingError`
    where `place` is no bundle, or not whole.
    """
    folder = place
    if place.is_file():
        folder = Path(tempfile.mkdtemp(prefix="jejunet-bundle-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        unpack(place, folder)
    manifest, policy = read_manifest(folder)
    return Bundle(
        graphs={
            name: _checked(folder, name, getattr(manifest.graphs, name), manifest.files)
            for name in GRAPH_NAMES
        },
        class_names=manifest.class_names,
        policy=policy,
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


def require_hash(file: Path, files: Mapping[str, str]) -> None:
    """Raise `SettingError` where `file` is not the one whose SHA-256 is in `files`."""
    found, wanted = sha256_of(file), files.get(file.name)
    if found != wanted:
        raise SettingError(
            f"{file} has the SHA-256 {found[:12]}...; allowed: {(wanted or 'none')[:12]}..., as "
            f"its {MANIFEST} says. Copy the whole bundle again."
        )


def _checked(folder: Path, name: GraphName, graph: GraphFile, files: Mapping[str, str]) -> Path:
    file = folder / graph.file
    if not file.is_file():
        raise SettingError(
            f"{folder} holds no {graph.file}; allowed: the {name} graph of its {MANIFEST}. Copy "
            "the whole bundle again."
        )
    require_hash(file, files)
    return file
