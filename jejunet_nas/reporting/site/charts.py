"""Charts: the page's figures as plotly has them, without colours.

Each trace says in `meta.role` what it shows; the page's script gives the role its colour, of the
light or the dark theme. Points know their trial by `customdata`: the script writes what is said of
a trial when the pointer is over it, and shows its card when it is clicked.

Units: mIoU in per cent; ms a frame; hours of work; shares in per cent.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.reporting.progress import progress
from jejunet_nas.reporting.site.published import SEED, SOURCE
from jejunet_nas.reporting.tables import deadline_ms, front_of, states
from jejunet_nas.scoring.bootstrap import Interval

Chart = dict[str, Any]

LOG_FROM_RATIO = 5.0  # a linear axis would crowd its left end
# The roundest first: later ones are left out where they would stand too near.
TICKS_MS = tuple(
    lead * decade
    for lead in (1, 5, 2, 3, 4, 1.5, 7, 6, 8, 2.5, 3.5, 9)
    for decade in (0.1, 1.0, 10.0, 100.0, 1000.0)
)
TICK_GAP = 0.085  # of the axis: the room of a tick's words


def front_chart(
    history: StudyHistory,
    intervals: Mapping[int, Interval],
    baseline: StudyHistory | None = None,
) -> Chart:
    """Return mIoU against latency: the front, all other trials, and what they are held against.

    intervals: of the mIoU of the front's trials, by number.
    """
    front, state = front_of(history), states(history)
    others: dict[str, list[TrialResult]] = defaultdict(list)
    for trial in history.complete:
        others[state[trial.number]].append(trial)
    chart = go.Figure()
    chart.add_traces(
        [
            *_refused(history),
            *_points(others["over target"], "over the target", "over"),
            *_points(others["dominated"], "dominated", "dominated"),
            *_reference(history, baseline),
            *_front(history, front, intervals),
        ]
    )
    _dress_front(chart, history, baseline)
    return plain_chart(chart)


def progress_chart(history: StudyHistory) -> Chart:
    """Return the hypervolume after each trial; its other x, hours of work, is in `customdata`."""
    made = progress(history)
    hours = [seconds / 3600 for seconds in made.spent_s] if made.spent_s else None
    chart = go.Figure(
        go.Scatter(
            x=list(made.trials),
            y=list(made.hypervolumes),
            customdata=hours,
            mode="lines",
            line={"shape": "hv", "width": 2},
            meta={"role": "front"},
            hovertemplate="after trial %{x}: %{y:.2f}<extra></extra>",
        )
    )
    chart.update_layout(
        xaxis={"title": {"text": "trial"}},
        yaxis={"title": {"text": "hypervolume (mIoU x ms)"}, "rangemode": "tozero"},
    )
    return plain_chart(chart)


def importance_chart(importances: Mapping[str, Mapping[str, float]]) -> Chart | None:
    """Return how much each dimension decides of each objective, in per cent; None if unknown."""
    known = {name: shares for name, shares in importances.items() if shares}
    if not known:
        return None
    total: dict[str, float] = defaultdict(float)
    for shares in known.values():
        for dimension, share in shares.items():
            total[dimension] += share
    order = sorted(total, key=lambda dimension: total[dimension])
    chart = go.Figure(
        [
            go.Bar(
                orientation="h",
                name=objective,
                x=[100 * shares.get(dimension, 0.0) for dimension in order],
                y=[dimension.replace("_", " ") for dimension in order],
                meta={"role": role},
                hovertemplate="%{y}: %{x:.0f} % of " + objective + "<extra></extra>",
            )
            for (objective, shares), role in zip(known.items(), ("front", "video"), strict=False)
        ]
    )
    chart.update_layout(barmode="group", xaxis={"title": {"text": "share (%)"}})
    return plain_chart(chart)


def stages_chart(history: StudyHistory) -> Chart:
    """Return the seconds spent on each stage, over all complete trials."""
    spent: dict[str, float] = defaultdict(float)
    for trial in history.complete:
        for stage, seconds in trial.stage_s.items():
            spent[stage] += seconds
    order = sorted(spent, key=lambda stage: spent[stage])
    whole = sum(spent.values()) or 1.0
    chart = go.Figure(
        go.Bar(
            orientation="h",
            x=[spent[stage] / 60 for stage in order],
            y=order,
            text=[f"{100 * spent[stage] / whole:.0f} %" for stage in order],
            textposition="outside",
            cliponaxis=False,
            meta={"role": "front"},
            hovertemplate="%{y}: %{x:.1f} min<extra></extra>",
        )
    )
    chart.update_layout(xaxis={"title": {"text": "minutes, all trials together"}}, showlegend=False)
    return plain_chart(chart)


def _points(trials: Sequence[TrialResult], name: str, role: str) -> list[Any]:
    if not trials:
        return []
    whole = [not trial.architecture.policy.spares_frames for trial in trials]
    return [
        go.Scatter(
            x=[trial.latency.mean_ms for trial in trials],
            y=[100 * trial.score.miou for trial in trials],
            customdata=[trial.number for trial in trials],
            mode="markers",
            name=name,
            marker={"symbol": ["diamond" if each else "circle" for each in whole]},
            meta={"role": role},
            hoverinfo="none",
        )
    ]


def _front(
    history: StudyHistory, front: Sequence[TrialResult], intervals: Mapping[int, Interval]
) -> list[Any]:
    if not front:
        return []
    stairs = list(reversed(front))
    (points,) = _points(stairs, "front", "front")
    bounds = [intervals.get(trial.number) for trial in stairs]
    return [
        go.Scatter(
            x=[*(trial.latency.mean_ms for trial in stairs), deadline_ms(history)],
            y=[100 * trial.score.miou for trial in (*stairs, stairs[-1])],
            mode="lines",
            line={"shape": "hv", "width": 2},
            meta={"role": "front"},
            hoverinfo="skip",
            showlegend=False,
        ),
        *_predictions(stairs),
        _interval_bars(stairs, bounds),
        points,
    ]


def _interval_bars(stairs: Sequence[TrialResult], bounds: Sequence[Interval | None]) -> Any:
    """Return the intervals of the front, hidden until the legend is clicked: they are wide."""
    ious = [100 * trial.score.miou for trial in stairs]
    return go.Scatter(
        x=[trial.latency.mean_ms for trial in stairs],
        y=ious,
        mode="markers",
        marker={"size": 1},
        error_y={
            "type": "data",
            "array": [100 * b.high - i if b else 0 for b, i in zip(bounds, ious, strict=True)],
            "arrayminus": [i - 100 * b.low if b else 0 for b, i in zip(bounds, ious, strict=True)],
            "thickness": 1.2,
            "width": 4,
        },
        name="95 % interval over clips",
        visible="legendonly",
        meta={"role": "front"},
        hoverinfo="skip",
    )


def _predictions(front: Sequence[TrialResult]) -> list[Any]:
    """Return lines from where measured trials were predicted to where they came to lie."""
    measured = [trial for trial in front if trial.measured]
    if not measured:
        return []
    xs: list[float | None] = []
    ys: list[float | None] = []
    for trial in measured:
        xs += [trial.predicted.mean_ms, trial.latency.mean_ms, None]
        ys += [100 * trial.score.miou, 100 * trial.score.miou, None]
    return [
        go.Scatter(
            x=xs,
            y=ys,
            mode="lines+markers",
            marker={"symbol": "line-ns-open", "size": 9},
            name="from its prediction",
            meta={"role": "prediction"},
            hoverinfo="skip",
        )
    ]


def _refused(history: StudyHistory) -> list[Any]:
    """Return ticks at the bottom: what was refused has a latency, and no mIoU."""
    if not history.refused:
        return []
    return [
        go.Scatter(
            x=[trial.mean_ms for trial in history.refused],
            y=[0.015] * len(history.refused),
            yaxis="y2",
            customdata=[trial.number for trial in history.refused],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 9},
            name="refused, at its least latency",
            meta={"role": "refused"},
            hoverinfo="none",
        )
    ]


def _reference(history: StudyHistory, baseline: StudyHistory | None) -> list[Any]:
    """Return the baseline study's trials, and what was published where the data set is the same."""
    traces = []
    if baseline is not None and baseline.complete:
        known = sorted(baseline.complete, key=lambda trial: trial.latency.mean_ms)
        traces.append(
            go.Scatter(
                x=[trial.latency.mean_ms for trial in known],
                y=[100 * trial.score.miou for trial in known],
                text=[f"{trial.architecture.network.input_width} px" for trial in known],
                textposition="top center",
                customdata=[-1 - trial.number for trial in known],
                mode="lines+markers+text",
                line={"dash": "dot", "width": 1.5},
                marker={"symbol": "square", "size": 9},
                name="baseline",
                meta={"role": "baseline"},
                hoverinfo="none",
            )
        )
    if history.dataset == "voc2012":
        traces.append(
            go.Scatter(
                x=[point.mean_ms for point in SEED],
                y=[100 * point.miou for point in SEED],
                text=[f"{point.input_px} px" for point in SEED],
                textposition="top center",
                mode="lines+markers+text",
                line={"dash": "dot", "width": 1.5},
                marker={"symbol": "square-open", "size": 9},
                name=SOURCE,
                visible="legendonly",
                meta={"role": "published"},
                hovertemplate="%{text}: %{y:.1f} mIoU, %{x:.1f} ms, published<extra></extra>",
            )
        )
    return traces


