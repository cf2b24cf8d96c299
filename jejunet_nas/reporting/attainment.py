"""Attainment: studies compared by the best mIoU that each reaches within each latency.

Within a latency a study attains the best mIoU of its trials that take no longer: stairs that rise
to the right. All studies share one reference point: mIoU 0 at the deadline of the lowest target
rate, so that no study loses trials that met its target. The stairs of a study with a stricter
target continue level up to there. The other studies are compared with the first.

Units: mIoU in [0, 1]; ms a frame; hypervolume in mIoU x ms; shares of the latency range in [0, 1].
"""

import bisect
import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Sequence

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.bootstrap import Difference, miou_difference, trainings_difference
from jejunet_nas.scoring.front import Point, hypervolume, pareto_front, reference_point
from jejunet_nas.scoring.held_out import Crossed, cross_where_possible
from jejunet_nas.scoring.noise import pooled, seed_noise
from jejunet_nas.scoring.ranking import deadline_ms, feasible, front_of, point_of

Step = tuple[float, float]  # mean ms a frame, and the best mIoU within it

_ROUND_MS = (5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attained:
    """The best mIoU of each study within one latency; None where all its trials are slower."""

    mean_ms: float
    mious: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """One study compared with the first.

    ahead, behind: shares of the latency range with a higher and with a lower mIoU. mean_miou: the
    mean difference where both have trials; None where they have none in common. best: the
    difference between the best trials; None where one is missing or the scored clips differ.
    held_out: whether each of them was picked by other clips or trainings.
    """

    study: str
    ahead: float
    behind: float
    mean_miou: float | None
    best: Difference | None
    held_out: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several studies with one reference point; tuples have one item a study, in their order.

    range_ms: from the fastest trial of all to the reference. best: the number of the best trial
    within the reference. leads: one for each study but the first.
    """

    studies: tuple[str, ...]
    reference: Point
    range_ms: tuple[float, float]
    staircases: tuple[tuple[Step, ...], ...]
    hypervolumes: tuple[float, ...]
    best: tuple[int | None, ...]
    within: tuple[Attained, ...]
    leads: tuple[Lead, ...]


def staircase(history: StudyHistory, within_ms: float) -> list[Step]:
    """Return (mean ms, mIoU) of each feasible trial that beats all faster ones, fastest first."""
    points = [point_of(trial) for trial in feasible(history)]
    points = [point for point in points if point[1] <= within_ms]
    return [(points[i][1], points[i][0]) for i in reversed(pareto_front(points))]


def attained(steps: Sequence[Step], mean_ms: float) -> float | None:
    """Return the best mIoU within a latency; None where all steps are slower."""
    place = bisect.bisect_right(steps, mean_ms, key=lambda step: step[0])
    return steps[place - 1][1] if place else None


def compare(histories: Sequence[StudyHistory]) -> Comparison:
    """Return the comparison of studies with the first.

    Raises `SettingError` where they cannot be compared (see `require_comparable`).
    """
    require_comparable(histories)
    reference = reference_point(min(history.target_fps for history in histories))
    stairs = [staircase(history, reference[1]) for history in histories]
    start = min((steps[0][0] for steps in stairs if steps), default=reference[1])
    latencies = {ms for ms in _ROUND_MS if start <= ms < reference[1]}
    latencies |= {deadline_ms(history) for history in histories}
    return Comparison(
        studies=tuple(history.study for history in histories),
        reference=reference,
        range_ms=(start, reference[1]),
        staircases=tuple(map(tuple, stairs)),
        hypervolumes=tuple(
            hypervolume([(miou, ms) for ms, miou in steps], reference) for steps in stairs
        ),
        best=tuple(front[0].number if (front := front_of(each)) else None for each in histories),
        within=tuple(
            Attained(mean_ms=ms, mious=tuple(attained(steps, ms) for steps in stairs))
            for ms in sorted(latencies)
        ),
        leads=tuple(
            _lead((history, histories[0]), (steps, stairs[0]), (start, reference[1]))
            for history, steps in list(zip(histories, stairs, strict=True))[1:]
        ),
    )


def require_comparable(histories: Sequence[StudyHistory], *, one_source: bool = True) -> None:
    """Raise `SettingError` where data sets or devices of studies differ.

    one_source: whether the latency sources must be the same too.
    """
    first = histories[0]
    required: dict[str, tuple[Callable[[StudyHistory], object], str]] = {
        "data set": (lambda h: h.dataset, "Compare studies of one data set."),
        "list of classes": (lambda h: ", ".join(h.class_names), "Compare studies of one data set."),
        "device": (lambda h: h.device, "Search both for one device."),
        "rule feasible": (lambda h: h.feasible_rule, "Search both with the same rule."),
        "number of threads": (lambda h: h.threads, "Search both with the same number of threads."),
    }
    if one_source:
        required |= {
            "latency source": (_source, "Measure both fronts on one phone, or neither."),
            "phone": (lambda h: h.phone, "Measure both fronts on one phone."),
        }
    for other in histories[1:]:
        for name, (read, fix) in required.items():
            if read(first) != read(other):
                raise SettingError(
                    f"the {name} of {other.study} is {read(other)}, and of {first.study} "
                    f"{read(first)}; both must be the same. {fix}"
                )


def _source(history: StudyHistory) -> str:
    sources = {trial.latency.source for trial in history.complete}
    return " and ".join(sorted(sources or {history.latency_source}))


def _lead(
    studies: tuple[StudyHistory, StudyHistory],
    stairs: tuple[Sequence[Step], Sequence[Step]],
    range_ms: tuple[float, float],
) -> Lead:
    """Return the comparison of a study's stairs with the first's, between each two corners."""
    corners = sorted({*range_ms, *(ms for steps in stairs for ms, _ in steps)})
    ahead = behind = both = area = 0.0
    for left, right in itertools.pairwise(corners):
        mine, theirs = (attained(steps, left) for steps in stairs)
        width = (right - left) / (range_ms[1] - range_ms[0])
        if mine is not None and theirs is not None:
            both, area = both + width, area + width * (mine - theirs)
        more, less = (-1.0 if miou is None else miou for miou in (mine, theirs))
        ahead, behind = ahead + width * (more > less), behind + width * (more < less)
    difference, crossed = None, [cross_where_possible(study) for study in studies]
    with contextlib.suppress(SettingError):  # not scored on the same clips
        difference = _difference(studies, crossed)
    return Lead(
        study=studies[0].study,
        ahead=ahead,
        behind=behind,
        mean_miou=area / both if both else None,
        best=difference,
        held_out=None not in crossed,
    )


def _difference(
    studies: Sequence[StudyHistory], crossed: Sequence[Crossed | None]
) -> Difference | None:
    """Return the mIoU of the first study's best minus the second's, held out where both can be.

    Raises `SettingError` where clips differ.
    """
    ours, theirs = crossed
    if ours and theirs:
        noise = pooled(*(seed_noise(study.complete, study.repeats) for study in studies))
        return trainings_difference(ours.trainings, theirs.trainings, noise)
    best = [front_of(study)[:1] for study in studies]
    if not all(best):
        return None
    return miou_difference(*(trial.score.clips for (trial,) in best))
