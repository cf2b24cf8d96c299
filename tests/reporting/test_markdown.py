import dataclasses

import pytest

from jejunet_nas.records import FailedTrial, StudyHistory
from jejunet_nas.reporting.baseline import answer
from jejunet_nas.reporting.markdown import page
from jejunet_nas.scoring.ranking import nearest_to_target
from tests.made_up import on_screen
from tests.reporting.build import history, measured, refused, trial


def test_a_policy_gains_what_its_own_network_gains_and_not_what_another_lacks() -> None:
    # The other network, trial 0, is five points worse with every frame a keyframe.
    study = history(trial(0, 0.65, 30), trial(1, 0.70, 20, interval=4))

    text = page(study, "front.png")

    assert "best with every frame a keyframe is trial 0: 65.0 % mIoU in 30.0 ms a frame, 0" in text
    assert "with a video policy is trial 1: 70.0 % mIoU in 20.0 ms a frame, 0.0 %" in text
    assert (
        "With every frame a keyframe the network of trial 1 takes 20.0 ms a frame, drops 25.0 % of "
        "frames, has 68.0 % mIoU and misses the target (25.0 % of frames dropped): its policy "
        "changes mIoU by +2.0 points."
    ) in text
    assert "5.0 points" not in text


def test_no_gain_is_claimed_where_every_frame_was_not_scored_or_no_frame_is_spared() -> None:
    unknown = on_screen(trial(1, 0.70, 20, interval=4), every_frame_miou=None)

    for study in (history(unknown), history(trial(0, 0.65, 30))):
        assert "its policy changes" not in page(study, "front.png")


def test_the_page_admits_that_a_policy_loses() -> None:
    worse = on_screen(trial(1, 0.65, 20, interval=4), every_frame_miou=0.7)

    assert "its policy changes mIoU by -5.0 points" in page(history(worse), "front.png")


def test_a_trial_that_drops_frames_is_not_recommended_unless_the_study_says_so() -> None:
    dropping, steady = trial(0, 0.9, 30, dropped=0.327), trial(1, 0.6, 30)
    study = history(dropping, steady)
    by_mean = dataclasses.replace(study, feasible_rule="mean")

    assert "Trial 1 is the best of 1 feasible trial at 25 fps without a dropped frame" in page(
        study, "front.png"
    )
    text = page(by_mean, "front.png")
    assert "Trial 0 is the best of 2 feasible trials at 25 fps in the mean: 90.0 % mIoU" in text
    assert "32.7 % of frames dropped, worst frame 45.0 ms" in text


def test_trials_that_wait_for_their_score_are_named_with_the_latencies() -> None:
    study = dataclasses.replace(history(trial(0, 0.6, 30)), unscored=(0,))

    assert "1 measured but not scored yet" in page(study, "front.png")


def test_the_page_says_where_one_side_is_missing() -> None:
    alone, slow = trial(1, 0.70, 20, interval=4), trial(2, 0.8, 41)

    text = page(history(alone), "front.png")
    beside = page(history(alone, slow), "front.png")

    assert "Of 1 network with every frame a keyframe none meets the target." in text
    assert "Of 2 networks with every frame a keyframe none meets the target." in beside


def test_a_baseline_is_answered_and_named_in_the_command() -> None:
    study, seed = history(trial(0, 0.7, 20.0)), history(trial(0, 0.6, 40.0), study="the *seed*")

    text = page(study, "front.png", answer(study, seed))

    assert "\n## Compared with the \\*seed\\*\n" in text
    assert "\n- Trial 0 of the \\*seed\\*, at 224 px, has 60.0 % mIoU" in text
    assert "2.0 times as fast" in text
    assert "this selection bias favours the front" in text
    assert "jejunet-nas report davis --baseline 'the *seed*'   # this report" in text


def test_the_time_of_a_trial_is_broken_down_and_adds_up() -> None:
    text = page(history(trial(0, 0.65, 30), trial(1, 0.70, 20)), "front.png")

    assert "| training | 60.0 |\n| compression | 2.5 |\n| all stages | 62.5 |" in text


