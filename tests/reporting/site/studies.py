"""Studies for pages; nothing here is a test."""

import base64
import dataclasses
from typing import Any

from jejunet_nas.drawing.pictures import ClipFrame, Role, TrialPictures
from jejunet_nas.records import FailedTrial, StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore, Score
from tests.made_up import scored
from tests.reporting.build import history, many_trials, measured, refused, trial

HOSTILE = "<script>window.hurt = 1</script>'\"&amp; \u00e9\u4e2d\u0416</style>${x}{{ 7 * 7 }}"
CLASSES = ("background", HOSTILE)
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")  # the smallest GIF


def two_clips(found: TrialResult) -> TrialResult:
    """Return `found` with clips that differ, so that there is an interval over them."""
    clips = tuple(
        ClipScore(name=name, frames=2, annotated=(80, 80), intersection=(n, n), union=(100, 100))
        for name, n in ((HOSTILE, 60), ("bear", 75))
    )
    score = Score(miou=found.score.miou, class_iou=found.score.class_iou, clips=clips)
    return scored(found, score)


def study(**changes: Any) -> StudyHistory:
    """A study of all kinds of trials: 0 and 1 are its front."""
    complete = (
        two_clips(measured(trial(0, 0.70, 30.0), 32.0)),
        two_clips(trial(1, 0.60, 10.0, interval=4)),
        two_clips(trial(2, 0.55, 20.0)),
        two_clips(trial(3, 0.80, 90.0)),
    )
    made = history(*complete, refused=(refused(4, 120.0), refused(5, 80.0)), **changes)
    return dataclasses.replace(made, spent_s={n: 60.0 * (n + 1) for n in range(6)})


def hostile_study() -> StudyHistory:
    """A study whose names try to be more than names."""
    made = study(study=HOSTILE, class_names=CLASSES, device=HOSTILE)
    complete = tuple(
        dataclasses.replace(each, network=dataclasses.replace(each.network, class_names=CLASSES))
        for each in made.complete
    )
    return dataclasses.replace(made, dataset=HOSTILE, complete=complete)


STREETS = (
    *("sky", "building", "column pole", "road", "pavement", "tree", "sign symbol", "fence"),
    *("car", "pedestrian", "bicyclist"),
)


def crowded_study() -> StudyHistory:
    """A study of sixty trials with long names, many classes, and all states of trials."""
    complete = tuple(
        dataclasses.replace(
            two_clips(trial(each.number, each.score.miou, each.latency.mean_ms, interval=6)),
            network=dataclasses.replace(each.network, class_names=STREETS),
            own_frame_score=of_streets(each.score),
        )
        for each in many_trials(60, seed=4)
    )
    complete = tuple(scored(each, of_streets(each.score)) for each in complete)
    name = "a_study_whose_name_is_long_enough_to_need_two_lines_on_a_phone"
    made = history(
        *complete,
        refused=(refused(60, 120.0), refused(61, 80.0)),
        failed=(FailedTrial(number=62, architecture=None, reason="out of memory " * 12),),
        study=name,
        class_names=STREETS,
    )
    return dataclasses.replace(made, dataset="camvid", spent_s={n: 60.0 for n in range(63)})


def of_streets(score: Score) -> Score:
    """Return `score` with the classes of a street."""
    return dataclasses.replace(score, class_iou=(score.miou,) * (len(STREETS) - 1) + (None,))


def crowded_pictures(study: StudyHistory) -> dict[int, TrialPictures]:
    """Five pictures of each trial, with long names."""
    roles: tuple[Role, ...] = ("early", "midway", "late", "worst", "best")
    frames = tuple(
        ClipFrame(
            role=role,
            clip="clip_0016E5_with_a_long_name_that_has_no_space_in_it",
            frame=7,
            path="propagate",
            clip_miou=0.5,
            width_px=240,
            height_px=180,
        )
        for role in roles
    )
    jpegs = (PIXEL,) * len(roles)
    made = TrialPictures(frames=frames, jpegs=jpegs, annotations=jpegs)
    return dict.fromkeys((each.number for each in study.complete), made)
