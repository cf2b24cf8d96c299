"""Front chart: every trial of a study in mIoU against latency, and what they are held against.

Units: mIoU in per cent; ms a frame.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.reporting.site.plot import (
    LEGEND_ABOVE,
    Chart,
    chart,
    latency_axis,
    scatter,
    target_line,
)
from jejunet_nas.reporting.site.seed_figures import SEED, SEED_DATASET, SOURCE
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.ranking import deadline_ms, front_of, states


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
    return chart(
        [
            *_refused(history),
            *_points(others["over target"], "over the target", "over"),
            *_points(others["dominated"], "dominated", "dominated"),
            *_reference(history, baseline),
            *_front(history, front, intervals),
        ],
        **_front_layout(history, baseline),
    )


def _points(trials: Sequence[TrialResult], name: str, role: str) -> list[Any]:
    if not trials:
        return []
    whole = [not trial.architecture.policy.spares_frames for trial in trials]
    return [
        scatter(
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
        scatter(
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
    return scatter(
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
        scatter(
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
        scatter(
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
            scatter(
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
    if history.dataset == SEED_DATASET:
        traces.append(
            scatter(
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


def _front_layout(history: StudyHistory, baseline: StudyHistory | None) -> dict[str, Any]:
    """Return the axes of the front's chart, and the line of the target."""
    shown = (*history.complete, *(baseline.complete if baseline else ()))
    latencies = [deadline_ms(history), *(trial.latency.mean_ms for trial in shown)]
    latencies += [trial.mean_ms for trial in history.refused]
    latencies += [trial.predicted.mean_ms for trial in front_of(history)]
    if history.dataset == SEED_DATASET:
        latencies += [point.mean_ms for point in SEED]
    return {
        "xaxis": latency_axis(latencies),
        "yaxis": {"title": {"text": "mIoU (%)"}},
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "legend": LEGEND_ABOVE,
        "hovermode": "closest",
        **target_line(deadline_ms(history), history.target_fps, latencies),
    }
