"""Front: the chart of a study as a PNG, legible at the width of a README.

mIoU against the mean latency of a frame; up and left is better. Colour shows the state of a trial,
a diamond that the whole network runs on every frame (the best of them is orange). The colours are
safe for colour-blind readers (Okabe and Ito, "Color Universal Design", 2008).

Units: mIoU in per cent; ms a frame; frames a second.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import NullLocator

from jejunet_nas.drawing.front_points import (
    FrontPoints,
    LatencyAxis,
    axis_of,
    front_points,
    points_of,
)
from jejunet_nas.files import write_whole
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import latency_words, one_line
from jejunet_nas.scoring.ranking import State, best_feasible, deadline_ms, front_of

INK, PALE = "#333333", "#B5B5B5"
_BLUE, _VERMILION, _SKY, _GREY = "#0072B2", "#D55E00", "#56B4E9", "#8C8C8C"
# Of each state: name, fill, edge, size in points, order from back to front.
_STYLES: dict[State, tuple[str, str, str, float, float]] = {
    "front": ("front", _BLUE, "white", 8.5, 4),
    "dominated": ("dominated", _GREY, _GREY, 5.5, 2.5),
    "over target": ("over the target", "white", PALE, 5.5, 2),
}
_LEAST_SPAN_PCT = 4.0  # of mIoU; chance alone moves a trial by tenths
_TICK_GAP = 0.055  # of the axis: the width of a tick's label
_LETTER, _LINE = 0.012, 0.05  # of the axes: width of a letter, height of a label
# DejaVu, which comes with matplotlib, lacks the scripts of East Asia.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Droid Sans Fallback")


class Chart(Figure):
    """A figure that a notebook shows with any backend."""

    def _repr_png_(self) -> bytes:
        return _png(self)


def draw_front(history: StudyHistory, file: Path) -> None:
    """Write the chart of the front to `file`, a PNG 9 inches wide at 150 dots an inch."""
    picture = _png(front_figure(history))
    write_whole(file, lambda beside: beside.write_bytes(picture))


def front_figure(history: StudyHistory) -> Chart:
    """Return the chart of the front, 9 inches wide at 150 dots an inch."""
    shown = front_points(history)
    axis = axis_of(shown.latencies)
    figure = Chart(figsize=(9, 5.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    _set_limits(axes, axis, shown)
    _name_axes(axes, axis, history)
    _draw_target(axes, axis, history)
    _draw_trials(axes, shown)
    _draw_marks(axes, shown, history)
    _label_front(axes, axis, history)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return figure


def _png(figure: Figure) -> bytes:
    written = io.BytesIO()
    with warnings.catch_warnings():  # a script without an installed font shows as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(written, format="png")
    return written.getvalue()


def _set_limits(axes: Axes, axis: LatencyAxis, shown: FrontPoints) -> None:
    if axis.logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(axis.low, axis.high)
    ious = [miou for points in shown.by_state.values() for miou in points.miou_pct] or [0.0, 100.0]
    middle, span = (min(ious) + max(ious)) / 2, max(max(ious) - min(ious), _LEAST_SPAN_PCT)
    axes.set_ylim(middle - 0.62 * span, middle + 0.66 * span)  # the target's label is at the top
    axes.grid(axis="y", color=PALE, alpha=0.35, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _name_axes(axes: Axes, axis: LatencyAxis, history: StudyHistory) -> None:
    """Write ticks, units, the source of the latencies and the study's name around the axes."""
    fps_axis = axes.secondary_xaxis("top")
    ticks, rates = axis.ticks_ms(_TICK_GAP), axis.ticks_fps(_TICK_GAP)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    fps_axis.set_xticks([1000 / rate for rate in rates], [f"{rate:g}" for rate in rates])
    for each in (axes.xaxis, fps_axis.xaxis):
        each.set_minor_locator(NullLocator())
    fps_axis.set_xlabel("frames a second", color=INK)
    axes.set_ylabel("mIoU (%)")
    fonts = [name for name in _FONTS if name in fontManager.get_font_names()]
    # Names come from outside: a $ in them does not start a formula.
    label = f"mean latency per frame (ms), {latency_words(history)}"
    axes.set_xlabel(_cut(label, 100), parse_math=False, family=fonts)
    title = _cut(f"{one_line(history.study)} on {one_line(history.dataset)}", 70)
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False, family=fonts)


