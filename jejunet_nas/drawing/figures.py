"""Figures: the front of a study as one chart, legible at the width of a README.

Mean IoU upwards, mean latency of a frame to the right, the target as a line: what lies up and left
is better. Colour says what became of a trial, shape whether it uses the video: a diamond runs the
whole network on every frame. The two colours are told apart by colour-blind readers (Okabe and
Ito, "Color Universal Design", 2008).

Units: mIoU in per cent; ms a frame; frames a second.
"""

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from jejunet_nas.drawing.axes import INK, PALE, draw_target, name_axes, set_limits
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.scoring.ranking import State, best_feasible, deadline_ms, front_of, states

_BLUE, _VERMILION = "#0072B2", "#D55E00"
_SKY = "#56B4E9"
_GREY = "#8C8C8C"
_DOTS_PER_INCH = 150
# Of each state: fill, edge, size in points, order from back to front.
_STYLES: dict[State, tuple[str, str, float, float]] = {
    "front": (_BLUE, "white", 8.5, 5),
    "dominated": (_GREY, _GREY, 5.5, 2.5),
    "over target": ("white", PALE, 5.5, 2),
}
_MOST_LABELS = 24
_ROOM = 3.5  # points on each side of a trial that no label may enter
# Where a number may stand: points to the right, points up, alignment. Up and left of a trial of the
# front lies nothing, or it would be beaten.
_LABEL_PLACES = ((-5, 4, "right"), (0, 7, "center"), (-8, -3, "right"), (6, -10, "left"))


class Chart(Figure):
    """A figure that a notebook shows, whatever backend it has."""

    def _repr_png_(self) -> bytes:
        return _png(self)


def draw_front(history: StudyHistory, file: Path) -> None:
    """Write the chart of the front to `file`, a PNG 9 inches wide at 150 dots an inch."""
    file.write_bytes(_png(front_figure(history)))


def front_figure(history: StudyHistory) -> Chart:
    """Return the chart of the front, 9 inches wide at 150 dots an inch."""
    figure = Chart(figsize=(9, 5.5), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)  # keeps its renderer: else one is made for every label
    axes = figure.add_subplot()
    set_limits(axes, history)
    draw_target(axes, history)
    handles = [
        *_draw_fronts(axes, history),
        *_draw_predictions(axes, history),
        *_draw_trials(axes, history),
        *_draw_refused(axes, history),
    ]
    name_axes(axes, history)
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=len(handles),
            frameon=False,
            fontsize=9,
            handletextpad=0.6,
            columnspacing=1.8,
        )
    with _missing_glyphs_as_boxes():
        figure.draw_without_rendering()  # places the axes, which the labels stand on
        figure.set_layout_engine("none")  # where they stay
        _label_front(axes, history)
    return figure


def _png(figure: Figure) -> bytes:
    written = io.BytesIO()
    with _missing_glyphs_as_boxes():
        figure.savefig(written, format="png")
    return written.getvalue()


