"""Checkup: a study's records held against its files and its database; nothing is changed.

The folders of networks are listed first, then the database is read: what a search that runs at the
time adds is no fault. Its running trials, and the files that it is writing, are left out.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError
from jejunet_nas.files import NOTED, project_folder, read_mapping, state_folder, study_file
from jejunet_nas.progress import Say
from jejunet_nas.records.words import counted
from jejunet_nas.study.checked_files import (
    export_findings,
    leftover_findings,
    network_findings,
    orphan_findings,
)
from jejunet_nas.study.checked_records import Records, read_trials
from jejunet_nas.study.findings import Finding, Remedies, removal
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.kept_networks import folders_of
from jejunet_nas.study.lock import is_locked
from jejunet_nas.study.named import NamedStudy, find_named, read_notes
from jejunet_nas.study.settings_errors import require_same
from jejunet_nas.study.snapshot import snapshot
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.storage_errors import place_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What was found, damage first. searching: whether a process searches the study now."""

    study: str
    trials: int
    networks: int
    searching: bool
    findings: tuple[Finding, ...]

    @property
    def damages(self) -> int:
        """The number of findings that are not harmless."""
        return sum(finding.damaged for finding in self.findings)

    def words(self) -> str:
        """Return the result in a line."""
        what = f"{counted(self.trials, 'trial')} and {counted(self.networks, 'network')} checked"
        result = f"{self.damages} damaged" if self.damages else "nothing is damaged"
        now = "; a search runs: its running trials are left out" if self.searching else ""
        return f"{self.study}: {what}, {result}{now}"


def check_up(study: str, storage: str | None, say: Say) -> Checkup:
    """Check the records, the networks and the files of a study, without TensorFlow.

    say: receives a line while another program locks a database. Raises `SettingError` if there is
    no such study, its file is wrong, or it has no trials yet; `MachineError` if its database cannot
    be read now.
    """
    named, garbled = _named(study, storage)
    folder, url = named.folder, named.storage or storage_url(named.folder)
    remedies = Remedies(word=named.word, url=url, storage=named.storage if storage else None)
    present, searching = folders_of(folder / NETWORKS), is_locked(folder)
    records, findings = None, list[Finding]()
    try:
        with snapshot(url) as copy:
            records = read_trials(named.settings, copy, say)
    except SettingError as error:
        findings.append(_unreadable(error, remedies))
    searching = searching or is_locked(folder)
    if records is None and not searching:
        if not present and not (folder / NOTED).exists():
            raise SettingError(f"{named.settings.name} has no trials yet. Run `{remedies.search}`.")
        findings = findings or [_no_trials(named, url, remedies)]
    if records is not None:
        findings += records.findings(remedies, searching=searching)
        findings += network_findings(records, folder / NETWORKS, remedies)
        if not searching:  # which writes study.yaml at its start
            findings += _notes_findings(named, garbled, records, remedies)
        findings += orphan_findings(present, records)
    reports = project_folder(named.file) / "reports" / named.settings.name
    findings += leftover_findings(folder, reports, searching=searching)
    findings += export_findings(folder)
    return Checkup(
        study=named.settings.name,
        trials=records.count if records else 0,
        networks=len(present),
        searching=searching,
        findings=tuple(sorted(findings, key=lambda finding: not finding.damaged)),
    )


def _named(study: str, storage: str | None) -> tuple[NamedStudy, str | None]:
    """Return the study, and why its study.yaml cannot be read; None if it can."""
    try:
        return find_named(study, storage=storage), None
    except SettingError:
        file = study_file(study)
        name = read_mapping(file).get("name")
        if not isinstance(name, str) or Path(name).name != name:
            raise
        try:
            read_notes(state_folder(file, name))
        except SettingError as garbled:
            return find_named(study, storage=storage, noted={}), str(garbled)
        raise


def _unreadable(error: SettingError, remedies: Remedies) -> Finding:
    return Finding(
        what=str(error).rstrip("."),
        means="no command on the study runs",
        command=remedies.restart,
    )


def _no_trials(named: NamedStudy, url: str, remedies: Remedies) -> Finding:
    database, name = place_of(url), named.settings.name
    return Finding(
        what=f"{database} has no trials of {name}, but {named.folder} has files",
        means="restore it from a copy; a new search uses the trained networks again",
        command=remedies.search,
    )


def _notes_findings(
    named: NamedStudy, garbled: str | None, records: Records, remedies: Remedies
) -> Iterator[Finding]:
    """Yield what is wrong with study.yaml, or with the study's own file."""
    file, name = named.folder / NOTED, named.settings.name
    if garbled is not None:
        yield Finding(
            what=garbled.rstrip("."),
            means="no command on the study runs",
            command=f"{removal([file])} && {remedies.repair}",
        )
        return
    if not file.is_file():
        yield Finding(
            what=f"{file} is missing",
            means="options of the search, such as --data-root, have to be given again",
            command=remedies.repair,
        )
    elif _differ(name, read_mapping(file), records.identity):
        yield Finding(
            what=f"{file} is not of the search that made the trials",
            means="what it says of them is wrong",
            command=remedies.repair,
        )
    if differ := _differ(name, records.identity, named.settings.identity()):
        yield Finding(what=differ.rstrip("."), means="no other command on the study runs")


def _differ(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return how the values of keys that both have differ, or None."""
    try:
        require_same(name, before, {key: now[key] for key in now if key in before})
    except SettingError as error:
        return str(error)
    return None
