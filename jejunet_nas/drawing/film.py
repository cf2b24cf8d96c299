"""A film: a clip frame by frame, as annotated and as a network segmented it under its policy.

Rows of columns, one column a frame: what was annotated above, what the int8 graphs made of it
below, and between them the path that the frame took and the mIoU over the classes it holds.

Units: mIoU in per cent; frames are counted from 0.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from jejunet_nas.drawing.front import INK
from jejunet_nas.drawing.overlay import PATH_COLOURS, Colour, Picture, class_colours, overlay
from jejunet_nas.records import IGNORE, TrialResult
from jejunet_nas.records.rows import FilmFrame
from jejunet_nas.records.words import architecture_words, one_line, per_cent, source_words

IN_A_ROW = 4
TILE_WIDTH_PX = 330
_DOTS_PER_INCH = 150


def draw_film(
    frames: Sequence[FilmFrame],
    file: Path,
    *,
    clip: str,
    class_names: Sequence[str],
    trial: TrialResult,
) -> None:
    """Write the film to `file`, a PNG with `IN_A_ROW` frames side by side."""
    colours = class_colours(class_names)
    height, width = frames[0].frame.shape[:2]
    tile = round(TILE_WIDTH_PX * height / width), TILE_WIDTH_PX
    rows = -(-len(frames) // IN_A_ROW)
    figure = Figure(
        figsize=(
            IN_A_ROW * TILE_WIDTH_PX / _DOTS_PER_INCH,
            rows * (2 * tile[0] + 70) / _DOTS_PER_INCH + 0.9,
        ),
        dpi=_DOTS_PER_INCH,
        layout=ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0),
    )
    axes = np.asarray(figure.subplots(2 * rows, IN_A_ROW, squeeze=False))
    for place in axes.flat:
        place.axis("off")
    for number, each in enumerate(frames):
        row, column = divmod(number, IN_A_ROW)
        _show(axes[2 * row, column], each.frame, each.annotation, colours, tile)
        _show(axes[2 * row + 1, column], each.frame, each.mask, colours, tile)
        axes[2 * row, column].set_title(f"frame {each.time}, annotated", fontsize=7.5, color=INK)
        axes[2 * row + 1, column].set_title(
            _words(each), fontsize=7.5, color=PATH_COLOURS[each.path], fontweight="bold"
        )
    latency = trial.latency
    figure.suptitle(
        f"{one_line(clip)}, trial {trial.number}: {architecture_words(trial.architecture)}\n"
        f"{per_cent(trial.score.miou)} mIoU over all clips, {latency.mean_ms:.1f} ms a frame "
        f"({source_words(trial)})",
        fontsize=9,
        color=INK,
        parse_math=False,
    )
    legend = figure.legend(
        handles=_legend(frames, class_names, colours),
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=8,
    )
    for text in legend.get_texts():  # names are other people's: a $ in one is no formula
        text.set_parse_math(False)
    figure.savefig(file, format="png")


def _words(each: FilmFrame) -> str:
    path = f"{each.path}{', gate' if each.gated else ''}"
    return path if each.miou is None else f"{path}: {per_cent(each.miou, 0)} mIoU"


def _show(
    axes: Axes,
    frame: Picture,
    mask: Picture | None,
    colours: Sequence[Colour | None],
    tile: tuple[int, int],
) -> None:
    shown = np.full(frame.shape[:2], IGNORE, np.uint8) if mask is None else mask
    axes.imshow(overlay(frame, shown, colours, *tile))


def _legend(
    frames: Sequence[FilmFrame], names: Sequence[str], colours: Sequence[Colour | None]
) -> list[Patch]:
    masks = [mask for each in frames for mask in (each.annotation, each.mask) if mask is not None]
    values = {int(value) for mask in masks for value in np.unique(mask)}
    if any(each.annotation is None for each in frames):
        values.add(IGNORE)
    unknown = Patch(facecolor="#D8D8D8", hatch="////", edgecolor="#787878", label="void")
    known = [
        Patch(facecolor=(colour[0] / 255, colour[1] / 255, colour[2] / 255), label=names[index])
        for index in sorted(values - {IGNORE})
        if (colour := colours[index]) is not None
    ]
    return [*known, unknown] if IGNORE in values else known
