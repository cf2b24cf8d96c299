"""Checked records: a study's trials as its database has them, and what is wrong with them.

Every command reads all records, so a single one that cannot be read stops them all.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.progress import Say
from jejunet_nas.records import RefusedTrial, Repeat, TrialResult, from_json
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.findings import Finding, Remedies, numbers_words
from jejunet_nas.study.history import (
    ADDED,
    ARCHITECTURE,
    OUTCOME,
    REASON,
    RECORD,
    is_begun,
    read_rows,
    stored_architecture,
    without_garbage_collection,
)
from jejunet_nas.study.kept_data import kept_repaired, kept_repeats
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import has_study, open_storage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the database of a study has.

    results: of the complete trials. repeats: as in `StudyHistory`. unreadable: trials whose record
    cannot be read, and whether it can be made again. running, doubled: numbers of trials. drawn:
    the networks that a sampler drew. networks: of all trials, in any state.
    """

    identity: Mapping[str, Any]
    count: int
    results: tuple[TrialResult, ...]
    repeats: Mapping[int, tuple[Repeat, ...]]
    unreadable: Mapping[int, bool]
    running: tuple[int, ...]
    doubled: tuple[int, ...]
    drawn: frozenset[Network]
    networks: frozenset[Network]

    def findings(self, remedies: Remedies, *, searching: bool) -> Iterator[Finding]:
        """Yield what is wrong with the records. searching: running trials are as they should be."""
        if self.doubled:
            yield Finding(
                what=f"the number of {numbers_words(self.doubled)} occurs twice in the database",
                means="no command can tell the two apart",
                command=remedies.restart,
            )
            return  # what else is found may be of the other trial
        if self.unreadable:
            whole = all(self.unreadable.values())
            yield Finding(
                what=f"the record of {numbers_words(self.unreadable)} cannot be read",
                means="every command on the study fails",
                command=remedies.repair if whole else remedies.restart,
            )
        yield from self._of_results(remedies)
        if self.running and not searching:
            yield Finding(
                what=f"{numbers_words(self.running)} still running, but nothing searches the study",
                means="interrupted; a search takes up such a trial",
                command=remedies.search,
                damaged=False,
            )

    def _of_results(self, remedies: Remedies) -> Iterator[Finding]:
        first: dict[Any, int] = {}
        for result in self.results:
            known = first.setdefault(result.architecture, result.number)
            if known != result.number:
                yield Finding(
                    what=f"trial {result.number} has the network and the policy of trial {known}",
                    means="it counts twice",
                    command=remedies.restart,
                )
            if result.added and result.architecture.network not in self.drawn:
                yield Finding(
                    what=f"trial {result.number} was added to a trial that is not in the database",
                    means="trials were lost",
                    command=remedies.restart,
                )


def read_trials(settings: StudySettings, url: str, say: Say) -> Records | None:
    """Return what the database at `url` has of a study; None if that has not begun.

    Raises `SettingError` or `MachineError` where not even Optuna can read it.
    """
    if not has_study(url, settings.name, say):
        return None
    storage = open_storage(url, say)
    try:
        if not is_begun(storage, settings.name):
            return None
        ledger = Ledger(settings, url, say, storage=storage)
        with ledger.readable():
            numbers = [row.number for row in read_rows(storage, settings.name)]
        with without_garbage_collection():
            return records_of(ledger, numbers)
    finally:
        storage.engine.dispose()


def records_of(ledger: Ledger, numbers: Sequence[int] = ()) -> Records:
    """Return what the ledger of a study has. Raises as `read_trials`.

    numbers: of the trials in the database; of two with one number Optuna returns one.
    """
    trials, attributes = ledger.trials(), ledger.attributes()
    results: list[TrialResult] = []
    unreadable: dict[int, bool] = {}
    networks: dict[int, Network] = {}
    with ledger.readable():
        repeats, repaired = kept_repeats(attributes), kept_repaired(attributes)
    doubled = tuple(number for number, count in Counter(numbers).items() if count > 1)
    for trial in trials:
        network = _network_of(trial)
        if network is not None:
            networks[trial.number] = network
        try:
            if (result := _result_of(trial, repaired)) is not None:
                results.append(result)
        except (ValueError, KeyError, TypeError):
            complete = trial.user_attrs.get(OUTCOME) == "complete"
            unreadable[trial.number] = complete and network is not None
    for number in doubled:  # whose record may be of the other one
        unreadable.pop(number, None)
    if not unreadable and not doubled:
        ledger.history()  # what else it needs, such as the classes
    added = {trial.number for trial in trials if ADDED in trial.user_attrs}
    return Records(
        identity=ledger.identity() or {},
        count=len(trials),
        results=tuple(results),
        repeats=repeats,
        unreadable=unreadable,
        running=tuple(trial.number for trial in trials if trial.state == TrialState.RUNNING),
        doubled=doubled,
        drawn=frozenset(each for number, each in networks.items() if number not in added),
        networks=frozenset(networks.values()),
    )


def _result_of(trial: FrozenTrial, repaired: Mapping[int, str]) -> TrialResult | None:
    """Return the result of a complete trial. Raises ValueError or KeyError for a damaged record."""
    notes = trial.user_attrs
    if ARCHITECTURE in notes:
        stored_architecture(notes[ARCHITECTURE])
    match notes.get(OUTCOME):
        case "complete":
            result = from_json(TrialResult, repaired.get(trial.number, notes[RECORD]))
            if result.number != trial.number:
                raise ValueError(f"it is of trial {result.number}")
            return result
        case "refused":
            from_json(RefusedTrial, notes[RECORD])
        case "failed":
            notes[REASON]
        case _ if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            raise KeyError(OUTCOME)
    return None


def _network_of(trial: FrozenTrial) -> Network | None:
    try:
        return stored_architecture(trial.user_attrs[ARCHITECTURE]).network
    except (ValueError, KeyError, TypeError):
        return None