def test_one_reason_is_told_once_for_all_trials_that_failed_of_it() -> None:
    failed = tuple(
        FailedTrial(number=n, architecture=None, reason="loss is <nan>\nat 3") for n in (4, 7)
    )

    assert r"- trials 4, 7: loss is \<nan\> at 3" in page(history(failed=failed), "front.png")


def test_measured_latencies_stand_beside_their_predictions() -> None:
    doubtful = measured(trial(1, 0.70, 20), 26, doubts=("key: spread 9 % | a lot",))
    study = history(measured(trial(0, 0.65, 10), 9), doubtful, trial(2, 0.8, 39), phone="Pixel 2")

    text = page(study, "front.png")

    assert "2 of the front's 3 trials were measured on Pixel 2. Measured / predicted" in text
    assert "latency: 0.90 to 1.30." in text
    assert "| 1 | 26.0 | 20.0 | 1.30 | key: spread 9 % \\| a lot |" in text
    assert "| 0 | 9.0 | 10.0 | 0.90 | stable |" in text


def test_a_page_without_measurements_has_no_section_of_them() -> None:
    assert "## Measured" not in page(history(trial(0, 0.65, 30)), "front.png")


def test_the_page_ends_with_commands_that_a_shell_takes_for_any_name() -> None:
    text = page(history(study="my $tudy"), "front.png")

    assert text.startswith("# my \\$tudy\n")
    assert "jejunet-nas search 'my $tudy'" in text
    assert "jejunet-nas report 'my $tudy'" in text


def test_a_study_without_trials_says_so() -> None:
    assert "No trial is complete yet." in page(history(), "front.png")


def test_the_complete_trial_nearest_to_the_target_is_named_with_what_it_lacks() -> None:
    study = history(trial(0, 0.7, 80), trial(3, 0.6, 50, interval=4), refused=(refused(4, 41),))

    sentence = nearest_to_target(study)

    assert sentence == (
        "No architecture that was tried (2 trained, 1 refused before training) meets 25 fps (40.0 "
        "ms a frame) without a dropped frame; trial 3 (0.5 x blocks 0-12 /16, 48 ch, thin /8, "
        "224 px; key every 4, propagate) comes nearest: it takes "
        "50.0 ms, 20.0 fps, which is 10 ms too slow and 5 fps short; 0.0 % of frames dropped, "
        "worst frame 75.0 ms."
    )
    assert "trial 3" in page(study, "front.png")


def test_where_all_were_refused_the_nearest_of_them_is_named() -> None:
    sentence = nearest_to_target(history(refused=(refused(0, 90), refused(1, 62.5))))

    assert sentence is not None
    assert "trial 1" in sentence
    assert "takes at least 62.5 ms, 16.0 fps, which is 22.5 ms too slow and 9 fps short" in sentence


@pytest.mark.parametrize("study", [history(), history(trial(0, 0.5, 40), trial(1, 0.7, 90))])
def test_nothing_is_nearest_where_nothing_was_tried_or_something_meets_the_target(
    study: StudyHistory,
) -> None:
    assert nearest_to_target(study) is None


@pytest.mark.parametrize(
    ("wanted", "command"),
    [
        (10, "jejunet-nas search davis   # resume: 2 of 10 trials are complete\n"),
        (2, "jejunet-nas search davis --trials 4   # add trials\n"),
    ],
)
def test_the_search_is_resumed_before_trials_are_added(wanted: int, command: str) -> None:
    study = history(trial(0, 0.65, 30), trial(1, 0.70, 20))

    assert command in page(dataclasses.replace(study, wanted=wanted), "front.png")


def test_samples_that_repeat_an_architecture_are_named_only_where_there_are_some() -> None:
    study = dataclasses.replace(history(), duplicates=0)

    assert "repeated a known" not in page(study, "front.png")
    once = dataclasses.replace(study, duplicates=1)
    assert "; 1 sample repeated a known architecture." in page(once, "front.png")
