"""Adding: trials that none of Optuna's samplers draws. Each is stored at once."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from jejunet_nas.errors import SettingError
from jejunet_nas.records import TrialResult, as_added, to_json
from jejunet_nas.records.words import policy_words
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.draw import choices_of, network_choices
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.history import (
    ADDED,
    ARCHITECTURE,
    OUTCOME,
    RECORD,
)
from jejunet_nas.study.known import known_architectures
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.opened_words import reason_words
from jejunet_nas.study.samplers import params_of


def begin_trial(ledger: Ledger, architecture: Architecture) -> optuna.Trial:
    """Return a running trial of a network that our own sampler drew.

    `architecture` has a policy until the best is known.
    """
    return _open(
        ledger,
        network_choices(architecture.network),
        {ARCHITECTURE: canonical_json(architecture)},
    )


def hold_added(ledger: Ledger, result: TrialResult) -> tuple[optuna.Trial, TrialResult]:
    """Store `result` as that of a held trial that nobody drew; return both, with its number."""
    added = dataclasses.replace(as_added(result), number=ledger.count())
    attributes = {
        ARCHITECTURE: canonical_json(added.architecture),
        RECORD: to_json(added),
        OUTCOME: "held",
        ADDED: True,
    }
    trial = _open(ledger, choices_of(added.architecture), attributes)
    assert trial.number == added.number, "one process at a time adds trials to a study"
    return trial, added


def _open(
    ledger: Ledger, choices: Mapping[str, Choice], attributes: Mapping[str, Any]
) -> optuna.Trial:
    params = params_of(choices, ledger.settings)
    return ledger.open(
        create_trial(
            state=TrialState.RUNNING,
            params={name: choice for name, (choice, _) in params.items()},
            distributions={name: kind for name, (_, kind) in params.items()},
            user_attrs=dict(attributes),
        )
    )


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
