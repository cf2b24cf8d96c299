"""Verify: whether a bundle is complete, unchanged, and matches its manifest.

Each check returns what it found, or raises an error. Files are checked before their contents, so
the first error is the one to fix.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jejunet_nas.compression.metadata import labels_of
from jejunet_nas.errors import SettingError
from jejunet_nas.export.card import tensor_of, tensor_words
from jejunet_nas.export.segmenter import SEGMENTER
from jejunet_nas.export.write import CARD, EXAMPLE, MOTION, graph_entry
from jejunet_nas.litert import Graph
from jejunet_nas.records import GraphName
from jejunet_nas.records.words import counted, one_line
from jejunet_nas.space.architecture import Architecture, Network
from jejunet_nas.video.archive import unpack
from jejunet_nas.video.bundle import MEASUREMENTS, naming_place, read_measurements, require_hash
from jejunet_nas.video.manifest import MANIFEST, GraphFile, Manifest
from jejunet_nas.video.manifest_file import read_manifest

_TENSORS: dict[tuple[GraphName, str], set[str]] = {
    ("key", "input"): {"image"},
    ("key", "output"): {"class_map", "context"},
    ("propagate", "input"): {"image", "context"},
    ("propagate", "output"): {"class_map"},
    ("gate", "input"): {"now", "keyframe"},
    ("gate", "output"): {"score"},
}
_FIX = "Copy the whole bundle again, or export it again."


def verify(place: Path) -> dict[str, str]:
    """Return what each check of the bundle at `place` found. Raises as `each_check` does."""
    return dict(each_check(place))


def each_check(place: Path) -> Iterator[tuple[str, str]]:
    """Check the bundle at `place`, a folder or a `.zip`; yield each check and what it found.

    Raises `SettingError` naming the first fault.
    """
    with (
        tempfile.TemporaryDirectory(prefix="jejunet-verify-") as unpacked,
        naming_place(place, Path(unpacked)),
    ):
        yield from _checks(place, Path(unpacked))


def require_runnable(manifest: Manifest, folder: Path) -> None:
    """Raise `SettingError` unless the graphs in `folder` run as `manifest` says.

    The bundle's other files are not looked at.
    """
    for check in _CONTENT.values():
        check(folder, manifest)


def _checks(place: Path, unpacked: Path) -> Iterator[tuple[str, str]]:
    folder = place
    if place.is_file():
        unpack(place, unpacked)
        folder = unpacked
        yield "archive", "plain files only"
    manifest = read_manifest(folder)
    yield "manifest", f"format {manifest.format}, unchanged"
    yield "files", _files(folder, manifest)
    yield "hashes", _hashes(folder, manifest)
    for name, check in _CONTENT.items():
        yield name, check(folder, manifest)


def _files(folder: Path, manifest: Manifest) -> str:
    """Check that the folder holds the files that the manifest names, and no others."""
    graphs = {graph.file for graph in _graph_files(manifest)}
    code = {EXAMPLE, SEGMENTER} | ({MOTION} if manifest.policy.follows_motion else set())
    for name in sorted({CARD, *code, *graphs} - {*manifest.files}):
        raise _fault(folder / MANIFEST, f"has no hash of {name}")
    for name in sorted(manifest.files):
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise _fault(file, "is missing or is not a plain file")
    read_measurements(folder)  # `measure` writes it later; the manifest has no hash of it
    for file in sorted(folder.iterdir()):
        if file.name not in (*manifest.files, MANIFEST, MEASUREMENTS):
            raise SettingError(f"{file} is not a file of this bundle. Move it elsewhere.")
    return f"{len(manifest.files) + 1}, none missing, no others"


def _hashes(folder: Path, manifest: Manifest) -> str:
    for name in sorted(manifest.files):
        require_hash(folder / name, manifest.files)
    for graph in _graph_files(manifest):
        if manifest.files[graph.file] != graph.sha256:
            raise _fault(folder / graph.file, "is not the graph that the trial was scored with")
    return f"the SHA-256 of {len(manifest.files)} files match; the graphs are those scored"


def _policy(folder: Path, manifest: Manifest) -> str:
    try:
        Architecture(network=Network(**manifest.source.network), policy=manifest.policy)
    except (SettingError, TypeError, ValueError, ArithmeticError) as error:
        raise SettingError(f"{folder / MANIFEST}: {one_line(str(error))}") from None
    return f"valid for this network: keyframe_interval {manifest.policy.keyframe_interval}"


def _classes(folder: Path, manifest: Manifest) -> str:
    count = len(manifest.class_names)
    for what, values in (
        ("palette", manifest.palette),
        ("metrics.accuracy.class_iou", manifest.metrics.accuracy.class_iou),
    ):
        if len(values) != count:
            raise _fault(folder / MANIFEST, f"has {count} classes, but {len(values)} in {what}")
    return f"{count}, each with a colour"


def _graphs(folder: Path, manifest: Manifest) -> str:
    classes = len(manifest.class_names)
    for stated in _graph_files(manifest):
        file = folder / stated.file
        _require_tensors(file, stated)
        graph = Graph(file)
        graph.fill_inputs(seed=0)
        graph.invoke()
        class_map = graph.run().get("class_map")
        if class_map is not None and class_map.max() >= classes:
            raise _fault(file, f"returns class {class_map.max()}; allowed: 0 to {classes - 1}")
    _require_fit(folder, manifest)
    count = len(_graph_files(manifest))
    return f"{counted(count, 'graph')} of the policy: all load and run as the manifest says"


def _require_tensors(file: Path, stated: GraphFile) -> None:
    found = GraphFile.model_validate_json(
        json.dumps({"sha256": stated.sha256, **graph_entry(file)})
    )
    if (len(stated.inputs), len(stated.outputs)) != (len(found.inputs), len(found.outputs)):
        raise _fault(file, f"and {MANIFEST} have different numbers of tensors")
    pairs = zip((*stated.inputs, *stated.outputs), (*found.inputs, *found.outputs), strict=True)
    for wanted, present in pairs:
        if wanted != present:
            said = tensor_words(wanted)
            raise _fault(file, f"has {tensor_words(present)}, but {MANIFEST} says {said}")


def _require_fit(folder: Path, manifest: Manifest) -> None:
    """Check that the graphs fit each other and the input size."""
    for name, stated in manifest.graphs.by_name.items():
        for end, tensors in (("input", stated.inputs), ("output", stated.outputs)):
            for missing in sorted(_TENSORS[name, end] - {each.name for each in tensors}):
                raise _fault(folder / stated.file, f"has no {end} {missing}")
    graphs, size = manifest.graphs, manifest.input
    context, image = tensor_of(graphs.key, "context"), (1, size.height, size.width, 3)
    fits: list[tuple[str, object, object]] = [
        ("key's image", tensor_of(graphs.key, "image").shape, image)
    ]
    if graphs.propagate is not None:
        taken = tensor_of(graphs.propagate, "context")
        fits += [
            ("propagate's image", tensor_of(graphs.propagate, "image").shape, image),
            ("propagate's context", (taken.shape, taken.type), (context.shape, context.type)),
        ]
    if graphs.gate is not None:
        step = size.thumbnail_stride
        thumbnail = (1, size.height // step, size.width // step, 3)
        fits += [
            (f"gate's {name}", tensor_of(graphs.gate, name).shape, thumbnail)
            for name in ("now", "keyframe")
        ]
    for what, found, wanted in fits:
        if found != wanted:
            raise _fault(folder / MANIFEST, f"says that {what} is {found}; it must be {wanted}")


def _metadata(folder: Path, manifest: Manifest) -> str:
    for stated in _graph_files(manifest):
        file = folder / stated.file
        try:
            labels = labels_of(file.read_bytes())
        except SettingError as error:
            raise SettingError(f"{file}: {error} {_FIX}") from None
        if labels != (() if stated == manifest.graphs.gate else manifest.class_names):
            raise _fault(file, f"has the labels {', '.join(labels)}, which are not the classes")
    return "in each graph; labels are the classes"


_CONTENT = {"policy": _policy, "classes": _classes, "graphs": _graphs, "metadata": _metadata}


def _graph_files(manifest: Manifest) -> list[GraphFile]:
    return [*manifest.graphs.by_name.values()]


def _fault(where: Path, what: str) -> SettingError:
    return SettingError(f"{where} {what}. {_FIX}")
