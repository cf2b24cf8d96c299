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


def with_store(setup: TrialSetup, ledger: Ledger, given: str | None = None) -> TrialSetup:
    """Return `setup` with the store of its study; `given` becomes it.

    Raises `SettingError` if it cannot be opened, or has a password: all workers read its URL.
    """
    shared = _store_of(ledger, given)
    if shared is None:
        return setup
    ledger.note(STORE, shared.url)
    return dataclasses.replace(setup, shared=shared)


def fetch_networks(ledger: Ledger, history: StudyHistory, networks: Path) -> None:
    """Fetch the networks of a study that other machines have made, so that any can be exported."""
    if shared := _store_of(ledger):
        names = {each.network_id for each in history.complete}
        names |= {each.network_id for found in history.repeats.values() for each in found}
        shared.fetch_missing(names, networks)


def _store_of(ledger: Ledger, given: str | None = None) -> SharedNetworks | None:
    url = given or ledger.noted(STORE)
    if not isinstance(url, str):
        return None
    if masked(url) != url:
        raise SettingError(
            f"--store is {masked(url)}; allowed: a URL without a password. Give the credentials as "
            "fsspec's documentation says, in the environment or in a file of every machine."
        )
    return SharedNetworks(url, ledger.settings.name)
