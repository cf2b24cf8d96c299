"""Progress: the hypervolume of a study after each of its trials, by count and by working time.

The hypervolume is that of `scoring.front` with the study's reference point, so only over feasible
trials. Each trial adds the area that only it covers, found from its neighbours on the front:
10,000 trials take a fraction of a second.

Units: working seconds; hypervolume in mIoU x ms.
"""

import bisect
import dataclasses
import itertools

from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.front import Point, reference_point


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
    points = {trial.number: trial for trial in history.complete}
    without = [*(t.number for t in history.refused), *(t.number for t in history.failed)]
    ended = sorted([*points, *without])
    covered = _Covered(reference_point(history.target_fps))
    for number in ended:
        trial = points.get(number)
        covered.add((trial.score.miou, trial.latency.mean_ms) if trial else None)
    spent = itertools.accumulate(history.spent_s.get(number, 0.0) for number in ended)
    return Progress(
        trials=tuple(ended),
        spent_s=tuple(spent) if history.spent_s else None,
        hypervolumes=tuple(covered.areas),
    )


class _Covered:
    """The area between a growing front and the reference point.

    The front is kept as stairs: latencies that rise, and mIoUs that rise with them.
    """

    def __init__(self, reference: Point) -> None:
        self._least_miou, self._deadline_ms = reference
        self._latencies: list[float] = []
        self._mious: list[float] = []
        self.areas: list[float] = []  # after each trial

    def add(self, point: Point | None) -> None:
        """Append the area with one more trial; None for a trial without a point."""
        area = self.areas[-1] if self.areas else 0.0
        self.areas.append(area + (self._gain(*point) if point else 0.0))

    def _gain(self, miou: float, mean_ms: float) -> float:
        """Insert a point into the stairs; return the area that it adds, 0 if dominated."""
        if miou <= self._least_miou or mean_ms >= self._deadline_ms:
            return 0.0
        first = bisect.bisect_right(self._latencies, mean_ms)
        height = self._mious[first - 1] if first else self._least_miou
        if height >= miou:
            return 0.0
        gain, left, last = 0.0, mean_ms, first
        while last < len(self._mious) and self._mious[last] <= miou:
            gain += (self._latencies[last] - left) * (miou - height)
            left, height = self._latencies[last], self._mious[last]
            last += 1
        right = self._latencies[last] if last < len(self._latencies) else self._deadline_ms
        if first and self._latencies[first - 1] == mean_ms:  # its step has no width any more
            first -= 1
        self._latencies[first:last] = [mean_ms]
        self._mious[first:last] = [miou]
        return gain + (right - left) * (miou - height)
