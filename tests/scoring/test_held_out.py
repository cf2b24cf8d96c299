"""A pick's held-out figure has no luck of its own, and its interval holds what it says."""

import dataclasses

import numpy as np
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.held_out import HeldOut, cross, cross_where_possible, held_out
from tests.reporting.build import history, trial
from tests.scoring.networks import again, alike, halved, network

TRUE = 0.6


def figure(study: StudyHistory) -> HeldOut:
    found = held_out(study)
    assert found is not None
    return found


def test_among_equal_networks_the_picks_own_figure_is_lucky_and_the_held_out_one_is_not() -> None:
    rng = np.random.default_rng(0)
    found = [figure(alike(rng, networks=30)) for _ in range(60)]
    own, held = (np.mean([getattr(f, name) for f in found]) for name in ("in_sample_miou", "miou"))
    a_network = 0.05 / np.sqrt(20)

    # The expected maximum of 30 normal figures is 2.04 standard deviations above their mean.
    assert own - TRUE == pytest.approx(2.04 * a_network, rel=0.15)
    assert abs(held - TRUE) < 3 * a_network / np.sqrt(60)


def test_luck_in_training_is_held_out_only_where_contenders_were_trained_again() -> None:
    rng = np.random.default_rng(1)
    once, again = (
        np.mean([figure(alike(rng, networks=30, repeats=n, seeds=0.02)).miou for _ in range(60)])
        for n in (0, 3)
    )

    # A lucky training is lucky on both halves; four trainings of it, one held out, are not.
    assert once - TRUE > 0.02
    assert abs(again - TRUE) < 3 * 0.02 / np.sqrt(60)


@pytest.mark.parametrize(("repeats", "seeds"), [(0, 0.0), (3, 0.02)])
def test_nineteen_in_twenty_intervals_hold_the_true_miou(repeats: int, seeds: float) -> None:
    rng = np.random.default_rng(2)
    intervals = [
        figure(alike(rng, networks=8, repeats=repeats, hardness=0.1, seeds=seeds)).interval
        for _ in range(200)
    ]

    held = np.mean([each is not None and each.low <= TRUE <= each.high for each in intervals])
    # 200 tries of 0.95 miss by less than 0.04 in 99 of 100; the seeds' noise counts once with the
    # clips and once by itself, which widens a little.
    assert held >= 0.91


def test_an_interval_with_seeds_is_wider_than_one_over_the_same_clips_alone() -> None:
    study = alike(np.random.default_rng(3), networks=8, repeats=3, seeds=0.03)
    alone = {
        n: [dataclasses.replace(r, streamed=each.streamed) for r in study.repeats.get(n, ())]
        for n, each in enumerate(study.complete)
    }

    wide = figure(study).interval
    narrow = figure(dataclasses.replace(study, repeats=alone)).interval

    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_each_half_is_scored_with_the_pick_of_the_other() -> None:
    split = cross(halved(network(0, [0.5] * 4)))
    assert split is not None
    assert split.split is not None
    first = [float(f"clip {n}" in split.split.first) for n in range(4)]
    early, late = (
        network(0, [0.4 + 0.2 * f for f in first]),
        network(1, [0.6 - 0.2 * f for f in first]),
    )

    found = figure(halved(early, late))

    assert found.picked == ((0,), (1,))
    assert (found.in_sample_miou, found.miou) == (pytest.approx(0.5), pytest.approx(0.4))
    assert found.clips == (2, 2)


def test_a_training_is_scored_for_the_pick_of_the_others() -> None:
    steady, lucky = network(0, [0.6] * 4), network(1, [0.7] * 4)
    repeats = {0: [again(steady, 1, [0.6] * 4)], 1: [again(lucky, 1, [0.5] * 4)]}

    found = figure(dataclasses.replace(history(steady, lucky), repeats=repeats))

    assert found.picked == ((1,),)  # by its first training
    assert (found.miou, found.trainings) == (pytest.approx(0.5), 1)
    assert found.noise.freedom == 2


def test_a_study_that_holds_nothing_out_has_no_held_out_figure() -> None:
    assert held_out(history(network(0, [0.5] * 4))) is None
    assert held_out(halved(network(0, [0.5] * 4, mean_ms=50.0))) is None
    assert held_out(halved()) is None


def test_a_single_short_clip_is_refused() -> None:
    study = halved(trial(0, 0.5, 20.0))

    with pytest.raises(
        SettingError, match=r"^validation is half, but val has 1 annotated clip that"
    ):
        held_out(study)
    assert cross_where_possible(study) is None