def _draw_target(axes: Axes, axis: LatencyAxis, history: StudyHistory) -> None:
    deadline = deadline_ms(history)
    axes.axvline(deadline, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1)
    text = f"{history.target_fps:g} fps = {deadline:.1f} ms"
    if not history.complete:
        text += ": no complete trial yet"
    elif not front_of(history):
        text += ": no trial meets it yet"
    on_the_left = axis.place(deadline) > 0.6
    axes.annotate(
        text,
        (deadline, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-6 if on_the_left else 6, -6),
        textcoords="offset points",
        ha="right" if on_the_left else "left",
        va="top",
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def _draw_trials(axes: Axes, shown: FrontPoints) -> None:
    """Draw the front as stairs, and the trials of each state in one call, fast for 10,000."""
    if shown.stairs:
        xs, ys = zip(*shown.stairs, strict=True)
        floor = axes.get_ylim()[0]
        axes.fill_between(xs, ys, floor, step="post", color=_BLUE, alpha=0.07, linewidth=0)
        axes.step(xs, ys, where="post", color=_BLUE, linewidth=1.6, zorder=3)
    for state, points in shown.by_state.items():
        name, fill, edge, size, order = _STYLES[state]
        for whole, marker, scale in ((False, "o", 1.0), (True, "D", 0.85)):
            chosen = np.array(points.whole, bool) == whole
            axes.plot(
                np.array(points.ms)[chosen],
                np.array(points.miou_pct)[chosen],
                linestyle="none",
                marker=marker,
                markersize=scale * size,
                markerfacecolor=fill,
                markeredgecolor=edge,
                zorder=order,
                label=name if points.ms and not whole else "",
            )


def _draw_marks(axes: Axes, shown: FrontPoints, history: StudyHistory) -> None:
    """Draw the best trial without video, predictions of measured trials, and refused trials."""
    best = best_feasible(history, video=False)
    if any(whole for points in shown.by_state.values() for whole in points.whole):
        points = points_of([best] if best else [])
        style: dict[str, Any] = {"color": _VERMILION, "markersize": 7, "markeredgecolor": "white"}
        name = "diamond: every frame a keyframe; orange: the best"
        axes.plot(points.ms, points.miou_pct, "D", zorder=5, label=name, **style)
    for number, (predicted_ms, measured_ms, miou) in enumerate(shown.predictions):
        xs, name = [predicted_ms, measured_ms], "" if number else "from predicted to measured"
        axes.plot(xs, [miou, miou], "-|", color=_SKY, markevery=[0], zorder=3.5, label=name)
    if shown.refused:
        xs, across = [ms for _, ms in shown.refused], axes.get_xaxis_transform()
        style = {"color": _GREY, "markersize": 9, "label": "refused, at its lowest latency"}
        axes.plot(xs, [0.02] * len(xs), "|", transform=across, **style)


def _label_front(axes: Axes, axis: LatencyAxis, history: StudyHistory) -> None:
    """Write the number of each front trial up and left of it, where no trial can be.

    The best with and without video come first; a label that would cover another is left out.
    """
    best = [best_feasible(history, video=video) for video in (True, False)]
    first = [trial for trial in best if trial is not None]
    some_measured = any(trial.measured for trial in history.complete)
    low, high = axes.get_ylim()
    taken: list[tuple[float, float, float]] = []  # left, right and bottom, of the axes
    for trial in [*first, *(each for each in front_of(history) if each not in first)]:
        predicted = some_measured and trial.measured is None
        name = f"{trial.number}, predicted" if predicted else f"{trial.number}"
        at = trial.latency.mean_ms, 100 * trial.score.miou
        right, bottom = axis.place(at[0]), (at[1] - low) / (high - low)
        outside = right < _LETTER * len(name)  # it would cover the ticks of the axis
        left = 0.0 if outside else right - _LETTER * len(name)
        right = left + _LETTER * len(name)
        if all(left > end or right < start or abs(bottom - b) > _LINE for start, end, b in taken):
            taken.append((left, right, bottom))
            style: dict[str, Any] = {"fontsize": 9, "color": INK, "zorder": 6}
            x, shift, side = (axis.low, (3, 6), "left") if outside else (at[0], (-5, 4), "right")
            axes.annotate(name, (x, at[1]), shift, textcoords="offset points", ha=side, **style)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
