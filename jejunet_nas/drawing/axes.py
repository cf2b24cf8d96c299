"""Axes of a study's chart: their limits, ticks and names, and the line of the target.

`figures` lays the trials on them. Latency runs to the right, in ms below and in frames a second
above; a study whose trials differ widely in speed gets a logarithmic axis.

Units: mIoU in per cent; ms a frame; frames a second.
"""

import itertools
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.font_manager import fontManager
from matplotlib.ticker import NullLocator

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import latency_words, one_line
from jejunet_nas.scoring.ranking import deadline_ms, front_of

INK, PALE = "#333333", "#B5B5B5"

_LOG_FROM_RATIO = 5.0  # a linear axis would crowd its left end
_LEAST_SPAN_PCT = 4.0  # of mIoU; chance alone moves a trial by tenths
_TICK_GAP = 0.055  # of the axis: the room that the figures of one tick need
_TITLE_LETTERS, _AXIS_LETTERS = 70, 100
# DejaVu, which comes with matplotlib, lacks the scripts of East Asia.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Droid Sans Fallback")


def set_limits(axes: Axes, history: StudyHistory) -> None:
    """Let the axes hold every trial, the target, and room for the target's label at the top."""
    latencies = [deadline_ms(history), *(t.latency.mean_ms for t in history.complete)]
    latencies += [trial.mean_ms for trial in history.refused]
    latencies += [trial.predicted.mean_ms for trial in front_of(history)]
    low, high = min(latencies), max(latencies)
    if high > _LOG_FROM_RATIO * low:
        axes.set_xscale("log")
        margin = (high / low) ** 0.08
        axes.set_xlim(low / margin, high * margin)
    else:
        margin = max(0.1 * (high - low), 0.2 * low)
        axes.set_xlim(low - margin, high + margin)
    ious = [100 * trial.score.miou for trial in history.complete] or [0.0, 100.0]
    middle, span = (min(ious) + max(ious)) / 2, max(max(ious) - min(ious), _LEAST_SPAN_PCT)
    axes.set_ylim(middle - 0.62 * span, middle + 0.66 * span)


def draw_target(axes: Axes, history: StudyHistory) -> None:
    """Draw the line of the target, and say so where nothing is left of it."""
    deadline = deadline_ms(history)
    axes.axvline(deadline, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1)
    text = f"{history.target_fps:g} fps = {deadline:.1f} ms"
    if not history.complete:
        text += ": no trial scored yet"
    elif not front_of(history):
        text += ": nothing meets it yet"
    on_the_left = _across(axes, deadline) > 0.6
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


def name_axes(axes: Axes, history: StudyHistory) -> None:
    """Write ticks, units, the source of the latencies and the study's name around the axes."""
    low, high = axes.get_xlim()
    fps_axis = axes.secondary_xaxis("top")
    if axes.get_xscale() == "log":
        ticks = _round_ticks(axes, _round_values(low, high))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    rates = _round_values(1000 / high, 1000 / low)
    ticks = _round_ticks(axes, [1000 / rate for rate in rates])
    fps_axis.set_xticks(ticks, [f"{1000 / tick:g}" for tick in ticks])
    for axis in (axes.xaxis, fps_axis.xaxis):
        axis.set_minor_locator(NullLocator())
    fps_axis.set_xlabel("frames a second", color=INK)
    axes.set_ylabel("mIoU (%)")
    fonts = [name for name in _FONTS if name in fontManager.get_font_names()]
    # Names are other people's: a $ in one is no formula.
    label = f"mean latency per frame (ms), {latency_words(history)}"
    axes.set_xlabel(_cut(label, _AXIS_LETTERS), parse_math=False, family=fonts)
    title = f"{one_line(history.study)} on {one_line(history.dataset)}"
    axes.set_title(
        _cut(title, _TITLE_LETTERS), loc="left", fontweight="bold", parse_math=False, family=fonts
    )
    axes.grid(axis="y", color=PALE, alpha=0.35, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _round_values(low: float, high: float) -> list[float]:
    """Return the values between `low` and `high` that make good ticks, the roundest first."""
    decades = [10.0**power for power in range(-3, 6)]
    leads = (1, 5, 2, 3, 7, 1.5, 4, 6, 2.5, 8, 9, 3.5, 4.5, 2.8, 2.2, 3.2)
    values = [lead * decade for lead, decade in itertools.product(leads, decades)]
    return [value for value in values if low <= value <= high]


def _round_ticks(axes: Axes, places: Iterable[float]) -> list[float]:
    """Return those of `places` that keep a tick's label clear of the ones before it."""
    kept: dict[float, float] = {}
    for place in places:
        across = _across(axes, place)
        if all(abs(across - other) > _TICK_GAP for other in kept.values()):
            kept[place] = across
    return sorted(kept)


def _across(axes: Axes, latency_ms: float) -> float:
    """Return where a latency stands between the left (0) and the right (1) of the axes."""
    x, _ = axes.transLimits.transform(axes.transScale.transform((latency_ms, 1.0)))
    return float(x)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
