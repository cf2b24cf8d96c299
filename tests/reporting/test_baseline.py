"""The question of the baseline is answered either way, with figures and how sure they are."""

import dataclasses

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.reporting.baseline import BaselineAnswer, answer
from jejunet_nas.reporting.baseline_words import sentences
from jejunet_nas.scoring.score import combine
from tests import made_up
from tests.reporting.build import history, trial
from tests.scoring.networks import again, network

CLIPS = ("bear", "swan", "boat", "kite", "goat")


def scored(number: int, mious: tuple[float, ...], mean_ms: float, *, px: int = 224) -> TrialResult:
    """A trial by the IoU of its one class on each clip, at an input of px x px."""
    clips = tuple(
        ClipScore(
            name=name, frames=1, annotated=(1000,), intersection=(round(1000 * m),), union=(1000,)
        )
        for name, m in zip(CLIPS, mious, strict=True)
    )
    made = trial(number, 0.0, mean_ms)
    network = dataclasses.replace(made.architecture.network, input_height=px, input_width=px)
    architecture = dataclasses.replace(made.architecture, network=network)
    made = made_up.scored(made, combine(clips))
    return dataclasses.replace(made, architecture=architecture)


def baseline(*trials: TrialResult) -> StudyHistory:
    return dataclasses.replace(history(*trials, study="seed"), target_fps=2.0)


LOW, MIDDLE, HIGH = (0.5, 0.6, 0.4, 0.55, 0.45), (0.6, 0.7, 0.5, 0.65, 0.55), (0.8,) * 5
SEED = baseline(scored(0, HIGH, 300.0, px=384), scored(1, MIDDLE, 120.0, px=256))


def ask(*front: TrialResult, seed: StudyHistory = SEED) -> BaselineAnswer:
    return answer(history(*front, study="ours"), seed)


def test_each_baseline_trial_is_asked_about_from_the_fastest_on() -> None:
    found = ask(scored(0, MIDDLE, 30.0), scored(1, LOW, 20.0))

    assert [each.baseline.name for each in found.against] == ["256 px", "384 px"]
    assert [each.baseline.sustained_fps for each in found.against] == pytest.approx(
        [8.33, 3.33], 1e-2
    )
    assert found.best is not None
    assert (found.best.trial, found.best.miou) == (0, pytest.approx(0.6))
    assert found.best.interval is not None
    assert found.best.interval.low < 0.6 < found.best.interval.high


def test_a_baseline_trial_over_the_target_counts_and_a_front_trial_over_it_does_not() -> None:
    found = ask(scored(0, LOW, 30.0), scored(1, HIGH, 41.0))

    assert found.best is not None
    assert found.best.trial == 0
    assert len(found.against) == 2


def test_the_fastest_that_is_as_good_need_not_be_the_significantly_better_one() -> None:
    equal = scored(0, MIDDLE, 10.0)
    chance = scored(1, (0.9, 0.9, 0.45, 0.5, 0.4), 20.0)  # better on average, not everywhere
    better = scored(2, tuple(m + 0.1 for m in MIDDLE), 30.0)

    (against, _) = ask(equal, chance, better).against

    assert against.as_good is not None
    assert against.surely is not None
    assert (against.as_good.trial, against.surely.trial) == (0, 2)
    assert against.best is not None
    assert against.best.miou == pytest.approx(0.1)


def test_sentences_say_that_it_is_better_and_by_how_much() -> None:
    first, at_256, _ = sentences(ask(scored(7, tuple(m + 0.1 for m in MIDDLE), 30.0)))

    assert first == (
        "At 25 fps (predicted for Pixel 2, 1 thread), the best of ours is trial 7 with 70.0 % mIoU "
        "(95 %: 61.0 to 79.0) in 30.0 ms a frame, 33.3 fps (predicted), 0.0 % of frames "
        "dropped."
    )
    assert "Trial 1 of seed, at 256 px, has 60.0 % mIoU" in at_256
    assert "The pick differs by +10.0 points, significant (95 %: +10.0 to +10.0)." in at_256
    assert "this mIoU is trial 7 (70.0 % in 30.0 ms, predicted), 4.0 times as fast." in at_256
    assert at_256.endswith("Its gain is significant.")


def test_sentences_say_that_it_is_not_as_good() -> None:
    (_, at_256, _) = sentences(ask(scored(7, LOW, 30.0)))

    assert "differs by -10.0 points, significant (95 %: -10.0 to -10.0)." in at_256
    assert "at least this mIoU" not in at_256
    assert at_256.endswith("No front trial reaches this mIoU.")


def test_sentences_say_that_a_gain_is_not_significant() -> None:
    (_, at_256, _) = sentences(ask(scored(7, (0.9, 0.9, 0.45, 0.5, 0.4), 30.0)))

    assert "The pick differs by +3.0 points, not significant (95 %: -" in at_256
    assert at_256.endswith("No front trial has a significant gain.")


def test_a_front_without_a_trial_says_so() -> None:
    found = ask(scored(0, HIGH, 50.0))

    assert (found.best, found.against[0].best, found.against[0].as_good) == (None, None, None)
    assert sentences(found) == ["No trial of ours meets 25 fps, so there is nothing to compare."]


def test_a_baseline_without_a_trial_says_so() -> None:
    assert sentences(ask(scored(0, LOW, 30.0), seed=baseline()))[1] == (
        "seed has no complete trial yet."
    )


def test_one_clip_gives_no_confidence_interval() -> None:
    one = dataclasses.replace(SEED, complete=(trial(0, 0.5, 90.0),))

    (_, sentence) = sentences(answer(history(trial(3, 0.6, 30.0)), one))

    assert "points (fewer than 5 clips give no confidence interval)" in sentence


def test_a_baseline_of_other_clips_is_refused() -> None:
    with pytest.raises(
        SettingError, match=r"^the clips are bear, swan, .* and bear; both studies need "
    ):
        ask(scored(0, LOW, 30.0), seed=baseline(trial(0, 0.5, 90.0)))


def test_a_baseline_for_another_device_is_refused() -> None:
    with pytest.raises(SettingError, match=r"^the device of seed is Pixel 3, and of ours Pixel 2"):
        ask(scored(0, LOW, 30.0), seed=dataclasses.replace(SEED, device="Pixel 3"))


def test_the_fastest_that_is_as_good_reaches_the_mean_of_the_baselines_trainings() -> None:
    lucky = network(0, [0.62] * 6)
    reference = dataclasses.replace(
        history(lucky), repeats={0: [again(lucky, 1, [0.56] * 6), again(lucky, 2, [0.56] * 6)]}
    )

    (against,) = answer(history(network(3, [0.60] * 6)), reference).against

    assert (against.baseline.trainings, round(against.baseline.miou, 3)) == (3, 0.58)
    assert against.as_good is not None
    assert against.as_good.trial == 3
