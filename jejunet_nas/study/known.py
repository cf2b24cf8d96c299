"""Known: architectures and networks of a study that need no further trial."""

from jejunet_nas.space.architecture import Network
from jejunet_nas.study.history import ADDED, ARCHITECTURE, ENDED, OUTCOME, stored_architecture
from jejunet_nas.study.ledger import Ledger


def known_architectures(ledger: Ledger) -> dict[str, int]:
    """Return the trial number of every architecture that needs no further trial."""
    return {
        trial.user_attrs[ARCHITECTURE]: trial.number
        for trial in ledger.trials()
        if ARCHITECTURE in trial.user_attrs and trial.user_attrs.get(OUTCOME) in ENDED
    }


def known_networks(ledger: Ledger) -> dict[Network, int]:
    """Return the trial number of every network that was drawn and needs no further trial."""
    with ledger.readable():
        return {
            stored_architecture(notes[ARCHITECTURE]).network: number
            for number, notes in ((each.number, each.user_attrs) for each in ledger.trials())
            if ARCHITECTURE in notes and ADDED not in notes
            if notes.get(OUTCOME) in (*ENDED, "held")
        }
