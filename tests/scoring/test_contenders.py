"""Contenders are within the noise of the best; the pick is told apart over clips and seeds."""

import dataclasses

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.scoring.contenders import contenders_at_target, undecided
from jejunet_nas.scoring.noise import seed_noise
from tests.reporting.build import history
from tests.scoring.networks import again, network

# Without repeats a difference has a standard deviation of 1.4 points, so 2.8 points are within.
BEST, CLOSE, FAR = (network(n, [iou] * 6) for n, iou in enumerate((0.70, 0.68, 0.66)))


def numbers(trials: list[TrialResult]) -> list[int]:
    return [trial.number for trial in trials]


def repeated(study: StudyHistory, **ious: list[float]) -> StudyHistory:
    """The study with further trainings of trials, `t0=[0.6, 0.7]` of trial 0."""
    repeats = {}
    for name, figures in ious.items():
        trained = study.complete[int(name[1:])]
        repeats[trained.number] = [
            again(trained, seed, [iou] * 6) for seed, iou in enumerate(figures, 1)
        ]
    return dataclasses.replace(study, repeats=repeats)


def test_contenders_are_within_the_noise_of_the_best_at_the_target() -> None:
    over = network(3, [0.9] * 6, mean_ms=50.0)  # 40 ms are allowed
    study = history(BEST, CLOSE, FAR, over)

    assert numbers(contenders_at_target(study, most=4)) == [0, 1]
    assert numbers(contenders_at_target(study, most=1)) == [0]
    assert numbers(contenders_at_target(study, most=4, within_noise=False)) == [0, 1, 2]
    assert contenders_at_target(history(over), most=4) == []
    assert contenders_at_target(history(over), most=4, within_noise=False) == []


def test_a_network_contends_once_and_only_if_it_was_trained_to_the_end() -> None:
    twin = dataclasses.replace(CLOSE, network=BEST.network)
    study = history(BEST, twin)

    assert numbers(contenders_at_target(study, most=4)) == [0]
    assert contenders_at_target(study, most=4, above_steps=BEST.network.training.steps) == []


def test_contenders_that_were_trained_again_stay_where_the_noise_turns_out_to_be_small() -> None:
    study = repeated(history(BEST, CLOSE, FAR), t0=[0.700, 0.701], t1=[0.680, 0.679])

    assert numbers(contenders_at_target(study, most=4)) == [0, 1]


def test_a_repeat_that_scores_alike_by_chance_does_not_end_the_contest() -> None:
    study = repeated(history(BEST, CLOSE), t0=[0.70])

    assert seed_noise(study.complete, study.repeats).std == 0
    assert numbers(contenders_at_target(study, most=4)) == [0, 1]


def test_one_training_each_tells_nothing_apart() -> None:
    study = history(BEST, CLOSE)

    assert numbers(undecided([BEST, CLOSE], study)) == [0, 1]
    assert undecided([BEST], study) == []
    assert undecided([], study) == []


def test_the_pick_is_told_apart_where_seeds_differ_less_than_the_networks() -> None:
    both = [BEST, CLOSE]

    assert undecided(both, repeated(history(*both), t0=[0.700, 0.701], t1=[0.680, 0.679])) == []
    unsure = repeated(history(*both), t0=[0.66, 0.72], t1=[0.70, 0.65])
    assert numbers(undecided(both, unsure)) == [0, 1]


def test_of_three_only_those_stay_that_are_not_told_apart_from_the_pick() -> None:
    all_three = [BEST, CLOSE, FAR]
    study = repeated(
        history(*all_three), t0=[0.699, 0.701], t1=[0.702, 0.700, 0.719], t2=[0.66, 0.66]
    )

    assert numbers(undecided(all_three, study)) == [0, 1]
