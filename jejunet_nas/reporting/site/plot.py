"""Plot: plotly's figures as the plain values that its script reads.

plotly's Python classes are not used: they check and copy each of 10,000 points, which takes 10 s.
A test checks these figures with them.

`meta.role` of a trace names its colour in the light and the dark theme of the page's script, which
also draws the legend (named traces) and `meta.labels`, one for each point, where there is room.
`customdata` holds the trial numbers of points, for the tooltip and the card.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from jejunet_nas.drawing.front_points import axis_of

Chart = dict[str, Any]
Trace = dict[str, Any]

_TICK_GAP = 0.105  # of the axis: the width of a tick's label


def chart(traces: Iterable[Trace], **layout: Any) -> Chart:
    """Return a figure of those `traces` that have points; `layout` as plotly names its parts."""
    margin = {"l": 62, "r": 18, "t": 28, "b": 56}
    shown = [trace for trace in traces if trace["x"]]
    return {"data": shown, "layout": {"margin": margin, "showlegend": False, **layout}}


def scatter(role: str, x: Iterable[Any], y: Iterable[Any], **attributes: Any) -> Trace:
    """Return a trace of points or lines, with a tooltip only where `attributes` give one."""
    trace = {"type": "scatter", "x": list(x), "y": list(y), "meta": {"role": role}}
    quiet = {} if "hovertemplate" in attributes else {"hoverinfo": "skip"}
    return trace | quiet | attributes


def bars(role: str, x: Iterable[float], y: Iterable[str], **attributes: Any) -> Trace:
    """Return a trace of horizontal bars of the lengths `x`, named `y`."""
    trace = {"type": "bar", "orientation": "h", "x": list(x), "y": list(y), "meta": {"role": role}}
    return trace | attributes


def against_latency(latencies: Sequence[float], deadline_ms: float) -> dict[str, Any]:
    """Return the layout of a chart of mIoU against `latencies`, with a line at the deadline."""
    known = [*latencies, deadline_ms]
    axis = latency_axis(known)
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": deadline_ms, "x1": deadline_ms}
    label = {
        "x": math.log10(deadline_ms) if axis.get("type") == "log" else deadline_ms,
        "y": 1,
        "yref": "paper",
        "text": f"{1000 / deadline_ms:g} fps = {deadline_ms:.1f} ms",
        "showarrow": False,
        **{"xanchor": "right" if axis_of(known).place(deadline_ms) > 0.5 else "left"},
        "yanchor": "bottom",
    }
    return {
        "xaxis": axis,
        "yaxis": {"title": {"text": "mIoU (%)"}},
        "hovermode": "closest",
        "shapes": [line | {"line": {"dash": "dash", "width": 1.5}}],
        "annotations": [label],
    }


def latency_axis(latencies: Sequence[float]) -> dict[str, Any]:
    """Return an axis of ms with frames a second below them, logarithmic where they differ much."""
    axis = axis_of(latencies)
    ticks = axis.ticks_ms(_TICK_GAP)
    return {
        "type": "log" if axis.logarithmic else "linear",
        "title": {"text": "mean latency (ms a frame)", "standoff": 14},
        "tickvals": ticks,
        "ticktext": [f"{tick:g}<br>{_fps(1000 / tick)} fps" for tick in ticks],
        "tickangle": 0,
    }


def _fps(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
