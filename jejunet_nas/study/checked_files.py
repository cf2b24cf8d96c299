"""Checked files: the folder of a study's state, held against its records."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from jejunet_nas.evaluation.network import PolicyScore
from jejunet_nas.files import EXPORTS, LEFT_OVER_S, RECORD, leftovers
from jejunet_nas.records import NetworkRecord
from jejunet_nas.records.scores import Streamed
from jejunet_nas.records.words import counted
from jejunet_nas.study.checked_records import Records
from jejunet_nas.study.findings import Finding, Remedies, numbers_words, removal
from jejunet_nas.study.kept_measurements import NETWORKS, unbelievable
from jejunet_nas.study.kept_networks import (
    PART,
    bytes_of,
    damage_of_folder,
    damage_of_network,
    orphans,
)
from jejunet_nas.study.lock import is_locked
from jejunet_nas.study.screens import FOLDER as SCREENS
from jejunet_nas.study.screens import read_kept
from jejunet_nas.video.graphs import damage_of


def network_findings(records: Records, networks: Path, remedies: Remedies) -> Iterator[Finding]:
    """Yield the networks of complete trials, and of their repeats, that are missing or damaged."""
    for name, numbers in _trials_by_network(records).items():
        network = next(r.network for r in records.results if r.network_id == name)
        if (damage := damage_of_network(network, networks)) is not None:
            lost = damage_of(network.graphs, networks / name) is not None
            cannot = "exported, measured or drawn" if lost else "compressed anew"
            yield Finding(
                what=f"network of {numbers_words(numbers)}: {damage}",
                means=f"its figures stay, but it cannot be {cannot}",
                command=remedies.repair,
            )
        else:
            yield from _beside(networks / name)
    for repeat in (each for same in records.repeats.values() for each in same):
        if (damage := damage_of_folder(networks / repeat.network_id)) is not None:
            yield Finding(
                what=f"trial {repeat.number}, trained with seed {repeat.seed}: {damage}",
                means="its figures stay and count, but without their network",
                command=remedies.repair,
            )


def orphan_findings(folders: Iterable[Path], records: Records) -> Iterator[Finding]:
    """Yield those of `folders` that no trial names. folders: from before the records were read."""
    repeats = {each.network_id for same in records.repeats.values() for each in same}
    names = {*_trials_by_network(records), *repeats}
    bases = {each.network.compressed_from for each in records.results}
    if found := orphans(folders, {*names, *filter(None, bases)}, records.networks):
        count, size = counted(len(found), "network"), sum(map(bytes_of, found)) / 1e6
        yield Finding(
            what=f"{count} of no trial in {found[0].parent}, {size:.1f} MB",
            means="harmless; a search that draws such a network does not train it again",
            command=removal(found),
            damaged=False,
        )


def leftover_findings(state: Path, reports: Path, *, searching: bool) -> Iterator[Finding]:
    """Yield what killed processes left half-written in a study's folder and in its report's."""
    age_s = LEFT_OVER_S if searching else 0.0
    found = []
    for folder in (state, reports):
        inner = [each for each in folder.rglob("*") if each.is_dir()] if folder.is_dir() else []
        for each in (folder, *inner) if folder.is_dir() else ():
            found += leftovers(each, older_than_s=age_s)
    if not searching:
        found += sorted((state / NETWORKS).glob(f"[!.]*{PART}"))
    if found:
        size = sum(map(bytes_of, found)) / 1e6
        yield Finding(
            what=f"{counted(len(found), 'half-written file or folder')}, {size:.1f} MB: {found[0]}"
            + (" and others" if len(found) > 1 else ""),
            means="left by a process that was killed; never read",
            command=removal(found),
            damaged=False,
        )


def export_findings(state: Path) -> Iterator[Finding]:
    """Yield trained exports that were interrupted or damaged, and that no process writes now."""
    exports = state / EXPORTS
    for folder in sorted(exports.iterdir()) if exports.is_dir() else ():
        if not folder.is_dir() or is_locked(folder):
            continue
        record = read_kept(NetworkRecord, folder / RECORD)
        damage = damage_of(record.graphs, folder) if record else f"{folder} is not finished"
        if damage is not None:
            yield Finding(
                what=f"trained export: {damage}",
                means="the same `jejunet-nas export` command goes on from what is there",
                command=removal([folder]),
                damaged=False,
            )


def _beside(folder: Path) -> Iterator[Finding]:
    """Yield measurements and scores beside a network's graphs that are not used."""
    for file, why in unbelievable(folder).items():
        yield Finding(
            what=why.rstrip("."),
            means="its latencies are ignored: trials count as predicted until they are measured",
            command=removal([file]),
        )
    for file in sorted((folder / SCREENS).glob("[!.]*.json")):
        kind = PolicyScore if file.name.startswith("again-") else Streamed
        if read_kept(kind, file) is None:
            yield Finding(
                what=f"{file} cannot be read",
                means="that score is computed again where it is needed",
                command=removal([file]),
                damaged=False,
            )


def _trials_by_network(records: Records) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for result in records.results:
        found.setdefault(result.network_id, []).append(result.number)
    return found
