"""Interrupted: trials of a process that died are tried again, or closed with their results."""

from collections.abc import Callable

from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.records import TrialResult
from jejunet_nas.space.architecture import Network
from jejunet_nas.space.draw import network_choices
from jejunet_nas.study.history import (
    ARCHITECTURE,
    OUTCOME,
    RECORD,
    is_held,
    read_records,
    stored_architecture,
)
from jejunet_nas.study.jobs import MOST_ENDS
from jejunet_nas.study.kept_rounds import is_member
from jejunet_nas.study.ledger import STOPPED, Ledger


def take_up_interrupted(
    ledger: Ledger, measured: Callable[[TrialResult], TrialResult] = lambda result: result
) -> int:
    """Propose again the trials of a process that died; return their number.

    Trials that only waited for their measurement are closed with their results; `measured` adds
    measurements that were made since. Members of rounds are left to `search.rounds`.
    """
    trials = ledger.trials()
    running = [each for each in trials if each.state == TrialState.RUNNING]
    held = [*filter(is_held, running)]
    with ledger.readable():
        closed = [each for each in held if not is_member(each)]
        results = read_records(TrialResult, (each.user_attrs[RECORD] for each in closed))
    for trial, result in zip(closed, results, strict=True):
        ledger.complete(ledger.reopen(trial), measured(result))
    with ledger.readable():
        return sum(_try_again(ledger, trial) for trial in running if trial not in held)


def ended_words(ends: int) -> str:
    """Return why a trial failed that ended the process so many times."""
    return f"ended the process {ends} times: a crash, or not enough memory"


def _try_again(ledger: Ledger, trial: FrozenTrial) -> bool:
    """Close an interrupted trial; propose it again unless it keeps ending the process."""
    network = _network_of(trial)
    if network is not None:
        ends = sum(
            _network_of(each) == network
            and each.user_attrs.get(OUTCOME, "interrupted") == "interrupted"
            and STOPPED not in each.user_attrs
            for each in ledger.trials()
        )
        if ends >= MOST_ENDS and STOPPED not in trial.user_attrs:
            reason = ended_words(ends)
            ledger.drop(ledger.reopen(trial), "failed", reason)
            ledger.say(f"trial {trial.number} failed: {reason}")
            return False
        ledger.propose(network_choices(network))
    elif "fixed_params" in trial.system_attrs:  # it ended before it was drawn
        ledger.propose(trial.system_attrs["fixed_params"])
    ledger.drop(ledger.reopen(trial), "interrupted")
    return True


def _network_of(trial: FrozenTrial) -> Network | None:
    """Return the network of `trial`, or None if it ended before it was drawn."""
    plain = trial.user_attrs.get(ARCHITECTURE)
    return stored_architecture(plain).network if plain is not None else None
