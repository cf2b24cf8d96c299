"""Masks drawn over frames: objects tinted and outlined, background muted, void hatched.

Colours belong to classes: street scenes use the customary ones, other classes the next free colour.
The paths of frames have colours too.

Units: arrays are [height, width, ...], colours RGB from 0 to 255.
"""

import colorsys
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.records import IGNORE, FramePath

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

PATH_COLOURS: dict[FramePath, str] = {
    "key": "#D55E00",
    "propagate": "#0072B2",
    "warp": "#8A4A9E",
    "move": "#00805E",
    "reuse": "#6E6E6E",
}

_TINT, _OUTLINE, _MUTED = 0.5, 0.95, 0.4  # opacity of the colour: inside, at the edge, background
_LIGHTER = 0.3  # share of white in an outline
_DARK: Colour = (48, 48, 48)  # what mutes the background
_VOID, _VOID_OPACITY = (120, 120, 120), 0.72
_STRIPE, _STRIPE_OPACITY = (235, 235, 235), 0.9
_STRIPE_INDEX = 254  # of void's light stripes in the palette, beside IGNORE for the dark ones
_EDGE = 127  # added to a class's index at its outline; with more classes there are no outlines
_FINER = 2  # stills are painted at twice their size, which smooths the edges
_BACKGROUND = "background"
# The customary colours of street scenes (Cityscapes).
_BY_CUSTOM: dict[str, Colour] = {
    "sky": (86, 168, 222),
    "building": (150, 118, 104),
    "road": (142, 68, 148),
    "pavement": (244, 84, 208),
    "tree": (88, 160, 48),
    "car": (38, 70, 214),
    "pedestrian": (230, 38, 70),
    "person": (230, 38, 70),
    "bicyclist": (250, 128, 20),
    "fence": (206, 160, 110),
    "pole": (240, 240, 240),
    "sign": (252, 214, 12),
}
_FIRST_COLOURS: tuple[Colour, ...] = (  # distinct for colour-blind readers (Okabe and Ito)
    (255, 106, 26),
    (0, 158, 235),
    (0, 178, 122),
    (226, 92, 178),
    (240, 220, 50),
)


def class_colours(names: Sequence[str]) -> list[Colour | None]:
    """Return the colour of each class, None for background; it depends only on the names."""
    free = _free_colours()
    return [
        None if name == _BACKGROUND and not index else _BY_CUSTOM.get(name) or next(free)
        for index, name in enumerate(names)
    ]


def _free_colours() -> Iterator[Colour]:
    """Yield distinct colours: first known good ones, then hues at the golden angle."""
    yield from _FIRST_COLOURS
    number = 0
    while True:
        hue = (0.02 + number * (math.sqrt(5) - 1) / 2) % 1
        saturation, value = ((0.75, 0.95), (0.9, 0.68), (0.45, 0.98))[number % 3]
        red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, saturation, value))
        yield red, green, blue
        number += 1


def overlay(
    frame: Picture, mask: Picture, colours: Sequence[Colour | None], height: int, width: int
) -> Picture:
    """Return the frame at height x width with its mask drawn over it."""
    size = (_FINER * width, _FINER * height)
    image = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
    classes = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
    Painter(colours).paint(image, np.array(classes), reach=2)
    return np.asarray(image.reduce(_FINER))


class Painter:
    """Paints masks of the same classes over pictures."""

    def __init__(self, colours: Sequence[Colour | None]) -> None:
        self._outlined = len(colours) <= _EDGE
        palette, opacity = np.zeros((256, 3)), np.zeros(256)
        for index, colour in enumerate(colours):
            palette[index], opacity[index] = colour or _DARK, _TINT if colour else _MUTED
        if self._outlined:
            palette[_EDGE : 2 * _EDGE], opacity[_EDGE : 2 * _EDGE] = _DARK, _MUTED
            for index, colour in enumerate(colours):
                if colour:
                    light = _LIGHTER * 255 + (1 - _LIGHTER) * np.array(colour)
                    palette[_EDGE + index], opacity[_EDGE + index] = light, _OUTLINE
        palette[IGNORE], opacity[IGNORE] = _VOID, _VOID_OPACITY
        palette[_STRIPE_INDEX], opacity[_STRIPE_INDEX] = _STRIPE, _STRIPE_OPACITY
        self._palette = np.rint(palette).astype(int).ravel().tolist()
        self._opacity = np.rint(255 * opacity).astype(int).tolist()

    def paint(self, image: Image.Image, classes: Picture, *, reach: int) -> None:
        """Paint `classes`, which is overwritten, over `image`, which may be larger.

        reach: the width in pixels of an outline on each side of an edge.
        """
        void = classes == IGNORE
        if self._outlined:
            classes[edges(classes, reach) & ~void] += _EDGE
        if void.any():
            rows, columns = np.indices(classes.shape)
            classes[void & ((rows + columns) // 6 % 3 == 0)] = _STRIPE_INDEX
        painted = Image.fromarray(classes)
        opacity = painted.point(self._opacity)
        painted.putpalette(self._palette)
        nearest = Image.Resampling.NEAREST
        image.paste(
            painted.convert("RGB").resize(image.size, nearest),
            mask=opacity.resize(image.size, nearest),
        )


def edges(classes: Picture, reach: int) -> npt.NDArray[np.bool_]:
    """Return the pixels within `reach` pixels of another class; the border does not count."""
    found = np.zeros(classes.shape, np.bool_)
    for axis in (0, 1):
        lines, marks = np.moveaxis(classes, axis, 0), np.moveaxis(found, axis, 0)
        for step in range(1, reach + 1):
            differs = lines[step:] != lines[:-step]
            marks[step:] |= differs
            marks[:-step] |= differs
    return found
