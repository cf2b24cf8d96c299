"""The words for why a stream meets or misses the target follow the study's rule."""

import dataclasses

import pytest

from jejunet_nas.records import FeasibleRule, SearchedFor, as_added
from jejunet_nas.scoring.ranking import (
    REQUIREMENTS,
    front_of,
    miss_words,
    over_target_ms,
    picks,
    roles,
    searched_words,
    verdict_words,
)
from tests.reporting.build import history, trial
from tests.scoring.networks import again, network


@pytest.mark.parametrize(
    ("rule", "mean_ms", "dropped", "words"),
    [
        ("no_drops", 40.0, 0.0, ""),
        ("no_drops", 41.0, 0.0, "mean 41.0 ms over 40.0 ms"),
        ("no_drops", 40.004, 0.0, "mean 40.004 ms over 40.000 ms"),
        ("no_drops", 30.0, 0.062, "6.2 % of frames dropped"),
        ("no_drops", 30.0, 0.0001, "0.010 % of frames dropped"),
        ("no_drops", 50.0, 0.2, "20.0 % of frames dropped, mean 50.0 ms over 40.0 ms"),
        ("every_frame", 30.0, 0.0, "worst frame 45.0 ms over 40.0 ms"),
        ("mean", 30.0, 0.5, ""),
        ("mean", 41.0, 0.5, "mean 41.0 ms over 40.0 ms"),
    ],
)
def test_a_miss_names_the_reason_that_decides(
    rule: FeasibleRule, mean_ms: float, dropped: float, words: str
) -> None:
    timed = trial(0, 0.7, mean_ms, dropped=dropped).latency

    assert miss_words(timed, rule, 25.0) == words
    assert (over_target_ms(timed, rule, 25.0) > 0) == bool(words)


def test_a_verdict_has_its_reason_in_brackets() -> None:
    met = trial(0, 0.7, 20.0).latency
    missed = dataclasses.replace(met, mean_ms=6.8)

    assert verdict_words(met, "no_drops", 25.0) == "meets the target"
    assert verdict_words(missed, "no_drops", 150.0) == "misses the target (mean 6.8 ms over 6.7 ms)"


def test_the_default_rule_is_stated_with_its_mean() -> None:
    assert "no frame is dropped, and the mean latency is at most" in REQUIREMENTS["no_drops"]


def test_the_best_is_that_with_the_best_mean_even_behind_the_front() -> None:
    lucky, steady = network(0, [0.70] * 4, mean_ms=20.0), network(1, [0.69] * 4, mean_ms=30.0)
    once = history(lucky, steady)
    repeats = {0: [again(lucky, 1, [0.6] * 4)], 1: [again(steady, 1, [0.69] * 4)]}
    twice = dataclasses.replace(once, repeats=repeats)

    assert front_of(twice) == [lucky]
    assert picks(once)["best"] is lucky
    assert picks(twice)["best"] is steady
    assert roles(steady, twice) == ["best"]


def test_scores_for_another_target_say_that_other_policies_are_not_among_them() -> None:
    kept = trial(0, 0.6, 10)
    was = SearchedFor(target_fps=30.0, device="Google Pixel 2")
    one = dataclasses.replace(history(kept), searched_for=was)
    more = dataclasses.replace(history(kept, as_added(trial(1, 0.5, 5))), searched_for=was)

    assert "jejunet-nas policies" not in (searched_words(one) or "")
    assert (searched_words(more) or "").endswith("jejunet-nas policies compares all of a network.")
