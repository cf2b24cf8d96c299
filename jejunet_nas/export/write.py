"""Writes a bundle as a folder or as a `.zip`, whole or not at all."""

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError
from jejunet_nas.export.card import TEMPLATES, card_of
from jejunet_nas.export.segmenter import SEGMENTER, segmenter_of
from jejunet_nas.faults import disk_fault
from jejunet_nas.files import beside_of, sha256_of
from jejunet_nas.litert import Graph
from jejunet_nas.records import GraphName
from jejunet_nas.video import motion
from jejunet_nas.video.manifest import MANIFEST, Manifest
from jejunet_nas.video.manifest_file import manifest_text

CARD = "README.md"
EXAMPLE = "example.py"
MOTION = "motion.py"  # of a policy that follows motion; the example runs it
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest: the same bundle always gives the same bytes
_PLAIN_FILE = 0o100644 << 16


def require_free(out: Path) -> None:
    """Raise `SettingError` if `out` exists, unless it is an empty folder."""
    out = Path(os.path.abspath(out))  # `.` has no name
    if out.is_dir() and not any(out.iterdir()) and not _is_zip(out):
        return
    if out.exists() or out.is_symlink():
        raise SettingError(f"{out} already exists. Remove it, or give another name with --out.")


def write_bundle(graphs: Mapping[GraphName, Path], facts: Mapping[str, Any], out: Path) -> None:
    """Write a bundle of `graphs` as the folder or `.zip` that `out` names.

    facts: from `facts_of`. Raises `SettingError` if `out` exists or cannot be written,
    `MachineError` if the disk is full.
    """
    require_free(out)
    out = Path(os.path.abspath(out))
    folder = beside_of(out)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write_files(graphs, facts, folder)
        if _is_zip(out):
            archive = folder / out.name
            _zip(folder, archive)
            archive.rename(out)
        else:
            folder.rename(out)
    except OSError as error:
        raise disk_fault(out, error) or SettingError(
            f"{out} cannot be written ({error}). Give another folder."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def graph_entry(file: Path) -> dict[str, Any]:
    """Return what the manifest says of the graph in `file`: its tensors, in their order."""
    graph = Graph(file)
    return {
        "file": file.name,
        "inputs": [_tensor(graph, name) for name in graph.input_names],
        "outputs": [_tensor(graph, name) for name in graph.output_names],
    }


def _tensor(graph: Graph, name: str) -> dict[str, Any]:
    info = graph.tensors[name]
    plain = {"type": info.dtype.name, "scale": info.scale, "zero_point": info.zero_point}
    return {"name": name, "shape": list(info.shape), **plain}


def _is_zip(out: Path) -> bool:
    return out.suffix.lower() == ".zip"


def _write_files(graphs: Mapping[GraphName, Path], facts: Mapping[str, Any], folder: Path) -> None:
    entries = {}
    for name, scored in facts["graphs"].items():
        file = folder / f"{name}.tflite"
        shutil.copyfile(graphs[name], file)
        entries[name] = scored | graph_entry(file)
    shutil.copyfile(TEMPLATES / EXAMPLE, folder / EXAMPLE)
    plain = {**facts, "graphs": entries, "files": {}}
    manifest = Manifest.model_validate_json(json.dumps(plain))
    if manifest.policy.follows_motion:
        shutil.copyfile(motion.__file__, folder / MOTION)
    (folder / CARD).write_text(card_of(manifest), encoding="utf-8")
    (folder / SEGMENTER).write_text(segmenter_of(manifest), encoding="utf-8")
    plain["files"] = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(manifest_text(plain), encoding="utf-8")


def _zip(folder: Path, archive: Path) -> None:
    files = sorted(folder.iterdir())
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED) as opened:
        for file in files:
            member = zipfile.ZipInfo(file.name, _ZIP_DATE)
            member.external_attr = _PLAIN_FILE
            member.compress_type = zipfile.ZIP_DEFLATED
            opened.writestr(member, file.read_bytes())
