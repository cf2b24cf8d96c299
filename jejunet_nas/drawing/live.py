"""A segmented video's pictures: each frame with its mask laid over, and below it how it came to be.

    [ frame, objects tinted and outlined ]
    [key] propagate  reuse             context 3 frames old, 4.2 ms on this computer
    ▂▂█▂▂▂▂█▂▂▂▂█   a bar a frame, the newest on the right, as high as the path is dear
    ■ road  ■ car   the classes

Drawn by Pillow in less time than decoding and encoding the frame take (12 ms at 768x576, 26 ms at
1920x1080), unlike `overlay`, which draws single pictures more finely.

Units: arrays are [height, width, ...]; sizes are (height, width) in pixels.
"""

import dataclasses
import math
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from jejunet_nas.drawing.overlay import (
    PATH_COLOURS,
    Colour,
    Picture,
    class_colours,
    edges,
)
from jejunet_nas.records import FramePath
from jejunet_nas.records.words import one_line
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.runtime import Segmentation

_TINT, _OUTLINE, _MUTED = 0.5, 0.95, 0.35  # shares of the colour: within, at the edge, outside
_LIGHTER = 0.3  # how much white an outline has
_BACKGROUND: Colour = (44, 48, 54)
_MOST_PIXELS = 960  # along a side, of the mask that is coloured; larger frames enlarge that
_EDGE = 128  # added to a class's index where its outline runs
_PANEL, _EMPTY, _INK, _DIM = (22, 24, 28), (38, 41, 47), (236, 238, 240), (150, 156, 164)
_BAR_HEIGHTS: dict[FramePath, float] = {"key": 1.0, "propagate": 0.55, "reuse": 0.25}
_FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_NEAREST = Image.Resampling.NEAREST
Size = tuple[int, int]  # height, width


