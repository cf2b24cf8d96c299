"""The pictures of a segmented video: each frame with its mask, and a panel about its path below.

    [ frame, objects tinted and outlined ]
    [key] propagate  reuse            keyframe 3 frames old, 4.2 ms on this computer
    ▂▂█▂▂▂▂█▂▂▂▂█   a bar for each frame, the newest on the right, higher for a slower path
    ■ road  ■ car   the classes

Drawing takes less time than decoding and encoding: 12 ms at 768x576, 26 ms at 1920x1080.

Units: arrays are [height, width, ...]; sizes are (height, width) in pixels.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw

from jejunet_nas.drawing.legend import Legend
from jejunet_nas.drawing.overlay import PATH_COLOURS, Colour, Painter, Picture, class_colours
from jejunet_nas.records import FramePath
from jejunet_nas.records.words import counted, one_line
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.runtime import Segmentation

_MOST_PIXELS = 960  # along a side of the painted mask, which is enlarged to larger frames
_PANEL: Colour = (22, 24, 28)
_EMPTY: Colour = (38, 41, 47)
_INK: Colour = (236, 238, 240)
_DIM: Colour = (150, 156, 164)
_BAR_HEIGHTS: dict[FramePath, float] = {
    "key": 1.0,
    "propagate": 0.55,
    "warp": 0.55,
    "move": 0.4,
    "reuse": 0.25,
}
Size = tuple[int, int]  # height, width


class LiveView:
    """Draws the frames of one video in their order; remembers the paths and the classes seen.

    `size` is that of the drawn pictures: the frames' with the panel below.
    """

    def __init__(self, size: Size, class_names: Sequence[str], policy: Policy) -> None:
        self._height, self._width = size
        class_colour = class_colours(class_names)
        self._painter = Painter(class_colour)
        self._paths = _paths_of(policy)
        letters = min(max(round(self._width / 48), 11), 30)
        self._letters, self._margin = letters, letters // 2
        self._colours = {index: each for index, each in enumerate(class_colour) if each}
        self._legend = Legend(
            {index: one_line(name) for index, name in enumerate(class_names)},
            self._colours,
            letters=letters,
            width=self._width,
            margin=self._margin,
        )
        self._font, self._line = self._legend.font, self._legend.line
        self._bar_width, self._bar_height = max(3, letters // 3), round(1.3 * letters)
        room = max(self._bar_width, self._width - 2 * self._margin)
        self._bars: deque[Picture] = deque(maxlen=room // self._bar_width)
        self._seen: set[int] = set()
        self._rows = 2 if self._legend.place(self._colours, rows=1)[1] else 1
        too_many = self._legend.place(self._colours, rows=self._rows)[1]
        self._always = [] if too_many else list(self._colours)
        self._panels: dict[FramePath, Image.Image] = {}
        panel = self._margin + self._line * (1 + self._rows) + self._bar_height
        self.size: Size = (self._height + panel, self._width)

    def draw(self, frame: Picture, shown: Segmentation) -> Picture:
        """Return the picture of `frame`, uint8 [*self.size, 3]."""
        present = set(np.flatnonzero(np.bincount(shown.mask.ravel())).tolist())
        if not present <= self._seen:
            self._seen |= present
            self._panels.clear()
        self._bars.append(self._bar(shown.path, shown.keyframe_began))
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
        image = Image.fromarray(frame)
        classes = smooth(mask, height, width, present)
        self._painter.paint(image, classes, reach=max(1, round(width / 700)))
        return np.asarray(image)

    def _bar(self, path: FramePath, began: bool) -> Picture:
        """Return the bar of a frame; `began` adds a cap in the colour of `key`."""
        bar = np.full((self._bar_height, self._bar_width, 3), _PANEL, np.uint8)
        bar[:, :-1] = _EMPTY  # the last column is the gap to the next bar
        filled = max(1, round(_BAR_HEIGHTS[path] * self._bar_height))
        bar[-filled:, :-1] = ImageColor.getrgb(PATH_COLOURS[path])[:3]
        if began:
            bar[: max(1, self._bar_height // 4), :-1] = ImageColor.getrgb(PATH_COLOURS["key"])[:3]
        return bar

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
        """Return the part of the panel that changes only with the path and the classes seen."""
        panel = Image.new("RGB", (self._width, self.size[0] - self._height), _PANEL)
        draw = ImageDraw.Draw(panel)
        self._chips(draw, path)
        placed, left_out = self._legend.place(self._always or sorted(self._seen), rows=self._rows)
        top = self._line + self._bar_height + self._margin // 2
        self._legend.draw(draw, placed, top, _INK)
        if left_out:
            middle = top + (self._rows - 1) * self._line + self._line // 2
            end = (self._width - self._margin, middle)
            draw.text(end, f"+{left_out}", _DIM, self._font, anchor="rm")
        return panel

    def _chips(self, draw: ImageDraw.ImageDraw | None, path: FramePath) -> int:
        """Draw the names of the paths, that of this frame on its colour; return their right end."""
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


def smooth(mask: Picture, height: int, width: int, present: Iterable[int]) -> Picture:
    """Return `mask` at another size with smooth borders; lines one pixel wide stay.

    Each pixel gets the class whose map, enlarged bilinearly, is largest there. present: the classes
    in the mask.
    """
    first, *others = sorted(present)
    found = np.full((height, width), first, np.uint8)
    best = None
    for index in others:
        here = np.asarray(_enlarged(mask == index, height, width))
        if best is None:  # of two classes, each weight is the rest of the other
            best = _enlarged(mask == first, height, width) if len(others) > 1 else 255 - here
            best = np.array(best)
        wins = here > best
        found[wins] = index
        np.maximum(best, here, out=best)
    return found


def _enlarged(here: npt.NDArray[np.bool_], height: int, width: int) -> Picture:
    image = Image.fromarray(here.view(np.uint8) * np.uint8(255))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _paths_of(policy: Policy) -> list[FramePath]:
    paths: list[FramePath] = ["key"]
    if policy.keyframe_interval > 1 or policy.asynchronous:
        paths.append(policy.between_keyframes)
    return [*paths, "reuse"] if policy.reuse_below is not None else paths


def _captions(shown: Segmentation) -> list[str]:
    """Return captions of a frame, the longest first."""
    age, ms = shown.age_frames, f"{shown.latency_ms:.1f} ms"
    old = f"{counted(age, 'frame')} old"
    return [f"keyframe {old}, {ms} on this computer", f"{old}, {ms} host", f"age {age}, {ms}", ms]
