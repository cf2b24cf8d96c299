"""Adding: trials that none of Optuna's samplers draws. Each is stored at once."""

import dataclasses
from pathlib import Path

import optuna

from jejunet_nas.errors import SettingError
from jejunet_nas.records import TrialResult, as_added
from jejunet_nas.records.words import policy_words
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.study import templates
from jejunet_nas.study.known import known_architectures
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.opened_words import reason_words

_ONE_WRITER = "one process at a time adds trials to a study"


def begin_trial(ledger: Ledger, architecture: Architecture) -> optuna.Trial:
    """Return a running trial of a network that our own sampler drew.

    `architecture` has a policy until the best is known.
    """
    return ledger.open(templates.running(ledger.settings, architecture))


def hold_added(ledger: Ledger, result: TrialResult) -> tuple[optuna.Trial, TrialResult]:
    """Store `result` as that of a held trial that nobody drew; return both, with its number."""
    added = _numbered(ledger, result)
    trial = ledger.open(templates.held(ledger.settings, added))
    assert trial.number == added.number, _ONE_WRITER
    return trial, added


def complete_added(ledger: Ledger, result: TrialResult) -> TrialResult:
    """Store `result` as a complete trial that nobody drew; return it with its number."""
    added = _numbered(ledger, result)
    number = ledger.add(templates.completed(ledger.settings, added))
    assert number == added.number, _ONE_WRITER
    return added


def _numbered(ledger: Ledger, result: TrialResult) -> TrialResult:
    return dataclasses.replace(as_added(result), number=ledger.count())


def add_trial(ledger: Ledger, folder: Path, result: TrialResult) -> TrialResult:
    """Store `result` as a complete trial of the study in `folder`; return it with its number.

    Raises `SettingError` if its architecture has a trial already, or a search is running.
    """
    architecture = result.architecture
    with study_lock(folder, ledger.settings.name):
        known = known_architectures(ledger).get(canonical_json(architecture))
        if known is not None:
            raise SettingError(
                f"{policy_words(architecture.policy)} is the policy of trial {known} already"
                f"{reason_words(known, ledger.history())}. Add another policy."
            )
        return complete_added(ledger, result)
