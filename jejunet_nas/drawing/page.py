"""Pages of segmented frames: headings, rows of tiles with captions, and a legend of the classes.

A page is a stack of strips, each an image `WIDTH_PX` wide.

Units: pixels; arrays are [height, width, ...].
"""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from jejunet_nas.drawing.legend import Legend, fitted, font
from jejunet_nas.drawing.overlay import Colour, Picture, overlay
from jejunet_nas.files import write_whole
from jejunet_nas.records import IGNORE
from jejunet_nas.records.words import one_line

WIDTH_PX = 1350
IN_A_ROW = 4
_MARGIN, _GAP = 18, 9
_HEADING, _SUBHEADING = 54, 30
_CORNER = 9
_WHITE, _INK, _GREY = (255, 255, 255), (51, 51, 51), (110, 110, 110)
_PALE, _VOID = (201, 201, 201), (140, 140, 140)  # swatches of background and void
_CHIP = "#202428"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """A frame, uint8 [height, width, 3], and its mask, uint8 class indices of any size.

    chip: the colour behind the caption.
    """

    frame: Picture
    mask: Picture
    caption: str
    chip: str = _CHIP


def write_page(strips: Sequence[Image.Image], file: Path) -> None:
    """Write a page with the strips below one another to `file`, a PNG."""
    height = sum(strip.height for strip in strips) + 2 * _MARGIN
    page = Image.new("RGB", (WIDTH_PX, height), _WHITE)
    top = _MARGIN
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    write_whole(file, lambda beside: page.save(beside, "PNG"))


def heading(title: str, words: str = "") -> Image.Image:
    """Return a strip with a title in bold and further words in grey; lower without a title."""
    strip = _strip(_HEADING if title else _SUBHEADING)
    base = strip.height - 14
    draw, bold, plain = ImageDraw.Draw(strip), font(24, bold=True), font(18)
    title = fitted(title, bold, WIDTH_PX - 2 * _MARGIN)
    draw.text((_MARGIN, base), title, _INK, bold, anchor="ls")
    left = _MARGIN + (bold.getlength(title) + _MARGIN if title else 0)
    words = fitted(words, plain, WIDTH_PX - _MARGIN - left)
    draw.text((left, base), words, _GREY, plain, anchor="ls")
    return strip


def tile_row(
    tiles: Sequence[Tile], colours: Sequence[Colour | None], *, tallest: int
) -> Image.Image:
    """Return a strip of up to `IN_A_ROW` tiles of one height; a full row spans the width.

    tallest: the largest height of a tile.
    """
    shapes = [tile.frame.shape for tile in tiles]
    aspects = [width / height for height, width, _ in shapes]
    room = WIDTH_PX - 2 * _MARGIN - (IN_A_ROW - 1) * _GAP
    exact = min(tallest, room * len(tiles) / (IN_A_ROW * sum(aspects)))
    height = max(1, round(exact))
    strip, end = _strip(height + _GAP), 0.0
    for number, (tile, aspect) in enumerate(zip(tiles, aspects, strict=True)):
        left, end = _MARGIN + number * _GAP + round(end), end + exact * aspect
        width = max(1, _MARGIN + number * _GAP + round(end) - left)
        picture = Image.fromarray(overlay(tile.frame, tile.mask, colours, height, width))
        _write_caption(picture, tile)
        strip.paste(picture, (left, 0), _rounded((width, height)))
    return strip


def legend(
    shown: Collection[int], names: Sequence[str], colours: Sequence[Colour | None]
) -> Image.Image:
    """Return a strip that names the classes whose indices are in `shown`, `IGNORE` as ignored."""
    all_names = {index: one_line(name) for index, name in enumerate(names)} | {IGNORE: "ignored"}
    all_colours = {index: colour or _PALE for index, colour in enumerate(colours)}
    layout = Legend(
        all_names, all_colours | {IGNORE: _VOID}, letters=18, width=WIDTH_PX, margin=_MARGIN
    )
    placed, _ = layout.place(sorted(shown), rows=len(shown))
    strip = _strip(_GAP + layout.line * (1 + max(entry.row for entry in placed)))
    layout.draw(ImageDraw.Draw(strip), layout.centred(placed), _GAP, _INK)
    return strip


def classes_in(masks: Sequence[Picture]) -> set[int]:
    """Return the class indices that occur in `masks`."""
    return {int(value) for mask in masks for value in np.unique(mask)}


def _strip(height: int) -> Image.Image:
    return Image.new("RGB", (WIDTH_PX, height), _WHITE)


def _write_caption(picture: Image.Image, tile: Tile) -> None:
    """Write the caption into the lower left corner."""
    letters, pad = font(15), 6
    room = picture.width - 4 * pad
    text = tile.caption
    if letters.getlength(text) > room:  # of a clip and a frame, the frame says more
        text = fitted(text.rpartition(": ")[2], letters, room)
    draw = ImageDraw.Draw(picture, "RGBA")
    right, bottom = 3 * pad + letters.getlength(text), picture.height - pad
    fill = (*ImageColor.getrgb(tile.chip)[:3], 210)
    draw.rounded_rectangle((pad, bottom - 24, right, bottom), 6, fill)
    draw.text((2 * pad, bottom - 12), text, _WHITE, letters, anchor="lm")


def _rounded(size: tuple[int, int]) -> Image.Image:
    """Return the mask of a tile with round corners; drawn larger, which smooths them."""
    fine = 4
    mask = Image.new("L", (fine * size[0], fine * size[1]))
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, fine * _CORNER, 255)
    return mask.reduce(fine)
