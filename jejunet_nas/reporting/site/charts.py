"""Charts: the page's smaller figures: progress, importances, and time per stage.

Units: working seconds, hours and minutes; hypervolume in mIoU x ms; shares in per cent.
"""

import bisect
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import per_cent
from jejunet_nas.reporting.site.plot import Chart, bars, chart, scatter
from jejunet_nas.scoring.front import Point, hypervolume, reference_point
from jejunet_nas.scoring.ranking import point_of
from jejunet_nas.study.tables import stage_names

FEW_TICKS = 12  # more networks have whole numbers as ticks anyway


class Progress(NamedTuple):
    """The progress of a study after each trial that its sampler drew and that has ended.

    networks: how many were trained until then. spent_s: working seconds; None where the study
    recorded no times. hypervolumes: of all policies of these networks, added ones included.
    """

    networks: tuple[int, ...]
    spent_s: tuple[float, ...] | None
    hypervolumes: tuple[float, ...]


def progress(history: StudyHistory) -> Progress:
    """Return the progress over complete, refused and failed trials, by number."""
    drawn = {trial.number for trial in history.drawn}
    without = [*(t.number for t in history.refused), *(t.number for t in history.failed)]
    ended = sorted([*drawn, *without])
    reference, area = reference_point(history.target_fps), 0.0
    front: list[Point] = []
    areas = []
    points = _points(history)
    for number in ended:
        before = front
        for found in points.get(number, ()):
            if not any(miou >= found[0] and ms <= found[1] for miou, ms in front):
                front = [(miou, ms) for miou, ms in front if miou > found[0] or ms < found[1]]
                front.append(found)
        if front is not before:  # the hypervolume is computed again only for a better front
            area = max(area, hypervolume(front, reference))  # rounding never lowers it
        areas.append(area)
    trained = tuple(itertools.accumulate(int(number in drawn) for number in ended))
    return Progress(trained, _spent_s(history, ended) if history.spent_s else None, tuple(areas))


def _points(history: StudyHistory) -> dict[int, list[Point]]:
    """Return the points of all policies of each network, by the trial that drew it."""
    drew = {trial.network_id: trial.number for trial in reversed(history.drawn)}
    found = defaultdict[int, list[Point]](list)
    for trial in history.complete:
        found[drew.get(trial.network_id, trial.number)].append(point_of(trial))
    return found


def _spent_s(history: StudyHistory, ended: Sequence[int]) -> tuple[float, ...]:
    """Return the seconds until each of `ended` is over, those of policies added to it included."""
    numbers = sorted(history.spent_s)
    sums = [0.0, *itertools.accumulate(history.spent_s[number] for number in numbers)]
    following = [*ended[1:], math.inf]
    return tuple(sums[bisect.bisect_left(numbers, after)] for after in following)


def progress_chart(history: StudyHistory) -> Chart:
    """Return the hypervolume over trained networks; `customdata` holds the hours of work."""
    made = progress(history)
    trace = scatter(
        "front",
        made.networks,
        made.hypervolumes,
        customdata=[seconds / 3600 for seconds in made.spent_s] if made.spent_s else None,
        mode="lines+markers" if len(made.networks) == 1 else "lines",  # one point is no line
        line={"shape": "hv", "width": 2},
        hovertemplate="networks: %{x}, hypervolume: %{y:.2f}<extra></extra>",
    )
    title = {"text": "hypervolume (mIoU x ms)"}
    few = {"dtick": 1} if len(history.drawn) <= FEW_TICKS else {}  # there is no half network
    return chart(
        [trace],
        xaxis={"title": {"text": "trained networks"}, "tickformat": "d", **few},
        yaxis={"title": title, "rangemode": "tozero"},
    )


def importance_chart(importances: Mapping[str, Mapping[str, float]]) -> Chart | None:
    """Return the importance of each dimension for each objective; None where unknown."""
    known = {name: shares for name, shares in importances.items() if shares}
    if not known:
        return None
    order = sorted(
        dict.fromkeys(itertools.chain(*known.values())),
        key=lambda name: sum(shares.get(name, 0.0) for shares in known.values()),
    )
    traces = [
        bars(
            role,
            (100 * shares.get(dimension, 0.0) for dimension in order),
            (dimension.replace("_", " ") for dimension in order),
            name=objective,
            hovertemplate="%{y}: %{x:.0f} % of " + objective + "<extra></extra>",
        )
        for (objective, shares), role in zip(known.items(), ("front", "video"), strict=False)
    ]
    return chart(traces, barmode="group", xaxis={"title": {"text": "share (%)"}})


def stages_chart(history: StudyHistory) -> Chart:
    """Return the minutes spent on each stage, over all complete trials."""
    spent = {
        stage: sum(trial.stage_s.get(stage, 0.0) for trial in history.complete)
        for stage in stage_names(history)
    }
    order = sorted(spent, key=lambda stage: spent[stage])
    whole = sum(spent.values()) or 1.0
    trace = bars(
        "front",
        (spent[stage] / 60 for stage in order),
        order,
        text=[f"{per_cent(spent[stage] / whole, 0)} %" for stage in order],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1f} min<extra></extra>",
    )
    title = {"text": "minutes, sum over all trials"}
    room = 1.2 * max(spent.values(), default=0.0) / 60  # for the text beside the longest bar
    return chart([trace], xaxis={"title": title, "range": [0, room]} if room else {"title": title})
