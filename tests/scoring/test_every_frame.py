"""A network is known with every frame a keyframe, whether or not a trial has that policy."""

import dataclasses

from jejunet_nas.records import TrialResult
from jejunet_nas.reporting.notes import reasons
from jejunet_nas.scoring.every_frame import best_every_frame
from jejunet_nas.study.tables import summary
from tests.made_up import on_screen
from tests.reporting.build import history, trial


def whole(number: int, miou: float) -> TrialResult:
    """A trial with a video policy, whose network has `miou` and drops nothing on every frame."""
    video = trial(number, 0.7, 10, interval=4)
    return on_screen(video, every_frame_miou=miou, every_frame_dropped=0.0)


def test_the_best_without_video_may_be_a_network_whose_trials_all_have_a_video_policy() -> None:
    study = history(whole(0, 0.68), trial(1, 0.5, 10), trial(2, 0.75, 10, interval=4))

    found = best_every_frame(study)

    assert found is not None
    assert (found.trial.number, found.miou, found.own) == (0, 0.68, False)
    assert found.latency.mean_ms == study.complete[0].graph_latencies.key.median_ms
    assert any(
        "The best with every frame a keyframe is the network of trial 0: 68.0 % mIoU" in said
        for said in reasons(study)
    )
    assert summary(study)["best_without_video"]["miou"] == 0.68


def test_a_network_that_cannot_keep_up_is_no_result_and_an_unknown_one_is_not_counted() -> None:
    slow = on_screen(whole(0, 0.9), every_frame_dropped=0.4)
    unknown = on_screen(whole(1, 0.9), every_frame_miou=None, every_frame_dropped=None)

    assert best_every_frame(history(slow, unknown)) is None
    assert "Of 1 network with every frame a keyframe none meets the target." in reasons(
        history(slow, unknown)
    )
    assert "No network was scored with every frame a keyframe." in reasons(history(unknown))


def test_the_trial_of_that_policy_is_named_before_others_of_its_network() -> None:
    own = trial(3, 0.6, 20.0)
    key_ms = own.graph_latencies.key.median_ms
    own = dataclasses.replace(
        own,
        on_prediction=dataclasses.replace(
            own.on_prediction, latency=dataclasses.replace(own.latency, mean_ms=key_ms)
        ),
    )

    found = best_every_frame(history(whole(0, 0.6), own))

    assert found is not None
    assert (found.trial.number, found.own) == (3, True)
