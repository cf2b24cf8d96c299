"""The noise between seeds is measured where networks were trained again, and assumed elsewhere."""

import dataclasses
import math

import pytest

from jejunet_nas.scoring.noise import TYPICAL_STD, SeedNoise, pooled, seed_noise
from jejunet_nas.scoring.repeats import contenders, mean_miou, pick_of, trainings
from tests.reporting.build import measured
from tests.scoring.networks import again, network

STEADY, LUCKY = network(0, [0.6] * 4), network(1, [0.64] * 4)
REPEATS = {
    0: [again(STEADY, seed, [0.6] * 4) for seed in (1, 2)],
    1: [again(LUCKY, seed, [0.52] * 4) for seed in (1,)],
}


def test_the_noise_is_pooled_over_the_networks_that_were_trained_again() -> None:
    found = seed_noise([STEADY, LUCKY, network(2, [0.1] * 4)], REPEATS)

    assert found.freedom == 3
    assert found.std == pytest.approx(math.sqrt(2 * 0.06**2 / 3))
    assert found.of_difference == pytest.approx(math.sqrt(2) * found.std)


def test_without_repeats_the_noise_is_the_typical_one() -> None:
    assert seed_noise([STEADY, LUCKY], {}) == SeedNoise(std=TYPICAL_STD, freedom=0)
    assert pooled(seed_noise([STEADY], {}), SeedNoise(std=0.02, freedom=3)).std == 0.02


def test_the_pick_is_the_contender_with_the_best_mean() -> None:
    never = network(2, [0.9] * 4)  # not trained again, so its luck is unknown

    assert pick_of([STEADY, LUCKY, never], REPEATS) is STEADY
    assert pick_of([STEADY, LUCKY, never], {}) is never
    assert contenders([STEADY, LUCKY, never], REPEATS) == [STEADY, LUCKY]
    assert mean_miou(LUCKY, REPEATS) == pytest.approx(0.58)
    assert pick_of([], REPEATS) is None


def test_repeats_with_latencies_of_another_source_do_not_count() -> None:
    on_phone = measured(STEADY, 25.0)

    assert trainings(on_phone, REPEATS) == (on_phone.streamed,)
    assert len(trainings(dataclasses.replace(STEADY), REPEATS)) == 3
