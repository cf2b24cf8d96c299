"""Origins: scores of the validation clips that are videos, and of simulated pans, apart.

Over a photo only the camera moves, and only in simulation: what a video policy costs there does not
say what it costs in a video. Which clip is which, the study keeps as `DataFacts`.
"""

import dataclasses
from collections.abc import Sequence

from jejunet_nas.records import DataFacts, TrialResult
from jejunet_nas.records.clips import Origin
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.bootstrap import Interval, miou_interval
from jejunet_nas.scoring.score import combine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OriginScore:
    """The streaming score over the clips of one origin.

    miou: None where no frame of theirs is annotated. interval: None for a single clip.
    """

    origin: Origin
    clips: int
    miou: float | None
    interval: Interval | None


def scores_by_origin(trial: TrialResult, data: DataFacts) -> tuple[OriginScore, ...]:
    """Return the scores of the videos, then of the pans; of what val has, and a study knows."""
    names = {clip.name for clip in data.videos}
    videos = [clip for clip in trial.score.clips if clip.name in names]
    pans = [clip for clip in trial.score.clips if clip.name not in names]
    return (
        *([_score("video", videos)] if data.videos else []),
        *([_score("photo", pans)] if data.photos else []),
    )


def _score(origin: Origin, clips: Sequence[ClipScore]) -> OriginScore:
    known = any(any(clip.annotated) for clip in clips)
    return OriginScore(
        origin=origin,
        clips=len(clips),
        miou=combine(clips).miou if known else None,
        interval=miou_interval(clips) if known else None,
    )