def _dress_front(chart: Any, history: StudyHistory, baseline: StudyHistory | None) -> None:
    """Give the front's chart its axes, and the line of the target."""
    shown = (*history.complete, *(baseline.complete if baseline else ()))
    latencies = [trial.latency.mean_ms for trial in shown]
    chart.update_layout(
        xaxis=latency_axis([*latencies, deadline_ms(history)]),
        yaxis={"title": {"text": "mIoU (%)"}},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
        **target_line(deadline_ms(history), history.target_fps, latencies),
    )


def latency_axis(latencies: Sequence[float]) -> dict[str, Any]:
    """Return an axis of ms with frames a second below them, logarithmic where they differ much."""
    wide = _is_wide(latencies)
    scale = math.log if wide else float
    low, high = scale(min(latencies)), scale(max(latencies))
    gap = TICK_GAP * max(high - low, 1e-9)
    ticks: list[float] = []
    for tick in TICKS_MS:
        near = (abs(scale(tick) - scale(other)) < gap for other in ticks)
        if low - gap <= scale(tick) <= high + gap and not any(near):
            ticks.append(tick)
    axis: dict[str, Any] = {
        "title": {"text": "mean latency of a frame (ms), and frames a second"},
        "tickvals": sorted(ticks),
        "ticktext": [f"{tick:g}<br>{1000 / tick:.3g} fps" for tick in sorted(ticks)],
        "tickangle": 0,
    }
    return axis | ({"type": "log"} if wide else {})


def target_line(deadline: float, fps: float, latencies: Sequence[float]) -> dict[str, Any]:
    """Return the line of a target and its words, as parts of a layout."""
    wide = _is_wide([*latencies, deadline])
    return {
        "shapes": [
            {
                "type": "line",
                "x0": deadline,
                "x1": deadline,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"dash": "dash", "width": 1.5},
            }
        ],
        "annotations": [
            {
                "x": math.log10(deadline) if wide else deadline,
                "y": 0,
                "yref": "paper",
                "text": f"{fps:g} fps = {deadline:.1f} ms",
                "showarrow": False,
                "xanchor": "right",
                "xshift": -6,
                "yanchor": "bottom",
                "yshift": 14,
            }
        ],
    }


def plain_chart(chart: Any) -> Chart:
    """Return the chart as JSON values, without plotly's own template of colours."""
    chart.update_layout(template=None, margin={"l": 62, "r": 18, "t": 34, "b": 56})
    plain: Chart = chart.to_dict()
    return plain


def _is_wide(latencies: Sequence[float]) -> bool:
    return max(latencies) > LOG_FROM_RATIO * min(latencies)
