"""Plot: plotly's figures as the plain values that its script reads, and an axis of latencies.

Written without plotly's Python classes, which check and copy each of ten thousand points: 10 s.
A test lets them check what is made here.
"""

import math
from collections.abc import Sequence
from typing import Any

Chart = dict[str, Any]
Trace = dict[str, Any]

LEGEND_ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
LOG_FROM_RATIO = 5.0  # a linear axis would crowd its left end
# The roundest first: later ones are left out where they would stand too near.
TICKS_MS = tuple(
    lead * decade
    for lead in (1, 5, 2, 3, 4, 1.5, 7, 6, 8, 2.5, 3.5, 9)
    for decade in (0.1, 1.0, 10.0, 100.0, 1000.0)
)
TICK_GAP = 0.105  # of the axis: the room of a tick's words


def chart(traces: Sequence[Trace], **layout: Any) -> Chart:
    """Return a figure of `traces`; `layout` as plotly names its parts."""
    margin = {"l": 62, "r": 18, "t": 34, "b": 56}
    return {"data": list(traces), "layout": {"margin": margin, **layout}}


def scatter(**attributes: Any) -> Trace:
    """Return a trace of points or lines."""
    return {"type": "scatter", **attributes}


def bar(**attributes: Any) -> Trace:
    """Return a trace of bars."""
    return {"type": "bar", **attributes}


def latency_axis(latencies: Sequence[float]) -> dict[str, Any]:
    """Return an axis of ms with frames a second below them, logarithmic where they differ much."""
    wide = is_wide(latencies)
    scale = math.log if wide else float
    least, most = min(latencies), max(latencies)
    if least == most:  # a target without a trial
        least, most = 0.6 * least, 1.4 * most
    low, high = scale(least), scale(most)
    gap = TICK_GAP * max(high - low, 1e-9)
    ticks: list[float] = []
    for tick in TICKS_MS:
        near = (abs(scale(tick) - scale(other)) < gap for other in ticks)
        if low - gap <= scale(tick) <= high + gap and not any(near):
            ticks.append(tick)
    axis: dict[str, Any] = {
        "title": {"text": "mean latency of a frame (ms), and frames a second"},
        "tickvals": sorted(ticks),
        "ticktext": [f"{tick:g}<br>{_fps(1000 / tick)} fps" for tick in sorted(ticks)],
        "tickangle": 0,
    }
    return axis | ({"type": "log"} if wide else {})


def _fps(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def target_line(deadline: float, fps: float, latencies: Sequence[float]) -> dict[str, Any]:
    """Return the line of a target and its words, as parts of a layout."""
    wide = is_wide([*latencies, deadline])
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


def is_wide(latencies: Sequence[float]) -> bool:
    """Return whether a linear axis would crowd its left end."""
    return max(latencies) > LOG_FROM_RATIO * min(latencies)
