"""Kept networks: what lies in the folder of a study's networks, held against what trials name.

networks/<id>/         of a trial: graphs, weights and record, see `trial.store`
networks/<id>.<computer>-<process>.part/    while it is made
"""

import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from jejunet_nas.files import RECORD, WEIGHTS
from jejunet_nas.records import NetworkRecord
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.screens import read_kept
from jejunet_nas.video.graphs import damage_of

PART = ".part"


def damage_of_network(network: NetworkRecord, networks: Path) -> str | None:
    """Return what is missing or changed of a trial's network; None if it is whole.

    The weights count too, and those that it was pruned from: `export --qat` starts from them.
    """
    folder = networks / network.network_id
    found = damage_of(network.graphs, folder) or damage_of_folder(folder)
    if found is None and network.compressed_from is not None:
        found = damage_of_folder(networks / network.compressed_from)
    return found


def damage_of_folder(folder: Path) -> str | None:
    """Return what is missing or damaged in the folder of a network, by its own record."""
    if not folder.is_dir():
        return f"{folder} is missing"
    record = record_in(folder)
    if record is None:
        return (
            f"{folder / RECORD} {'cannot be read' if (folder / RECORD).exists() else 'is missing'}"
        )
    return damage_of(record.graphs, folder) or _damage_of_weights(folder / WEIGHTS)


def record_in(folder: Path) -> NetworkRecord | None:
    """Return the record in the folder of a network; None where it is missing or not readable."""
    return read_kept(NetworkRecord, folder / RECORD)


def _damage_of_weights(file: Path) -> str | None:
    """Return whether the weights are missing, or unlike the checksums of their archive."""
    if not file.is_file():
        return f"{file} is missing"
    try:
        with zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError):
        broken = file.name
    return f"{file} is damaged" if broken else None


def folders_of(networks: Path) -> list[Path]:
    """Return the folders of networks, by name, without those that are being written."""
    found = networks.iterdir() if networks.is_dir() else ()
    return sorted(f for f in found if f.is_dir() and f.suffix != PART and f.name[0] != ".")


def orphans(
    folders: Iterable[Path], names: Collection[str], networks: Collection[Network]
) -> list[Path]:
    """Return those of `folders` that no trial of the study names.

    names: the ids of networks of complete trials and of repeats. networks: of all trials, also of
    those that run: what was trained to a lower rung, with another seed, or to be compressed, is no
    orphan.
    """
    known = {*networks, *(network.as_trained for network in networks)}
    found = []
    for folder in folders:
        record = record_in(folder)
        if folder.name not in names and (record is None or record.network not in known):
            found.append(folder)
    return found


def bytes_of(path: Path) -> int:
    """Return the size of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
    return sum(each.lstat().st_size for each in files if not each.is_dir())