@contextlib.contextmanager
def _missing_glyphs_as_boxes() -> Iterator[None]:
    """Show a name in a script without an installed font as boxes: no reason to stop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _draw_fronts(axes: Axes, history: StudyHistory) -> list[Artist]:
    """Draw the front, and below it what it would be with every frame a keyframe."""
    handles: list[Artist] = []
    front, plain = front_of(history), _front_without_video(history)
    if front:
        xs, ys = _steps(front, history)
        floor = axes.get_ylim()[0]
        axes.fill_between(xs, ys, floor, step="post", color=_BLUE, alpha=0.07, linewidth=0)
        axes.step(xs, ys, where="post", color=_BLUE, linewidth=1.6, zorder=3)
        handles.append(_handle("front", "o", _BLUE, line="-"))
    if plain:
        xs, ys = _steps(plain, history)
        axes.step(xs, ys, where="post", color=_VERMILION, linewidth=1.2, linestyle=":", zorder=3)
        handles.append(_handle("every frame a keyframe", "D", _VERMILION, line=":"))
    elif any(_whole(trial) for trial in history.complete):
        handles.append(_handle("every frame a keyframe", "D", "white", edge=_GREY))
    return handles


def _draw_predictions(axes: Axes, history: StudyHistory) -> list[Artist]:
    """Draw from where a measured trial of the front was predicted to where it came to lie."""
    measured = [trial for trial in front_of(history) if trial.measured]
    for trial in measured:
        axes.plot(
            [trial.predicted.mean_ms, trial.latency.mean_ms],
            2 * [100 * trial.score.miou],
            color=_SKY,
            linewidth=1.4,
            solid_capstyle="butt",
            marker="|",
            markevery=[0],
            markersize=7,
            zorder=3.5,
        )
    return [_handle("from its prediction", "|", _SKY, line="-")] if measured else []


def _draw_trials(axes: Axes, history: StudyHistory) -> list[Artist]:
    """Draw the trials of one style at once: each by itself, ten thousand take a minute."""
    state = states(history)
    plain = {trial.number for trial in _front_without_video(history)}
    alike: dict[tuple[State | None, bool], list[TrialResult]] = {}
    for trial in history.complete:
        became = None if trial.number in plain else state[trial.number]
        alike.setdefault((became, _whole(trial)), []).append(trial)
    for (became, whole), trials in alike.items():
        fill, edge, size, order = _STYLES[became] if became else (_VERMILION, "white", 8.5, 4)
        axes.plot(
            [trial.latency.mean_ms for trial in trials],
            [100 * trial.score.miou for trial in trials],
            linestyle="none",
            marker="D" if whole else "o",
            markersize=0.85 * size if whole else size,
            markerfacecolor=fill,
            markeredgecolor=edge,
            zorder=order,
        )
    grey = {became for became, _ in alike}
    handles: list[Artist] = []
    if "dominated" in grey:
        handles.append(_handle("dominated", "o", _GREY))
    if "over target" in grey:
        handles.append(_handle("over the target", "o", "white", edge=PALE))
    return handles


def _draw_refused(axes: Axes, history: StudyHistory) -> list[Artist]:
    if not history.refused:
        return []
    axes.plot(
        [trial.mean_ms for trial in history.refused],
        [0.02] * len(history.refused),
        transform=axes.get_xaxis_transform(),
        linestyle="none",
        marker="|",
        markersize=9,
        color=_GREY,
    )
    return [_handle("refused, at its least latency", "|", _GREY)]


def _label_front(axes: Axes, history: StudyHistory) -> None:
    """Write numbers beside the front's trials, the most interesting first, where there is room."""
    taken = _Taken(axes, history.complete)
    for text in axes.texts:
        taken.add(text.get_window_extent())
    some_measured = any(trial.measured for trial in history.complete)
    for trial in _by_interest(history):
        doubtful = some_measured and trial.measured is None
        name = f"{trial.number}, predicted" if doubtful else f"{trial.number}"
        for right, up, side in _LABEL_PLACES:
            label = axes.annotate(
                name,
                (trial.latency.mean_ms, 100 * trial.score.miou),
                xytext=(right, up),
                textcoords="offset points",
                ha=side,
                fontsize=9,
                color=INK,
                zorder=6,
            )
            extent = label.get_window_extent()
            if not taken.overlaps(extent):
                taken.add(extent)
                break
            label.remove()


def _by_interest(history: StudyHistory) -> list[TrialResult]:
    """Return the best with and without video, then the rest of the front from its fastest on."""
    best = [best_feasible(history, video=True), best_feasible(history, video=False)]
    answers = [trial for trial in best if trial is not None]
    front = front_of(history)[::-1]
    spread = front[:: max(1, len(front) // _MOST_LABELS)]  # of a long front few would find room
    return [*answers, *(trial for trial in spread if trial not in answers)]


class _Taken:
    """The places on which no label may stand: boxes [count, 4], left, lower, right, upper."""

    def __init__(self, axes: Axes, trials: Sequence[TrialResult]) -> None:
        """Begin with the trials themselves, and some room around each."""
        points = [(trial.latency.mean_ms, 100 * trial.score.miou) for trial in trials]
        places = axes.transData.transform(np.reshape(points, (-1, 2)))
        half = _ROOM * _DOTS_PER_INCH / 72
        self._boxes = np.hstack([places - half, places + half])

    def add(self, box: Bbox) -> None:
        self._boxes = np.vstack([self._boxes, box.extents])

    def overlaps(self, box: Bbox) -> bool:
        left, lower, right, upper = self._boxes.T
        beside = (right < box.x0) | (left > box.x1) | (upper < box.y0) | (lower > box.y1)
        return bool((~beside).any())


def _steps(front: Sequence[TrialResult], history: StudyHistory) -> tuple[list[float], list[float]]:
    """Return the corners of the stairs over `front`, from its fastest trial to the target."""
    ious = [100 * trial.score.miou for trial in reversed(front)]
    latencies = [trial.latency.mean_ms for trial in reversed(front)]
    return [*latencies, deadline_ms(history)], [*ious, ious[-1]]


def _whole(trial: TrialResult) -> bool:
    return trial.architecture.policy.keyframe_interval == 1


def _front_without_video(history: StudyHistory) -> list[TrialResult]:
    only = tuple(trial for trial in history.complete if _whole(trial))
    return front_of(dataclasses.replace(history, complete=only))


def _handle(
    name: str, marker: str, colour: str, *, edge: str = "", line: Literal["-", ":", "none"] = "none"
) -> Artist:
    return Line2D(
        [],
        [],
        label=name,
        color=colour,
        linestyle=line,
        marker=marker,
        markersize=6 if marker == "D" else 7,
        markeredgecolor=edge or colour,
    )
