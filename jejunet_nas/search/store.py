"""The store of a study: where its machines share their networks, as the study itself notes."""

import dataclasses
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.faults import masked
from jejunet_nas.records import StudyHistory
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.shared import SharedNetworks

STORE = "store"  # an attribute of the study


def store_of(ledger: Ledger, given: str | None = None) -> str | None:
    """Return the URL of the store that the study notes; `given` is noted in its place.

    Raises `SettingError` if that has a password, since all workers read it, or cannot be opened.
    """
    if given is not None:
        if masked(given) != given:
            raise SettingError(
                f"--store is {masked(given)}; allowed: a URL without a password. Give the "
                "credentials as fsspec's documentation says, in the environment or in a file of "
                "every machine."
            )
        SharedNetworks(given, ledger.settings.name)  # what cannot be opened is not noted
        ledger.note(STORE, given)
    kept = ledger.noted(STORE)
    return kept if isinstance(kept, str) else None


def with_store(setup: TrialSetup, store: str | None, study: str) -> TrialSetup:
    """Return `setup` with the store of its study. Raises `SettingError` if it cannot be opened."""
    if store is None:
        return setup
    return dataclasses.replace(setup, shared=SharedNetworks(store, study))


def fetch_networks(
    ledger: Ledger, history: StudyHistory, networks: Path, given: str | None = None
) -> None:
    """Fetch the networks of a study that other machines have made, so that any can be exported.

    given: as in `store_of`.
    """
    if store := store_of(ledger, given):
        names = {each.network_id for each in history.complete}
        names |= {each.network_id for found in history.repeats.values() for each in found}
        SharedNetworks(store, ledger.settings.name).fetch_missing(names, networks)
