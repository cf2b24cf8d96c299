"""Studies for pages; nothing here is a test."""

import dataclasses
from typing import Any

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore, Score
from tests.made_up import scored
from tests.reporting.build import history, many_trials, measured, refused, trial

HOSTILE = "<script>window.hurt = 1</script>'\"&amp; \u00e9\u4e2d\u0416</style>${x}{{ 7 * 7 }}"
CLASSES = ("background", HOSTILE)


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


def large_study(count: int) -> StudyHistory:
    """A study of `count` trials."""
    return history(*map(two_clips, many_trials(count, seed=0)))
