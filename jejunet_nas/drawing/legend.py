"""The font of all pictures, and the legend of their classes: swatches with names, in rows.

Units: pixels.
"""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib
from PIL import ImageDraw, ImageFont

from jejunet_nas.drawing.overlay import Colour
from jejunet_nas.records import IGNORE

Font = ImageFont.FreeTypeFont
_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_HATCH: Colour = (235, 235, 235)
_RIM: Colour = (154, 154, 154)  # around pale swatches


class Entry(NamedTuple):
    """Where a class is in the legend: its row, and the left edge of its swatch."""

    class_index: int
    row: int
    x: int


class Legend:
    """The legend of classes, by their index; `line` is the height of a row."""

    def __init__(
        self,
        names: Mapping[int, str],
        colours: Mapping[int, Colour],
        *,
        letters: int,
        width: int,
        margin: int,
    ) -> None:
        self._names, self._colours, self._letters = names, colours, letters
        self._width, self._margin = width, margin
        self.font, self.line = font(letters), round(1.7 * letters)

    def place(self, indices: Iterable[int], *, rows: int) -> tuple[list[Entry], int]:
        """Return the classes that fit into `rows`, and how many do not.

        The last row leaves room for the number of classes that are left out.
        """
        shown = [index for index in indices if index in self._colours]
        placed: list[Entry] = []
        row, x = 0, self._margin
        for index in shown:
            end = x + self._entry_width(index)
            room = self._width - self._margin - (0 if row < rows - 1 else 2 * self._letters)
            if end > room and x > self._margin:
                row, x = row + 1, self._margin
            if row == rows:
                break
            placed.append(Entry(index, row, x))
            x += self._entry_width(index) + self._margin
        return placed, len(shown) - len(placed)

    def centred(self, placed: list[Entry]) -> list[Entry]:
        """Return the same rows in the middle of the width."""
        ends = {entry.row: entry.x + self._entry_width(entry.class_index) for entry in placed}
        return [
            entry._replace(x=entry.x + (self._width - self._margin - ends[entry.row]) // 2)
            for entry in placed
        ]

    def draw(
        self, draw: ImageDraw.ImageDraw, placed: Iterable[Entry], top: int, ink: Colour
    ) -> None:
        """Draw swatches and names, the first row below `top`."""
        side = round(0.7 * self._letters)
        for index, row, x in placed:
            middle = top + row * self.line + self.line // 2
            box = (x, middle - side // 2, x + side, middle - side // 2 + side)
            colour = self._colours[index]
            draw.rectangle(box, colour, _RIM if min(colour) > 190 else None)
            if index == IGNORE:
                draw.line((box[0], box[3], box[2], box[1]), _HATCH, max(2, side // 4))
            text = (x + side + self._letters // 2, middle)
            draw.text(text, self._names[index], ink, self.font, anchor="lm")

    def _entry_width(self, index: int) -> int:
        return round(1.7 * self._letters + self.font.getlength(self._names[index]))


@functools.cache
def font(letters: int, *, bold: bool = False) -> Font:
    """Return the font at a size in pixels."""
    return ImageFont.truetype(_FONTS / f"DejaVuSans{'-Bold' if bold else ''}.ttf", letters)


def fitted(text: str, letters: Font, room: float) -> str:
    """Return `text`, cut to `room` pixels with an ellipsis; "" if not even a letter fits."""
    if letters.getlength(text) <= room:
        return text
    while text and letters.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…" if text else ""
