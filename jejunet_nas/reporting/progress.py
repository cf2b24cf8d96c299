"""Progress: the hypervolume of a study after each of its trials, by count and by working time.

Units: working seconds; hypervolume in mIoU x ms.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.front import Point, hypervolume, reference_point
from jejunet_nas.scoring.ranking import point_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a study after each ended trial, one item a trial, by number.

    trials: the numbers. spent_s: working seconds until then, this trial's included; None where the
    study recorded none. hypervolumes: of all trials until then.
    """

    trials: tuple[int, ...]
    spent_s: tuple[float, ...] | None
    hypervolumes: tuple[float, ...]


def progress(history: StudyHistory) -> Progress:
    """Return the progress over complete, refused and failed trials."""
    points = {trial.number: point_of(trial) for trial in history.complete}
    without = [*(t.number for t in history.refused), *(t.number for t in history.failed)]
    ended = sorted([*points, *without])
    spent = itertools.accumulate(history.spent_s.get(number, 0.0) for number in ended)
    return Progress(
        trials=tuple(ended),
        spent_s=tuple(spent) if history.spent_s else None,
        hypervolumes=tuple(
            _hypervolumes([points.get(number) for number in ended], history.target_fps)
        ),
    )


def _hypervolumes(points: Sequence[Point | None], target_fps: float) -> Iterator[float]:
    """Yield the hypervolume after each point; it is computed again only for a better front."""
    reference, area = reference_point(target_fps), 0.0
    front: list[Point] = []
    for point in points:
        if point and not any(miou >= point[0] and ms <= point[1] for miou, ms in front):
            front = [(miou, ms) for miou, ms in front if miou > point[0] or ms < point[1]]
            front.append(point)
            area = max(area, hypervolume(front, reference))  # rounding never lowers it
        yield area
