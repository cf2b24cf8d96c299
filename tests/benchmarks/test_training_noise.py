"""Noise of training: its statistics against known ones, its plan, trainings and page."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.records.words import network_words
from jejunet_nas.search.feasibility import Aim
from jejunet_nas.space.architecture import EVERY_FRAME, Architecture
from jejunet_nas.study.study_file import read_study
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.noise_plan import (
    DRAWN,
    Plan,
    Recipe,
    Table,
    Unit,
    drawn_networks,
    kept_units,
    measure,
)
from tests.benchmarks.noise_statistics import (
    Spread,
    best,
    bootstrapped,
    kendall,
    mean_difference,
    pearson,
    ranks,
    ratio,
    scatter,
    spearman,
    spread,
    unpaired,
)
from tests.benchmarks.quantization import STUDY
from tests.benchmarks.training_noise import page
from tests.builders import LONGEST_AGE, TINY_TRAINING, space_of, tiny_network, tiny_splits

BEFORE = Recipe("before", 400, keras_models=True)
AFTER = Recipe("after", 400, {"learning_rate": 0.002})
BRIEF = Recipe("brief", 100)
NETWORK, SECOND = tiny_network(), tiny_network(detail="shared")
RANKED = [tiny_network(decoder_channels=channels) for channels in (24, 32, 40, 48, 56, 64)]
PLAN = Plan(
    network=NETWORK,
    second=SECOND,
    ranked=RANKED,
    recipes=(BEFORE, AFTER, BRIEF),
    brief=BRIEF,
    long=AFTER,
)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_correlations_are_those_of_scipy_ties_too(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(values, np.float64) for values in zip(*pairs, strict=True))
    if len({*x}) == 1 or len({*y}) == 1:
        assert all(np.isnan(each(x, y)) for each in (pearson, spearman, kendall))
        return

    for ours, theirs in ((pearson, pearsonr), (spearman, spearmanr), (kendall, kendalltau)):
        assert ours(x, y) == pytest.approx(theirs(x, y).statistic, abs=1e-9)


def test_a_correlation_of_the_same_order_is_one_in_every_draw() -> None:
    found = bootstrapped(kendall, [0.1, 0.2, 0.4, 0.8], [1.0, 2.0, 3.0, 4.0])

    assert found == (pytest.approx(1), pytest.approx(1), pytest.approx(1))


def test_intervals_hold_the_true_spread_ratio_and_difference_in_95_of_100_cases() -> None:
    rng, hits = np.random.default_rng(0), np.zeros(3)
    for _ in range(2000):
        one, other = rng.normal(0, 2, 4), rng.normal(1, 1, 4)
        for place, (found, true) in enumerate(
            (
                (spread(one).estimate, 2),
                (ratio(spread(one), spread(other)), 2),
                (mean_difference(one - other), -1),
            )
        ):
            hits[place] += found.low <= true <= found.high

    # The standard error of a share of 0.95 in 2,000 cases is 0.005.
    np.testing.assert_allclose(hits / 2000, 0.95, atol=0.02)


def test_an_unpaired_difference_adds_the_squares_and_the_freedom_of_equal_spreads() -> None:
    assert unpaired(Spread(3, 3), Spread(4, 3)).std == pytest.approx(5)
    assert unpaired(Spread(2, 3), Spread(2, 3)).freedom == pytest.approx(6)


def test_a_scatter_has_each_point_at_its_place_or_beside_it() -> None:
    values = [0.5, 0.5, 0.7, 0.9]

    rows = scatter(values, values).splitlines()

    assert rows[0].index("D") == len(rows[-1]) - 1
    assert rows[-2] == "|AB"
    assert best(values, 2) == {2, 3}
    assert ranks(values) == [3.5, 3.5, 2, 1]


def test_the_ranked_networks_can_meet_the_target_and_cover_the_space() -> None:
    settings = read_study(STUDY)
    aim = Aim.of(settings, 2)

    drawn = drawn_networks(aim, DRAWN)

    assert len({*drawn}) == DRAWN
    assert all(aim.find(network).meets for network in drawn)
    for name in ("depth_multiplier", "last_block", "detail", "logit_stride"):
        assert {getattr(network, name) for network in drawn} == {*getattr(aim.space, name)}


def made_up(*, seeds: int = 4) -> Table:
    """Return a table: after is 2 points better, and half as noisy as before."""
    spreads = {BEFORE.words: 0.02, AFTER.words: 0.01, BRIEF.words: 0.03}
    units = {}
    for recipe, network, seed in PLAN.jobs():
        if seed < seeds:
            miou = 0.7 + 0.02 * (recipe is AFTER) + (seed - 1.5) * spreads[recipe.words]
            if network in RANKED:
                miou = network.decoder_channels / 100
            unit = Unit(recipe.words, network_words(network), seed, recipe.steps / 4, 250.0, miou)
            units[unit.key] = unit
    return Table("made up", PLAN, units, 16)


def test_the_page_compares_each_recipe_with_the_first() -> None:
    told = page([made_up()], "how")

    assert (
        "| made up | after: 400 steps, learning_rate 0.002 | 4 | 72.0 | 1.29 (0.73 to 4.81) |"
        in (told)
    )
    assert "| 100 | 250 | +2.0 (" in told
    assert "| 0.50 (0.13 to 1.96) | 1.00 |" in told
    assert "| made up | brief: 100 steps | 4 |" in told


def test_the_page_says_what_equal_seeds_and_brief_training_are_worth() -> None:
    told = page([made_up()], "how")

    assert (
        "has a standard deviation of 0.00 (0.00 to 0.00) points with equal seeds (4 pairs), and"
        in (told)
    )
    assert "Spearman's rho: 1.00 (1.00 to 1.00)" in told
    assert "2 are among the best 2 after brief training, and 2 in the best half" in told
    assert "| F | 0.25 x blocks 0-6 /16, 64 ch, thin /4, 64 px | 64.0 | 1 | 64.0 | 1 |" in told


def test_an_unfinished_page_leaves_out_what_is_not_known() -> None:
    empty = Table("made up", PLAN, {}, 16)

    for table in (empty, made_up(seeds=1)):
        told = page([table], "how")
        assert "nan" not in told
        assert "## Brief" not in told
        assert "standard deviation of" not in told


def test_a_killed_benchmark_resumes_and_another_learning_rate_is_another_training(
    tmp_path: Path,
) -> None:
    train, val = tiny_splits()
    setup = TrialSetup(
        train=train,
        val=val,
        training=dataclasses.replace(TINY_TRAINING, pairs_per_step=2),
        compression=CompressionSettings(),
        meter=PredictedMeter(profile=load_profile("pixel2")),
        space=space_of(Architecture(network=SECOND, policy=EVERY_FRAME)),
        target_fps=24.0,
        longest_age=LONGEST_AGE,
        rungs=(2,),  # of the study; all steps of a recipe are one training
        recipe={},
        source=None,
        folder=tmp_path,
    )
    recipes = Recipe("before", 2, keras_models=True), Recipe("after", 2)
    plan = Plan(network=SECOND, recipes=recipes, long=recipes[1], seeds=(0,))
    file = tmp_path / "units.jsonl"

    def silent(what: str, done: int, total: int) -> None:
        pass

    (first,) = itertools.islice(measure(plan, setup, kept_units(file, setup), silent), 1)
    (second,) = measure(plan, setup, kept_units(file, setup), silent)

    assert (first.recipe, second.recipe) == ("before: 2 steps, Keras models", "after: 2 steps")
    # Both are the same computation, but for the order of sums.
    assert 0 < second.miou == pytest.approx(first.miou, abs=0.02)
    assert [*kept_units(file, setup).units.values()] == [first, second]
    other = dataclasses.replace(setup.training, learning_rate=1e-3)
    assert not kept_units(file, dataclasses.replace(setup, training=other)).units
