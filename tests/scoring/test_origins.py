import pytest

from jejunet_nas.records import DataFacts, TrialResult, VideoFacts
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.scoring.origins import scores_by_origin
from tests.made_up import scored
from tests.reporting.build import trial


def clip(name: str, share: float, annotated: int = 100) -> ClipScore:
    """A clip whose two classes both have the IoU `share`."""
    both = (annotated, annotated)
    return ClipScore(
        name=name,
        frames=2,
        annotated=both,
        intersection=(int(share * annotated),) * 2,
        union=both,
    )


def of_clips(*clips: ClipScore) -> TrialResult:
    return scored(trial(0, 0.7, 20.0), Score(miou=0.7, class_iou=(0.7, 0.7), clips=clips))


def facts(*videos: str, photos: int) -> DataFacts:
    return DataFacts(
        videos=tuple(
            VideoFacts(name=name, frames=4, annotated_frames=2, fps=25.0) for name in videos
        ),
        photos=photos,
        photo_frames=8 * photos,
        photo_fps=24.0 if photos else None,
    )


def test_videos_and_pans_are_scored_apart_each_over_its_own_clips() -> None:
    photos = [clip(f"pan{n}", miou) for n, miou in enumerate((0.9, 0.7, 0.8, 0.85, 0.75))]
    scored_clips = of_clips(*photos[:1], clip("ride", 0.4), *photos[1:])

    video, pans = scores_by_origin(scored_clips, facts("ride", photos=5))

    assert (video.origin, video.clips, video.miou) == ("video", 1, pytest.approx(0.4))
    assert (pans.origin, pans.clips, pans.miou) == ("photo", 5, pytest.approx(0.8))
    assert video.interval is None
    assert pans.interval is not None
    assert pans.interval.low < 0.8 < pans.interval.high


def test_clips_of_a_study_that_kept_no_facts_are_not_told_apart() -> None:
    assert scores_by_origin(of_clips(clip("ride", 0.4)), DataFacts()) == ()


def test_clips_without_annotated_pixels_have_no_score() -> None:
    clips = of_clips(clip("ride", 0, annotated=0), clip("pan", 0.9))

    video, pans = scores_by_origin(clips, facts("ride", photos=1))

    assert video.miou is None
    assert pans.miou == pytest.approx(0.9)
