"""Importance finds the dimension that decides, whatever else was drawn."""

import dataclasses
import random
from pathlib import Path

import pytest

from jejunet_nas.records import StudyHistory, as_added
from jejunet_nas.space.draw import choices_of, draw
from jejunet_nas.study.importance import LEAST_TRIALS, importances
from jejunet_nas.study.settings import StudySettings
from tests.made_up import scored
from tests.reporting.build import history, measured
from tests.search.build import result, tiny_study

SPACE = """\
search_space:
  depth_multiplier: [0.25, 0.5]
  last_block: [9, 12]
  output_stride: [16]
  decoder_channels: [8]
  detail: [thin]
  logit_stride: [8]
  resolution: [64, 96, 128]
  keyframe_interval: {from: 1, to: 4}
  between_keyframes: [propagate, reuse]
  reuse_below: [off, 0.05]
  refresh_above: [off]
"""


def searched(settings: StudySettings, trials: int) -> StudyHistory:
    """A study in which resolution alone decides mIoU, and the keyframe interval latency."""
    dice, complete = random.Random(0), []
    for number in range(trials):
        drawn = draw(settings.search_space, lambda _, choices: dice.choice(choices))
        mean_ms = 30 / drawn.policy.keyframe_interval + 0.1 * dice.random()
        made = result(number, drawn, mean_ms=mean_ms)
        miou = drawn.network.input_height / 200 + 0.01 * dice.random()
        score = dataclasses.replace(made.score, miou=miou)
        complete.append(scored(made, score))
    return history(*complete)


def test_the_dimension_that_decides_an_objective_has_the_largest_share(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path, space=SPACE)

    found = importances(settings, searched(settings, 60))

    assert next(iter(found["mIoU"])) == "resolution"
    assert next(iter(found["ms a frame"])) == "keyframe_interval"
    assert found["mIoU"]["resolution"] > 0.5
    for shares in found.values():
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_a_dimension_that_is_not_always_drawn_counts_and_one_without_choice_does_not(
    tmp_path: Path,
) -> None:
    settings = tiny_study(tmp_path, space=SPACE)
    found = searched(settings, 60)
    drawn = [choices_of(each.architecture) for each in found.complete]

    shares = importances(settings, found)["mIoU"]

    assert any("reuse_below" not in choices for choices in drawn)
    assert "reuse_below" in shares
    assert "decoder_channels" not in shares


def test_few_trials_say_nothing_and_one_more_something(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path, space=SPACE)

    assert importances(settings, searched(settings, LEAST_TRIALS - 1)) == {}
    assert importances(settings, searched(settings, LEAST_TRIALS)).keys() == {"mIoU", "ms a frame"}


def test_an_objective_in_which_all_are_alike_is_left_out(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path, space=SPACE)
    found = searched(settings, 20)
    alike = tuple(
        scored(each, dataclasses.replace(each.score, miou=0.5)) for each in found.complete
    )

    assert importances(settings, dataclasses.replace(found, complete=alike)).keys() == {
        "ms a frame"
    }


def test_a_trial_s_latency_is_that_which_was_measured(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path, space=SPACE)
    found = searched(settings, 60)
    by_size = tuple(
        measured(each, 0.1 * each.architecture.network.input_height + 0.001 * each.number)
        for each in found.complete
    )

    shares = importances(settings, dataclasses.replace(found, complete=by_size))["ms a frame"]

    assert next(iter(shares)) == "resolution"


def test_added_policies_of_a_network_do_not_make_its_choices_important(tmp_path: Path) -> None:
    settings = tiny_study(tmp_path, space=SPACE)
    found = searched(settings, 20)
    best = max(found.complete, key=lambda each: each.score.miou)
    added = tuple(dataclasses.replace(as_added(best), number=20 + number) for number in range(40))

    with_added = dataclasses.replace(found, complete=(*found.complete, *added))

    assert importances(settings, with_added) == importances(settings, found)
    few = searched(settings, LEAST_TRIALS - 1)
    assert importances(settings, dataclasses.replace(few, complete=few.complete + added)) == {}
