"""Adding: a complete trial that no sampler drew, such as a compared policy of a trained network."""

import dataclasses
from pathlib import Path

import optuna
from optuna.trial import TrialState, create_trial

from jejunet_nas.errors import SettingError
from jejunet_nas.records import TrialResult, as_added, to_json
from jejunet_nas.records.words import policy_words
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.history import ADDED, ARCHITECTURE, ENDED, OUTCOME, RECORD
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.opened_words import reason_words
from jejunet_nas.study.samplers import params_of


def hold_added(ledger: Ledger, result: TrialResult) -> tuple[optuna.Trial, TrialResult]:
    """Store `result` as that of a trial that no sampler drew; return both, with its number.

    It is stored as a whole: a process that dies leaves all of it or nothing.
    """
    params = params_of(result.architecture, ledger.settings)
    added = dataclasses.replace(as_added(result), number=len(ledger.trials()))
    trial = ledger.open(
        create_trial(
            state=TrialState.RUNNING,
            params={name: choice for name, (choice, _) in params.items()},
            distributions={name: kind for name, (_, kind) in params.items()},
            user_attrs={
                ARCHITECTURE: canonical_json(added.architecture),
                RECORD: to_json(added),
                OUTCOME: "held",
                ADDED: True,
            },
        )
    )
    assert trial.number == added.number, "one process at a time adds trials to a study"
    return trial, added


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
        trial, added = hold_added(ledger, result)
        ledger.complete(trial, added)
        return added


def known_architectures(ledger: Ledger) -> dict[str, int]:
    """Return the trial number of every architecture that needs no further trial."""
    return {
        trial.user_attrs[ARCHITECTURE]: trial.number
        for trial in ledger.trials()
        if ARCHITECTURE in trial.user_attrs and trial.user_attrs.get(OUTCOME) in ENDED
    }