class LiveView:
    """Draws the frames of one video in their order; it remembers the paths and the classes seen.

    `size` is that of what it draws: the frames' with the panel below.
    """

    def __init__(self, size: Size, class_names: Sequence[str], policy: Policy) -> None:
        self._height, self._width = size
        self._names = [one_line(name) for name in class_names]
        self._colours = class_colours(class_names)
        self._palette, self._alpha = _tables(self._colours)
        self._paths = _paths_of(policy)
        letters = min(max(round(self._width / 48), 11), 30)
        self._font = ImageFont.truetype(_FONT, letters)
        self._letters, self._margin, self._line = letters, letters // 2, round(1.7 * letters)
        self._bar = Bar(width=max(3, letters // 3), height=round(1.3 * letters))
        room = max(self._bar.width, self._width - 2 * self._margin)
        self._bars: deque[Picture] = deque(maxlen=room // self._bar.width)
        self._seen: set[int] = set()
        listed = [index for index, colour in enumerate(self._colours) if colour is not None]
        self._rows = 2 if self._legend(listed, rows=1)[1] else 1
        self._always = [] if self._legend(listed, rows=self._rows)[1] else listed
        self._panels: dict[FramePath, Image.Image] = {}
        panel = self._margin + self._line * (1 + self._rows) + self._bar.height
        self.size: Size = (self._height + panel, self._width)

    def draw(self, frame: Picture, shown: Segmentation) -> Picture:
        """Return the picture of `frame`, uint8 [*self.size, 3]."""
        present = set(np.flatnonzero(np.bincount(shown.mask.ravel())).tolist())
        if not present <= self._seen:
            self._seen |= present
            self._panels.clear()
        self._bars.append(self._bar.draw(shown.path, shown.keyframe_began))
        picture = np.empty((*self.size, 3), np.uint8)
        picture[: self._height] = self._overlay(frame, shown.mask, present)
        picture[self._height :] = self._panel(shown)
        bars = np.concatenate(self._bars, axis=1)[:, : self._width - self._margin]
        top = self._height + self._line
        picture[top : top + len(bars), self._margin : self._margin + bars.shape[1]] = bars
        return picture

    def _overlay(self, frame: Picture, mask: Picture, present: set[int]) -> Picture:
        shrunk = math.ceil(max(self._height, self._width) / _MOST_PIXELS)
        height, width = max(1, self._height // shrunk), max(1, self._width // shrunk)
        classes = smooth(mask, height, width, present)
        if len(self._names) <= _EDGE:
            classes[edges(classes, max(1, round(width / 700)))] += _EDGE
        painted = Image.fromarray(classes)
        alpha = painted.point(self._alpha)
        painted.putpalette(self._palette)
        whole = (self._width, self._height)
        image = Image.fromarray(frame)
        image.paste(
            painted.convert("RGB").resize(whole, _NEAREST), mask=alpha.resize(whole, _NEAREST)
        )
        return np.asarray(image)

    def _panel(self, shown: Segmentation) -> Picture:
        if shown.path not in self._panels:
            self._panels[shown.path] = self._still_panel(shown.path)
        panel = self._panels[shown.path].copy()
        room = self._width - self._chips(None, shown.path) - 2 * self._margin
        words = next((w for w in _captions(shown) if self._font.getlength(w) <= room), "")
        place = (self._width - self._margin, self._line // 2)
        ImageDraw.Draw(panel).text(place, words, _INK, self._font, anchor="rm")
        return np.asarray(panel)

    def _still_panel(self, path: FramePath) -> Image.Image:
        """Return what of the panel stays as it is while neither path nor classes change."""
        panel = Image.new("RGB", (self._width, self.size[0] - self._height), _PANEL)
        draw = ImageDraw.Draw(panel)
        self._chips(draw, path)
        placed, left_out = self._legend(self._always or sorted(self._seen), rows=self._rows)
        top = self._line + self._bar.height + self._margin // 2
        side = round(0.7 * self._letters)
        for index, row, x in placed:
            middle = top + row * self._line + self._line // 2
            box = (x, middle - side // 2, x + side, middle - side // 2 + side)
            draw.rectangle(box, fill=self._colours[index])
            words = (x + side + self._margin // 2, middle)
            draw.text(words, self._names[index], _INK, self._font, anchor="lm")
        if left_out:
            middle = top + (self._rows - 1) * self._line + self._line // 2
            end = (self._width - self._margin, middle)
            draw.text(end, f"+{left_out}", _DIM, self._font, anchor="rm")
        return panel

    def _chips(self, draw: ImageDraw.ImageDraw | None, path: FramePath) -> int:
        """Draw the names of the paths, that of this frame on its colour; return where they end."""
        x, gap = self._margin, self._margin // 2
        for each in self._paths:
            width = round(self._font.getlength(each)) + 2 * gap
            if draw is not None:
                colour = PATH_COLOURS[each]
                box = (x, round(0.15 * self._line), x + width, round(0.85 * self._line))
                on = each == path
                radius = self._letters // 4
                draw.rounded_rectangle(box, radius, fill=colour if on else None, outline=colour)
                middle = (x + width // 2, self._line // 2)
                draw.text(middle, each, _INK if on else _DIM, self._font, anchor="mm")
            x += width + gap
        return x

    def _legend(
        self, indices: Sequence[int], *, rows: int
    ) -> tuple[list[tuple[int, int, int]], int]:
        """Return class, row and left edge of what fits into `rows`, and how many do not."""
        placed: list[tuple[int, int, int]] = []
        row, x = 0, self._margin
        shown = [index for index in indices if self._colours[index] is not None]
        for index in shown:
            width = round(1.7 * self._letters + self._font.getlength(self._names[index]))
            room = self._width - self._margin - (0 if row < rows - 1 else 2 * self._letters)
            if x + width > room and x > self._margin:
                row, x = row + 1, self._margin
            if row == rows:
                break
            placed.append((index, row, x))
            x += width + self._margin
        return placed, len(shown) - len(placed)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How one frame stands in the strip; its width includes the gap to the next."""

    width: int
    height: int

    def draw(self, path: FramePath, began: bool) -> Picture:
        """Return uint8 [height, width, 3]; a cap in the colour of `key`, where one began."""
        bar = np.full((self.height, self.width, 3), _PANEL, np.uint8)
        bar[:, :-1] = _EMPTY
        filled = max(1, round(_BAR_HEIGHTS[path] * self.height))
        bar[-filled:, :-1] = ImageColor.getrgb(PATH_COLOURS[path])[:3]
        if began:
            bar[: max(1, self.height // 4), :-1] = ImageColor.getrgb(PATH_COLOURS["key"])[:3]
        return bar


def smooth(mask: Picture, height: int, width: int, present: Iterable[int]) -> Picture:
    """Return `mask` at another size with smooth borders instead of the steps of its pixels.

    Each pixel gets the class that weighs most there when each class's own map is enlarged
    bilinearly; what is one pixel wide stays. present: the classes that it holds.
    """
    first, *others = sorted(present)
    found = np.full((height, width), first, np.uint8)
    best = None
    for index in others:
        here = np.asarray(_enlarged(mask == index, height, width))
        if best is None:  # of two classes, one weighs what the other one leaves
            best = _enlarged(mask == first, height, width) if len(others) > 1 else 255 - here
            best = np.array(best)
        wins = here > best
        found[wins] = index
        np.maximum(best, here, out=best)
    return found


def _enlarged(here: npt.NDArray[np.bool_], height: int, width: int) -> Picture:
    image = Image.fromarray(here.view(np.uint8) * np.uint8(255))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _tables(colours: Sequence[Colour | None]) -> tuple[list[int], list[int]]:
    """Return the palette (red, green, blue, red, ...) and the shares (0 to 255) of 256 values."""
    palette = np.zeros((256, 3), np.uint8)
    alpha = np.zeros(256, np.uint8)
    for index, colour in enumerate(colours):
        palette[index] = colour or _BACKGROUND
        alpha[index] = round(255 * (_TINT if colour else _MUTED))
        if index + _EDGE < 256 and len(colours) <= _EDGE:
            light = np.array(palette[index]) * (1 - _LIGHTER) + 255 * _LIGHTER
            palette[index + _EDGE] = light if colour else _BACKGROUND
            alpha[index + _EDGE] = round(255 * (_OUTLINE if colour else _MUTED))
    return palette.ravel().tolist(), alpha.tolist()


def _paths_of(policy: Policy) -> list[FramePath]:
    """Return the paths that frames can take under `policy`."""
    paths: list[FramePath] = ["key"]
    if policy.keyframe_interval > 1 or policy.asynchronous:
        paths.append(policy.between_keyframes)
    return [*paths, "reuse"] if policy.reuse_below is not None else paths


def _captions(shown: Segmentation) -> list[str]:
    """Return what is said of a frame, in ever fewer words."""
    age, ms = shown.age_frames, f"{shown.latency_ms:.1f} ms"
    old = f"{age} frame{'' if age == 1 else 's'} old"
    return [f"context {old}, {ms} on this computer", f"{old}, {ms} host", f"age {age}, {ms}", ms]
