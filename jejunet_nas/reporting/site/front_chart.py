"""Front chart: all trials of a study as mIoU against latency, with a baseline beside them.

Beside them too, published results on its data set whose latency is of its phone and threads.

Units: mIoU in per cent; ms a frame.
"""

from collections.abc import Mapping, Sequence

from jejunet_nas.drawing.front_points import FrontPoints, Points, front_points, points_of
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import counted, input_words
from jejunet_nas.reporting.published import published_results
from jejunet_nas.reporting.site.plot import Chart, Trace, against_latency, chart, scatter
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.ranking import Pick, deadline_ms, picks, roles

_DOTTED = {
    "mode": "lines+markers",
    "line": {"dash": "dot", "width": 1.5},
}
PICK_NAMES: dict[Pick, str] = {"best": "best mIoU", "knee": "knee", "fastest": "fastest"}
_TICK = {"symbol": "line-ns-open", "size": 9}


def front_chart(
    history: StudyHistory,
    intervals: Mapping[int, Interval | None],
    baseline: StudyHistory | None = None,
) -> Chart:
    """Return the chart of a study, with the trials of `baseline` where there is one.

    intervals: of the mIoU of the front's trials, by number.
    """
    shown = front_points(history)
    theirs = sorted(baseline.complete if baseline else (), key=lambda trial: trial.latency.mean_ms)
    published = _published(history)
    traces = [  # from back to front
        _refused(shown),
        _points(shown.by_state["over target"], "over the target", "over"),
        _points(shown.by_state["dominated"], "dominated", "dominated"),
        _baseline(theirs),
        published,
        _stairs(shown),
        _predictions(shown),
        _interval_bars(shown.by_state["front"], intervals),
        _front(shown.by_state["front"], history),
    ]
    latencies = [*shown.latencies, *(trial.latency.mean_ms for trial in theirs)]
    layout = against_latency([*latencies, *published["x"]], deadline_ms(history))
    below = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    return chart(traces, **layout, yaxis2=below)


def _points(points: Points, name: str, role: str) -> Trace:
    return scatter(
        role,
        points.ms,
        points.miou_pct,
        customdata=points.numbers,
        mode="markers",
        name=name,
        marker={"symbol": ["diamond" if each else "circle" for each in points.whole]},
        hoverinfo="none",
    )


def _front(front: Points, history: StudyHistory) -> Trace:
    """Return the front: each point is labelled, and a pick has the colour of its first role.

    meta.points: the role of each point; meta.labels: its label.
    """
    own = {trial.number: roles(trial, history) for trial in picks(history).values()}
    names = {number: ", ".join(PICK_NAMES[role] for role in named) for number, named in own.items()}
    meta = {
        "role": "front",
        "points": [own[n][0] if n in own else "front" for n in front.numbers],
        "labels": [f"{n} {names[n]}" if n in names else f"{n}" for n in front.numbers],
    }
    return _points(front, "front", "front") | {"meta": meta}


def _stairs(shown: FrontPoints) -> Trace:
    return scatter(
        "front",
        (ms for ms, _ in shown.stairs),
        (miou for _, miou in shown.stairs),
        mode="lines",
        line={"shape": "hv", "width": 2},
        showlegend=False,
    )


def _interval_bars(front: Points, intervals: Mapping[int, Interval | None]) -> Trace:
    """Return the intervals of the front; they are wide, so a click in the legend shows them."""
    bounds = [intervals.get(number) for number in front.numbers]
    pairs = list(zip(bounds, front.miou_pct, strict=True))
    return scatter(
        "front",
        front.ms,
        front.miou_pct,
        mode="markers",
        marker={"size": 1},
        error_y={
            "type": "data",
            "array": [100 * bound.high - miou if bound else 0 for bound, miou in pairs],
            "arrayminus": [miou - 100 * bound.low if bound else 0 for bound, miou in pairs],
            "thickness": 1.2,
            "width": 4,
        },
        name="95 % confidence interval over clips",
        visible="legendonly",
    )


def _predictions(shown: FrontPoints) -> Trace:
    """Return lines from the predicted to the measured latency of measured front trials."""
    return scatter(
        "prediction",
        (x for predicted, measured, _ in shown.predictions for x in (predicted, measured, None)),
        (y for _, _, miou in shown.predictions for y in (miou, miou, None)),
        mode="lines+markers",
        marker=_TICK,
        name="from predicted to measured",
    )


def _refused(shown: FrontPoints) -> Trace:
    """Return ticks at the bottom: a refused trial has a latency, and no mIoU."""
    return scatter(
        "refused",
        (ms for _, ms in shown.refused),
        [0.015] * len(shown.refused),
        yaxis="y2",
        customdata=[number for number, _ in shown.refused],
        mode="markers",
        marker=_TICK,
        name="refused, at its lowest latency",
        hoverinfo="none",
    )


def _baseline(trials: Sequence[TrialResult]) -> Trace:
    """Return a baseline's trials; a number n in `customdata` is -1 - n, unlike the study's."""
    points = points_of(trials)
    return scatter(
        "baseline",
        points.ms,
        points.miou_pct,
        meta={
            "role": "baseline",
            "labels": [input_words(trial.architecture.network) for trial in trials],
        },
        customdata=[-1 - number for number in points.numbers],
        marker={"symbol": "square", "size": 9},
        name="baseline",
        hoverinfo="none",
        **_DOTTED,
    )


def _published(history: StudyHistory) -> Trace:
    """Return published results whose latency is of the study's phone and threads."""
    here = history.device, history.threads
    found = [row for row in published_results(history.dataset) if row.latency_ms is not None]
    rows = [row for row in found if (row.hardware, row.threads) == here]
    names = [row.name for row in rows]
    return scatter(
        "published",
        (row.latency_ms for row in rows),
        (100 * row.miou for row in rows),
        text=names,
        meta={"role": "published", "labels": names},
        mode="markers",
        marker={"symbol": "square-open", "size": 9},
        name=f"published: {history.device}, {counted(history.threads, 'thread')}",
        visible="legendonly",
        hovertemplate="%{text}: %{y:.1f} mIoU, %{x:.1f} ms, published<extra></extra>",
    )
