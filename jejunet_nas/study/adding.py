"""Adding: a complete trial that no sampler drew, such as a compared policy of a trained network."""

import dataclasses
from pathlib import Path
from typing import Any

from optuna.trial import TrialState, create_trial

from jejunet_nas.errors import SettingError
from jejunet_nas.records import TrialResult
from jejunet_nas.records.words import policy_words
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.draw import choices_of
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.opened_words import reason_words
from jejunet_nas.study.samplers import distribution
from jejunet_nas.study.settings import StudySettings


def add_trial(ledger: Ledger, folder: Path, result: TrialResult) -> TrialResult:
    """Store `result` as a complete trial of the study in `folder`; return it with its number.

    Samplers learn from it if all its choices are in the space.

    Raises `SettingError` if its architecture has a trial already, or a search is running.
    """
    architecture = result.architecture
    with study_lock(folder, ledger.settings.name):
        known = ledger.known().get(canonical_json(architecture))
        if known is not None:
            raise SettingError(
                f"{policy_words(architecture.policy)} is the policy of trial {known} already"
                f"{reason_words(known, ledger.history())}. Add another policy."
            )
        drawn = _drawn(architecture, ledger.settings)
        trial = ledger.open(create_trial(state=TrialState.RUNNING, **drawn))
        added = dataclasses.replace(
            result, number=trial.number, stage_s={}, network_reused=True, added=True
        )
        ledger.begin(trial, architecture)
        ledger.complete(trial, added)
        return added


def _drawn(architecture: Architecture, settings: StudySettings) -> dict[str, Any]:
    """Return `params` and `distributions`; none where a choice is not in the space."""
    spaces, choices = settings.search_space.choices(), choices_of(architecture)
    if any(choice not in spaces[name] for name, choice in choices.items()):
        return {}
    return {
        # The space's own objects: a 1 would not equal a 1.0 in Optuna.
        "params": {name: spaces[name][spaces[name].index(each)] for name, each in choices.items()},
        "distributions": {name: distribution(spaces[name]) for name in choices},
    }
