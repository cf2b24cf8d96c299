"""A contact sheet: frames of both splits with their masks laid over, at a glance right or wrong.

Frames are taken from clips that are spread evenly over the split. Colours belong to classes;
background is left pale and grey, and what is void is hatched. The sheet is `WIDTH_PX` wide, which
is legible at the width of a README.

Units: pixels of the sheet; arrays are [height, width, ...], colours RGB from 0 to 255.
"""

import dataclasses
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from jejunet_nas.datasets.check import DataCheck, Pair, SplitCheck, clip_pairs
from jejunet_nas.datasets.clip_files import (
    PhotoFiles,
    Size,
    SplitFiles,
    check_photo,
    read_frame,
    read_mask,
)
from jejunet_nas.drawing.front import INK
from jejunet_nas.drawing.overlay import (
    Colour,
    Picture,
    as_picture,
    class_colours,
    overlay,
)
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

WIDTH_PX = 1350
TILES = 8  # of a split, at most
_IN_A_ROW = 4
_MARGIN, _GAP = 18, 9
_HEADER, _SECTION_GAP, _LEGEND_ROW = 50, 12, 36
_TALLEST = 300
_CORNER = 9
_DOTS_PER_INCH = 150
_GREY = "#6E6E6E"
_PALE_GREY = (201, 201, 201)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One annotated frame: uint8 [height, width, 3], and its mask [height, width]."""

    name: str
    frame: Picture
    mask: Picture


def draw_contact_sheet(check: DataCheck, file: Path) -> bool:
    """Write the sheet of a data set to `file`, a PNG; return False where no frame can be shown."""
    broken = {fault.path for fault in check.faults}
    samples = [choose_samples(files, broken) for files in check.files]
    if not any(samples):
        return False
    colours = class_colours([each.name for each in check.splits[0].classes])
    used = {int(v) for each in samples for sample in each for v in np.unique(sample.mask)}
    rows = [_rows([sample.mask.shape for sample in each]) for each in samples]
    names = _legend(check, used)
    columns, legend_rows = _legend_shape([name for name, _ in names])
    heights = [_HEADER + sum(height + _GAP for _, height in each) for each in rows]
    height = 2 * _MARGIN + sum(heights) + _SECTION_GAP + _LEGEND_ROW * legend_rows + _GAP
    figure = Figure(figsize=(WIDTH_PX / _DOTS_PER_INCH, height / _DOTS_PER_INCH), dpi=150)
    page = np.full((height, WIDTH_PX, 3), 255, np.uint8)
    top = _MARGIN
    for split, shown, laid, room in zip(check.splits, samples, rows, heights, strict=True):
        _write_header(figure, check, split, top, height)
        _place(figure, page, shown, laid, top + _HEADER, colours)
        top += room + _SECTION_GAP
    figure.figimage(page)
    _draw_legend(figure, names, colours, columns)
    with warnings.catch_warnings():
        # A name in a script without an installed font is shown as boxes: no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="png")
    return True


def choose_samples(files: SplitFiles, broken: set[Path]) -> list[Sample]:
    """Return up to `TILES` annotated frames, evenly spread over the clips, none of them broken."""
    groups = [
        [p for p in pairs if p.mask is not None and not {p.frame, p.mask} & broken]
        for pairs in clip_pairs(files)
    ]
    names = [clip.name for clip in files.clips] + [photo.name for photo in files.photos]
    whole = [(name, group) for name, group in zip(names, groups, strict=True) if group]
    samples = []
    for name, pair in _spread(whole):
        try:
            samples.append(_read(name, pair))
        except DataError:  # damaged in its middle, which the check does not look at
            continue
    return samples


def _spread(groups: Sequence[tuple[str, list[Pair]]]) -> Iterator[tuple[str, Pair]]:
    """Yield frames from groups at even distances; of few groups, several at even distances."""
    count = min(TILES, sum(len(pairs) for _, pairs in groups))
    places = [(2 * i + 1) * len(groups) // (2 * count) for i in range(count)]
    for place in dict.fromkeys(places):
        name, pairs = groups[place]
        wanted = min(places.count(place), len(pairs))
        for step in range(wanted):
            pair = pairs[(2 * step + 1) * len(pairs) // (2 * wanted)]
            stem = pair.frame.stem
            full = f"{name}: {stem}" if stem.isdecimal() else stem
            yield (name if wanted == 1 else full), pair


def _read(name: str, pair: Pair) -> Sample:
    assert pair.mask is not None
    assert pair.code is not None
    size = check_photo(PhotoFiles(name=name, frame=pair.frame, mask=pair.mask))
    return Sample(
        name=name, frame=read_frame(pair.frame, size), mask=read_mask(pair.mask, pair.code)
    )


def _rows(sizes: Sequence[Size]) -> list[tuple[int, int]]:
    """Return for each row how many tiles it has and how high they are, so that full rows align."""
    rows = []
    for first in range(0, len(sizes), _IN_A_ROW):
        aspects = [width / height for height, width in sizes[first : first + _IN_A_ROW]]
        whole = sum(aspects) * _IN_A_ROW / len(aspects)
        room = WIDTH_PX - 2 * _MARGIN - (_IN_A_ROW - 1) * _GAP
        rows.append((len(aspects), min(_TALLEST, round(room / whole))))
    return rows


def _place(
    figure: Figure,
    page: Picture,
    samples: Sequence[Sample],
    rows: Sequence[tuple[int, int]],
    top: int,
    colours: Sequence[Colour | None],
) -> None:
    """Lay the tiles of a split on the page, and their names on the figure."""
    first = 0
    for count, height in rows:
        left = _MARGIN
        for number, sample in enumerate(samples[first : first + count], start=1):
            width = max(1, round(height * sample.mask.shape[1] / sample.mask.shape[0]))
            full = count == _IN_A_ROW and height < _TALLEST
            if full and number == count:  # takes what rounding left
                width = WIDTH_PX - _MARGIN - left
            width = min(width, WIDTH_PX - _MARGIN - left)
            tile = overlay(sample.frame, sample.mask, colours, height, width)
            page[top : top + height, left : left + width] = _rounded(tile)
            name = _shortened(sample.name, width)
            figure.text(
                (left + 9) / WIDTH_PX,
                1 - (top + height - 9) / len(page),
                name,
                fontsize=7,
                color="white",
                va="bottom",
                parse_math=False,
                path_effects=[withStroke(linewidth=2, foreground="#000000B0")],
            )
            left += width + _GAP
        top += height + _GAP
        first += count


def _shortened(name: str, width: int) -> str:
    """Return the name as it fits a tile: of a clip and a frame, the frame alone if need be."""
    room = max(4, width // 10)
    if len(name) > room:
        name = name.rpartition(": ")[2]
    return name if len(name) <= room else f"{name[: room - 1]}…"


def _rounded(tile: Picture) -> Picture:
    """Return the tile with its corners rounded off into white."""
    height, width = tile.shape[:2]
    y, x = np.indices((height, width)) + 0.5
    dy = np.maximum(0, _CORNER - np.minimum(y, height - y))
    dx = np.maximum(0, _CORNER - np.minimum(x, width - x))
    inside = np.clip(_CORNER - np.hypot(dx, dy) + 0.5, 0, 1)[..., None]
    return as_picture(inside * tile + (1 - inside) * 255)


def _write_header(
    figure: Figure, check: DataCheck, split: SplitCheck, top: int, height: int
) -> None:
    y = 1 - (top + _HEADER / 2) / height
    name = figure.text(
        _MARGIN / WIDTH_PX,
        y,
        f"{check.dataset}  {split.split}",
        fontsize=12,
        fontweight="bold",
        color=INK,
        va="center",
        parse_math=False,
    )
    end = name.get_window_extent().x1 * _DOTS_PER_INCH / figure.dpi
    frames = f"{split.frames} frames" if split.clips else ""
    words = (clip_words(split), frames, size_words(split), fps_words(split))
    figure.text(
        (end + 18) / WIDTH_PX,
        y,
        ", ".join(word for word in words if word),
        fontsize=9,
        color=_GREY,
        va="center_baseline",
    )


def _legend(check: DataCheck, used: set[int]) -> list[tuple[str, int]]:
    classes = check.splits[0].classes
    names = [(each.name, index) for index, each in enumerate(classes) if index in used]
    return [*names, *([("void", IGNORE)] if IGNORE in used else [])]


def _legend_shape(names: Sequence[str]) -> tuple[int, int]:
    """Return columns and rows of the legend."""
    letters = max(len(name) for name in names)
    columns = min(len(names), max(2, (WIDTH_PX - 2 * _MARGIN) // (80 + 12 * letters)))
    rows = math.ceil(len(names) / columns)
    return math.ceil(len(names) / rows), rows


def _draw_legend(
    figure: Figure,
    names: Sequence[tuple[str, int]],
    colours: Sequence[Colour | None],
    columns: int,
) -> None:
    handles = []
    for name, index in names:
        if index == IGNORE:
            handles.append(Patch(facecolor="#8C8C8C", edgecolor="white", hatch="////", label=name))
            continue
        colour = colours[index] or _PALE_GREY
        fill = "#{:02x}{:02x}{:02x}".format(*colour)
        edge = "#9A9A9A" if min(colour) > 190 else fill
        handles.append(Patch(facecolor=fill, edgecolor=edge, label=name))
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 4 / 1000),
        ncols=columns,
        frameon=False,
        fontsize=9,
        handlelength=1.3,
        handleheight=1.0,
        handletextpad=0.5,
        columnspacing=1.6,
        labelcolor=INK,
    )


def clip_words(split: SplitCheck) -> str:
    """Return how many clips and photos a split has: '30 clips', '367 photos'."""
    counts = ((split.clips, "clip"), (split.photos, "photo"))
    return ", ".join(f"{n} {what}{'s' * (n != 1)}" for n, what in counts if n)


def size_words(split: SplitCheck) -> str:
    """Return the sizes of a split, width x height: the only one, or the smallest and largest."""
    sizes = [f"{width}x{height}" for height, width in split.sizes]
    if len(sizes) < 2:
        return sizes[0] if sizes else "no readable frame"
    return f"{sizes[0]} to {sizes[-1]} ({len(sizes)} sizes)"


def fps_words(split: SplitCheck) -> str:
    """Return the frame rates of a split's clips: '24 fps', '6 to 30 fps'; '' for photos."""
    rates = [f"{rate:g}" for rate in split.fps]
    if not rates:
        return ""
    return f"{' to '.join(dict.fromkeys((rates[0], rates[-1])))} fps"
