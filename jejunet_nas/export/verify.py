"""Verify: whether a bundle is whole, unchanged, and what its manifest says it is.

Each check either says what it found, or raises what is wrong; they go from the outside in, so that
the first fault told is the one to mend.
"""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError
from jejunet_nas.export.contract import contract_of, note_of
from jejunet_nas.export.metadata import GraphNote, read_metadata
from jejunet_nas.export.write import CARD, EXAMPLE
from jejunet_nas.litert import Graph
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.video.archive import unpack
from jejunet_nas.video.bundle import require_hash
from jejunet_nas.video.bundle_measurements import MEASUREMENTS, read_measurements
from jejunet_nas.video.manifest import MANIFEST, GraphFile, Manifest, read_manifest

_FIX = "Copy the whole bundle again, or export it again."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was checked, and what was found, in a few words."""

    name: str
    found: str


def verify(place: Path) -> list[Check]:
    """Return what was checked of the bundle `place`, a folder or a `.zip`.

    Raises `SettingError` naming the first fault.
    """
    with tempfile.TemporaryDirectory(prefix="jejunet-verify-") as unpacked:
        try:
            return list(_checks(place, Path(unpacked)))
        except SettingError as error:  # nobody knows the folder that a .zip is unpacked to
            raise SettingError(str(error).replace(unpacked, str(place))) from None


def _checks(place: Path, unpacked: Path) -> Iterator[Check]:
    folder = place
    if place.is_file():
        unpack(place, unpacked)
        folder = unpacked
        yield Check(name="archive", found="plain files, none of which leaves it")
    manifest, policy = read_manifest(folder)
    yield Check(name="manifest", found=f"format {manifest.format}, unchanged")
    yield Check(name="files", found=_files(folder, manifest))
    yield Check(name="hashes", found=_hashes(folder, manifest))
    yield Check(name="policy", found=_policy(folder, manifest, policy))
    yield Check(name="classes", found=_classes(folder, manifest))
    yield Check(name="graphs", found=_graphs(folder, manifest))
    yield Check(name="metadata", found=_metadata(folder, manifest))


def _files(folder: Path, manifest: Manifest) -> str:
    """Check that just the files are there that the manifest names, and all that a bundle has."""
    graphs = {getattr(manifest.graphs, name).file for name in GRAPH_NAMES}
    for name in sorted({CARD, EXAMPLE, *graphs} - {*manifest.files}):
        raise _fault(folder / MANIFEST, f"names no hash of {name}", "one of each file")
    for name in sorted(manifest.files):
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise _fault(folder, f"holds no file {name}", f"all that its {MANIFEST} names")
    read_measurements(folder)  # written by `measure` once the bundle was there; no hash holds it
    for file in sorted(folder.iterdir()):
        if file.name not in (*manifest.files, MANIFEST, MEASUREMENTS):
            raise SettingError(
                f"{folder} holds {file.name}, which its {MANIFEST} does not name; allowed: the "
                "bundle's own files. Move it elsewhere."
            )
    return f"{len(manifest.files) + 1}, none missing, none besides"


def _hashes(folder: Path, manifest: Manifest) -> str:
    for name in sorted(manifest.files):
        require_hash(folder / name, manifest.files)
    return f"{len(manifest.files)} files have the SHA-256 that they had"


def _policy(folder: Path, manifest: Manifest, policy: Policy) -> str:
    try:
        Architecture(network=Network(**manifest.source.network), policy=policy)
    except (SettingError, TypeError) as error:
        raise SettingError(f"{folder / MANIFEST}: {error}") from None
    return f"valid for this network: keyframe_interval {policy.keyframe_interval}"


def _classes(folder: Path, manifest: Manifest) -> str:
    count = len(manifest.class_names)
    for what, values in (
        ("palette", manifest.palette),
        ("metrics.accuracy.class_iou", manifest.metrics.accuracy.class_iou),
    ):
        if len(values) != count:
            raise _fault(
                folder / MANIFEST, f"{what} has {len(values)} entries", f"{count}, one a class"
            )
    return f"{count}, each with a colour"


def _graphs(folder: Path, manifest: Manifest) -> str:
    for name in GRAPH_NAMES:
        told: GraphFile = getattr(manifest.graphs, name)
        file = folder / told.file
        found = contract_of(file)
        for wanted, has in zip(
            (*told.inputs, *told.outputs), (*found.inputs, *found.outputs), strict=False
        ):
            if wanted != has:
                raise _fault(file, f"has {_words(has)}", f"{_words(wanted)}, as {MANIFEST} says")
        if (told.inputs, told.outputs) != (found.inputs, found.outputs):
            raise _fault(file, "has other tensors", f"those that its {MANIFEST} names")
        graph = Graph(file)
        graph.fill_inputs(seed=0)
        graph.invoke()
        highest = graph.run().get("class_map")
        if highest is not None and highest.max() >= len(manifest.class_names):
            raise _fault(
                file, f"shows class {highest.max()}", f"0 to {len(manifest.class_names) - 1}"
            )
    _fit(folder, manifest)
    return "3, which load, run, and take and give what the manifest says"


def _fit(folder: Path, manifest: Manifest) -> None:
    """Check that what one graph hands out is what the other takes, in the sizes of the input."""
    graphs, size = manifest.graphs, manifest.input
    context, taken = _tensor(graphs.key, "context"), _tensor(graphs.propagate, "context")
    step = size.thumbnail_stride
    for what, found, wanted in (
        ("key's image", _tensor(graphs.key, "image").shape, (1, size.height, size.width, 3)),
        (
            "propagate's image",
            _tensor(graphs.propagate, "image").shape,
            (1, size.height, size.width, 3),
        ),
        (
            "gate's now",
            _tensor(graphs.gate, "now").shape,
            (1, size.height // step, size.width // step, 3),
        ),
        ("propagate's context", (taken.shape, taken.type), (context.shape, context.type)),
    ):
        if found != wanted:
            raise _fault(folder / MANIFEST, f"{what} is {found}", f"{wanted}")


def _tensor(graph: GraphFile, name: str) -> Any:
    for each in (*graph.inputs, *graph.outputs):
        if each.name == name:
            return each
    raise _fault(Path(graph.file), f"has no tensor {name}", "the tensors of its kind of graph")


def _metadata(folder: Path, manifest: Manifest) -> str:
    for name in GRAPH_NAMES:
        told: GraphFile = getattr(manifest.graphs, name)
        file = folder / told.file
        try:
            found, labels = read_metadata(file.read_bytes())
        except SettingError as error:
            raise SettingError(f"{file}: {error}") from None
        wanted = note_of(name, told, title="", version="")
        if _names(found) != _names(wanted):
            raise _fault(file, f"describes {_names(found)}", f"{_names(wanted)}")
        if labels not in ((), manifest.class_names) or (name != "gate" and not labels):
            raise _fault(file, f"has the labels {', '.join(labels)}", "the manifest's class_names")
    return "in each graph; labels are the classes"


def _names(note: GraphNote) -> list[tuple[str, bool, bool]]:
    """Return what programs read of a note: which tensors, which are pictures, which are classes."""
    return [(each.name, each.picture, each.labels) for each in (*note.inputs, *note.outputs)]


def _words(tensor: Any) -> str:
    return (
        f"{tensor.name} {tensor.type} {list(tensor.shape)} of scale {tensor.scale:g} and zero "
        f"point {tensor.zero_point}"
    )


def _fault(where: Path, what: str, allowed: str) -> SettingError:
    return SettingError(f"{where} {what}; allowed: {allowed}. {_FIX}")
