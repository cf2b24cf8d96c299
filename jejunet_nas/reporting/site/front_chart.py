"""Front chart: all trials of a study as mIoU against latency, with a baseline beside them.

Units: mIoU in per cent; ms a frame.
"""

from collections.abc import Mapping, Sequence

from jejunet_nas.drawing.front_points import FrontPoints, Points, front_points, points_of
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.reporting.site.plot import (
    LEGEND_ABOVE,
    Chart,
    Trace,
    chart,
    latency_axis,
    scatter,
    target_line,
)
from jejunet_nas.reporting.site.seed_figures import SEED, SEED_DATASET, SOURCE, SeedPoint
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.ranking import State, deadline_ms

# From back to front: state, name in the legend, role of its colour.
_STATES: tuple[tuple[State, str, str], ...] = (
    ("over target", "over the target", "over"),
    ("dominated", "dominated", "dominated"),
    ("front", "front", "front"),
)
_DOTTED = {
    "mode": "lines+markers+text",
    "line": {"dash": "dot", "width": 1.5},
    "textposition": "top center",
}


def front_chart(
    history: StudyHistory, intervals: Mapping[int, Interval], baseline: StudyHistory | None = None
) -> Chart:
    """Return the chart of a study, with the trials of `baseline` where there is one.

    intervals: of the mIoU of the front's trials, by number.
    """
    shown, theirs = front_points(history), baseline.complete if baseline else ()
    published = SEED if history.dataset == SEED_DATASET else ()
    latencies = [*shown.latencies, *(trial.latency.mean_ms for trial in theirs)]
    latencies += [point.mean_ms for point in published]
    over, dominated, front = (_points(shown.by_state.get(s), name, r) for s, name, r in _STATES)
    return chart(
        [
            *(*_refused(shown), *over, *dominated),
            *(*_baseline(theirs), *_published(published)),
            *(*_stairs(shown, intervals), *front),
        ],
        xaxis=latency_axis(latencies),
        yaxis={"title": {"text": "mIoU (%)"}},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        legend=LEGEND_ABOVE,
        hovermode="closest",
        **target_line(deadline_ms(history), history.target_fps, latencies),
    )


def _points(points: Points | None, name: str, role: str) -> list[Trace]:
    if points is None:
        return []
    return [
        scatter(
            x=list(points.ms),
            y=list(points.miou_pct),
            customdata=list(points.numbers),
            mode="markers",
            name=name,
            marker={"symbol": ["diamond" if each else "circle" for each in points.whole]},
            meta={"role": role},
            hoverinfo="none",
        )
    ]


def _stairs(shown: FrontPoints, intervals: Mapping[int, Interval]) -> list[Trace]:
    """Return the line of the front, its predictions, and its intervals over clips."""
    if not shown.stairs:
        return []
    line = scatter(
        x=[ms for ms, _ in shown.stairs],
        y=[miou for _, miou in shown.stairs],
        mode="lines",
        line={"shape": "hv", "width": 2},
        meta={"role": "front"},
        hoverinfo="skip",
        showlegend=False,
    )
    return [line, *_predictions(shown), _interval_bars(shown.by_state["front"], intervals)]


def _interval_bars(front: Points, intervals: Mapping[int, Interval]) -> Trace:
    """Return the intervals of the front; they are wide, so a click in the legend shows them."""
    bounds = [intervals.get(number) for number in front.numbers]
    pairs = list(zip(bounds, front.miou_pct, strict=True))
    return scatter(
        x=list(front.ms),
        y=list(front.miou_pct),
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
        meta={"role": "front"},
        hoverinfo="skip",
    )


def _predictions(shown: FrontPoints) -> list[Trace]:
    """Return lines from the predicted to the measured latency of measured front trials."""
    if not shown.predictions:
        return []
    return [
        scatter(
            x=[
                x
                for predicted, measured, _ in shown.predictions
                for x in (predicted, measured, None)
            ],
            y=[y for _, _, miou in shown.predictions for y in (miou, miou, None)],
            mode="lines+markers",
            marker={"symbol": "line-ns-open", "size": 9},
            name="from predicted to measured",
            meta={"role": "prediction"},
            hoverinfo="skip",
        )
    ]


def _refused(shown: FrontPoints) -> list[Trace]:
    """Return ticks at the bottom: a refused trial has a latency, and no mIoU."""
    if not shown.refused:
        return []
    return [
        scatter(
            x=[ms for _, ms in shown.refused],
            y=[0.015] * len(shown.refused),
            yaxis="y2",
            customdata=[number for number, _ in shown.refused],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 9},
            name="refused, at its lowest latency",
            meta={"role": "refused"},
            hoverinfo="none",
        )
    ]


def _baseline(trials: Sequence[TrialResult]) -> list[Trace]:
    if not trials:
        return []
    known = sorted(trials, key=lambda trial: trial.latency.mean_ms)
    points = points_of(known)
    return [
        scatter(
            x=list(points.ms),
            y=list(points.miou_pct),
            text=[f"{trial.architecture.network.input_width} px" for trial in known],
            customdata=[-1 - number for number in points.numbers],
            marker={"symbol": "square", "size": 9},
            name="baseline",
            meta={"role": "baseline"},
            hoverinfo="none",
            **_DOTTED,
        )
    ]


def _published(points: Sequence[SeedPoint]) -> list[Trace]:
    if not points:
        return []
    return [
        scatter(
            x=[point.mean_ms for point in points],
            y=[100 * point.miou for point in points],
            text=[f"{point.input_px} px" for point in points],
            marker={"symbol": "square-open", "size": 9},
            name=SOURCE,
            visible="legendonly",
            meta={"role": "published"},
            hovertemplate="%{text}: %{y:.1f} mIoU, %{x:.1f} ms, published<extra></extra>",
            **_DOTTED,
        )
    ]
