"""Writes a bundle, as a folder or as a `.zip`, whole or not at all."""

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError
from jejunet_nas.export.card import TEMPLATES, card_of
from jejunet_nas.export.contract import contract_of, note_of
from jejunet_nas.export.metadata import add_metadata
from jejunet_nas.files import sha256_of
from jejunet_nas.records import GRAPH_NAMES, GraphName
from jejunet_nas.records.words import one_line
from jejunet_nas.video.manifest import MANIFEST, Manifest, manifest_text

CARD = "README.md"
EXAMPLE = "example.py"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest: one bundle is one sequence of bytes
_PLAIN_FILE = 0o100644 << 16


def require_free(out: Path) -> None:
    """Raise `SettingError` where a bundle cannot be written to `out` because something is there."""
    out = Path(os.path.abspath(out))  # `.` has no name
    if out.is_dir() and not any(out.iterdir()) and not _is_zip(out):
        return
    if out.exists() or out.is_symlink():
        raise SettingError(
            f"{out} is there already; allowed: a new folder, an empty one, or a new .zip. Remove "
            "it, or give another name."
        )


def write_bundle(graphs: Mapping[GraphName, Path], facts: Mapping[str, Any], out: Path) -> None:
    """Write `graphs` and all that is known of them as the folder or `.zip` that `out` names.

    facts: what `facts_of` returned. Raises `SettingError` where `out` holds something already, or
    cannot be written.
    """
    require_free(out)
    out = Path(os.path.abspath(out))
    folder = out.with_name(f"{out.name}.{os.getpid()}.part")
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
        raise SettingError(
            f"{out} cannot be written ({error}); allowed: a new folder or .zip where there is "
            "room. Give another name."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_zip(out: Path) -> bool:
    return out.suffix.lower() == ".zip"


def _write_files(graphs: Mapping[GraphName, Path], facts: Mapping[str, Any], folder: Path) -> None:
    contracts = {}
    source = facts["source"]
    title = one_line(f"{source['study']}, trial {source['trial']}")
    for name in GRAPH_NAMES:
        file = folder / f"{name}.tflite"
        contracts[name] = contract_of(graphs[name]).model_copy(update={"file": file.name})
        note = note_of(name, contracts[name], title=title, version=source["network_id"])
        file.write_bytes(add_metadata(graphs[name].read_bytes(), note, facts["class_names"]))
    shutil.copyfile(TEMPLATES / EXAMPLE, folder / EXAMPLE)
    plain = {
        **facts,
        "graphs": {name: each.model_dump(mode="json") for name, each in contracts.items()},
        "files": {},
    }
    card = card_of(Manifest.model_validate_json(json.dumps(plain)))
    (folder / CARD).write_text(card, encoding="utf-8")
    plain["files"] = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(manifest_text(plain), encoding="utf-8")


def _zip(folder: Path, archive: Path) -> None:
    """Pack the files of `folder`; one bundle always gives the same bytes."""
    files = sorted(folder.iterdir())
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED) as opened:
        for file in files:
            member = zipfile.ZipInfo(file.name, _ZIP_DATE)
            member.external_attr = _PLAIN_FILE
            member.compress_type = zipfile.ZIP_DEFLATED
            opened.writestr(member, file.read_bytes())
