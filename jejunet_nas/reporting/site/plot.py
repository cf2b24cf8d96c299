"""Plot: plotly's figures as the plain values that its script reads, and an axis of latencies.

plotly's Python classes are not used: they check and copy each of 10,000 points, which takes 10 s.
A test checks these figures with them.
"""

import math
from collections.abc import Sequence
from typing import Any

from jejunet_nas.drawing.front_points import axis_of

Chart = dict[str, Any]
Trace = dict[str, Any]

LEGEND_ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
_TICK_GAP = 0.105  # of the axis: the width of a tick's label


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
    axis = axis_of(latencies)
    ticks = axis.ticks_ms(_TICK_GAP)
    shown = {
        "title": {"text": "mean latency of a frame (ms), and frames a second"},
        "tickvals": ticks,
        "ticktext": [f"{tick:g}<br>{_fps(1000 / tick)} fps" for tick in ticks],
        "tickangle": 0,
    }
    return shown | ({"type": "log"} if axis.logarithmic else {})


def _fps(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def target_line(deadline: float, fps: float, latencies: Sequence[float]) -> dict[str, Any]:
    """Return the line of a target and its label, as parts of a layout."""
    logarithmic = axis_of([*latencies, deadline]).logarithmic
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
                "x": math.log10(deadline) if logarithmic else deadline,
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
