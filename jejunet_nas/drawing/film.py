"""A film: a clip frame by frame, as annotated and as a network segmented it under its policy.

Rows of four frames: the annotations, and below them the masks of the int8 graphs, each with the
path of its frame and the frame's mIoU over the classes that it contains.

Units: mIoU in per cent; frames are counted from 0.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jejunet_nas.drawing.overlay import PATH_COLOURS, class_colours
from jejunet_nas.drawing.page import (
    IN_A_ROW,
    Tile,
    classes_in,
    heading,
    legend,
    tile_row,
    write_page,
)
from jejunet_nas.records import IGNORE, TrialResult
from jejunet_nas.records.rows import FilmFrame
from jejunet_nas.records.words import (
    architecture_words,
    miou_words,
    one_line,
    per_cent,
    source_words,
)

_TALLEST_PX = 600


def draw_film(
    frames: Sequence[FilmFrame],
    file: Path,
    *,
    clip: str,
    class_names: Sequence[str],
    trial: TrialResult,
) -> None:
    """Write the film to `file`, a PNG."""
    colours = class_colours(class_names)
    rows = list(film_rows(frames))
    shown = classes_in([tile.mask for row in rows for tile in row])
    title, words = title_of(clip, trial)
    write_page(
        [
            heading(title, words),
            heading("", architecture_words(trial.architecture)),
            *(tile_row(row, colours, tallest=_TALLEST_PX) for row in rows),
            legend(shown, class_names, colours),
        ],
        file,
    )


def title_of(clip: str, trial: TrialResult) -> tuple[str, str]:
    """Return the title, and the trial's figures."""
    figures = (
        f"{miou_words(trial)} over all clips, {trial.latency.mean_ms:.1f} ms a frame "
        f"({source_words(trial)})"
    )
    return f"{one_line(clip)}, trial {trial.number}", figures


def film_rows(frames: Sequence[FilmFrame]) -> Iterator[list[Tile]]:
    """Yield a row of annotations and a row of masks for each four frames."""
    for first in range(0, len(frames), IN_A_ROW):
        row = frames[first : first + IN_A_ROW]
        yield [_annotation(each) for each in row]
        yield [
            Tile(
                frame=each.frame, mask=each.mask, caption=_words(each), chip=PATH_COLOURS[each.path]
            )
            for each in row
        ]


def _annotation(each: FilmFrame) -> Tile:
    if each.annotation is None:
        void = np.full(each.frame.shape[:2], IGNORE, np.uint8)
        return Tile(frame=each.frame, mask=void, caption=f"frame {each.time}, not annotated")
    return Tile(frame=each.frame, mask=each.annotation, caption=f"frame {each.time}, annotated")


def _words(each: FilmFrame) -> str:
    path = f"{each.path}{', gate' if each.gated else ''}"
    return path if each.miou is None else f"{path}: {per_cent(each.miou, 0)} mIoU"
