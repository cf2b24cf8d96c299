"""A complete trial that no sampler drew joins a study."""

from pathlib import Path

import optuna
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import RefusedTrial
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.space.draw import choices_of, draw
from jejunet_nas.study.adding import add_trial
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.samplers import chooser
from jejunet_nas.study.storage import storage_url
from tests.builders import tiny_network
from tests.search.build import result, tiny_study

TPE = "sampler: {name: tpe}\ntrials: 8\n"  # models the space after 4
OF_SPACE = tiny_network(last_block=9, decoder_channels=8, logit_stride=8)


def open_ledger(folder: Path) -> Ledger:
    return Ledger(tiny_study(folder, TPE), storage_url(folder))


def of_interval(interval: int) -> Architecture:
    """Return an architecture of the space, which has the intervals 1 to 3; else its network."""
    return Architecture(network=OF_SPACE, policy=Policy(keyframe_interval=interval))


def frozen(folder: Path) -> optuna.trial.FrozenTrial:
    """Return the study's last trial as Optuna has it."""
    return optuna.load_study(study_name="tiny", storage=storage_url(folder)).trials[-1]


def test_an_added_trial_is_complete_marked_and_has_its_own_number(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    first = ledger.ask()
    ledger.begin(first, of_interval(1))
    ledger.complete(first, result(first.number, of_interval(1)))

    added = add_trial(ledger, tmp_path, result(0, of_interval(2)))

    assert (added.number, added.added, added.network_reused) == (1, True, True)
    drawn, taken = ledger.history().complete
    assert (drawn.added, taken) == (False, added)
    assert frozen(tmp_path).state == optuna.trial.TrialState.COMPLETE


@pytest.mark.parametrize(("interval", "learnt"), [(3, True), (5, False)])
def test_samplers_learn_from_it_where_the_space_has_its_choices(
    interval: int, learnt: bool, tmp_path: Path
) -> None:
    ledger = open_ledger(tmp_path)

    add_trial(ledger, tmp_path, result(0, of_interval(interval)))

    params = frozen(tmp_path).params
    assert params == (choices_of(of_interval(interval)) if learnt else {})
    for _ in range(6):  # TPE goes on, whatever was added
        trial = ledger.ask()
        architecture = draw(ledger.settings.search_space, chooser(trial))
        ledger.complete(trial, result(trial.number, architecture))


def test_an_architecture_is_added_once_and_none_that_was_drawn(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    add_trial(ledger, tmp_path, result(0, of_interval(2)))

    with pytest.raises(SettingError, match=r"^key every 2, propagate is the policy of trial 0 al"):
        add_trial(ledger, tmp_path, result(0, of_interval(2)))

    assert len(ledger.trials()) == 1


def test_an_architecture_that_was_refused_is_named_with_the_reason(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    trial = ledger.ask()
    ledger.begin(trial, of_interval(2))
    figures = {"mean_ms": 99.0, "worst_ms": 99.0, "dropped_frames": 0.5, "source": "predicted"}
    slow = RefusedTrial(number=0, architecture=of_interval(2), reason="too slow", **figures)
    ledger.refuse(trial, slow)

    with pytest.raises(SettingError, match=r"trial 0 already, which was refused: too slow\. Add"):
        add_trial(ledger, tmp_path, result(0, of_interval(2)))


def test_what_is_proposed_stays_proposed(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.propose(choices_of(of_interval(1)))

    add_trial(ledger, tmp_path, result(0, of_interval(2)))

    assert draw(ledger.settings.search_space, chooser(ledger.ask())) == of_interval(1)


def test_nothing_is_added_while_a_search_runs(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)

    with (
        study_lock(tmp_path, "tiny"),
        pytest.raises(SettingError, match="tiny is being searched by another process"),
    ):
        add_trial(ledger, tmp_path, result(0, of_interval(2)))

    assert not ledger.trials()
