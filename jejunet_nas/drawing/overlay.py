"""Masks laid over frames in colour: objects tinted and outlined, background muted, void hatched.

Colours belong to classes: those of streets by custom, all others in turn; and to the paths that
frames take.

Units: arrays are [height, width, ...], colours RGB from 0 to 255.
"""

import colorsys
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.records import IGNORE, FramePath

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

PATH_COLOURS: dict[FramePath, str] = {"key": "#D55E00", "propagate": "#0072B2", "reuse": "#6E6E6E"}

_FINER = 2  # masks are coloured at twice the size, so that their edges come out smooth
_TINT = 0.5  # share of the colour within an object
_OUTLINE, _LIGHTER = 1.6, 0.25  # width of its edge, and how much white that has
_BACKGROUND = "background"
# What streets are drawn in by custom (Cityscapes); all other classes take the next colour.
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
_FIRST_COLOURS: tuple[Colour, ...] = (  # told apart by colour-blind readers (Okabe and Ito)
    (255, 106, 26),
    (0, 158, 235),
    (0, 178, 122),
    (226, 92, 178),
    (240, 220, 50),
)


def class_colours(names: Sequence[str]) -> list[Colour | None]:
    """Return a colour for each class, None for background; one list of names, one of colours."""
    free = _free_colours()
    return [
        None if name == _BACKGROUND and not index else _BY_CUSTOM.get(name) or next(free)
        for index, name in enumerate(names)
    ]


def _free_colours() -> Iterator[Colour]:
    """Yield colours that differ: first known good ones, then hues at the golden angle."""
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
    """Return the frame at height x width with its mask laid over."""
    image = Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)
    fine = (_FINER * width, _FINER * height)
    classes = np.asarray(Image.fromarray(mask).resize(fine, Image.Resampling.NEAREST))
    picture = np.asarray(image, np.float32)
    grey = picture.mean(axis=2, keepdims=True)
    pale = 0.8 * (0.5 * picture + 0.5 * grey) + 12

    table = np.zeros((256, 5), np.float32)  # colour, share of it, whether the frame is left pale
    for index, colour in enumerate(colours):
        table[index] = (0, 0, 0, 0, 1) if colour is None else (*colour, _TINT, 0)
    fields = table[classes]
    reach = max(1, round(_OUTLINE * _FINER / 2 + 0.5))
    edge = edges(classes, reach) & (fields[..., 4] == 0)
    fields[edge, :3] = _LIGHTER * 255 + (1 - _LIGHTER) * fields[edge, :3]
    fields[edge, 3] = 0.95
    void = classes == IGNORE
    fields[void] = _hatching(*np.nonzero(void))
    fields[..., :3] *= fields[..., 3:4]
    shape = (height, _FINER, width, _FINER, 5)
    paint, share, is_pale = np.split(fields.reshape(shape).mean(axis=(1, 3)), [3, 4], axis=2)
    base = is_pale * pale + (1 - is_pale) * picture
    return as_picture((1 - share) * base + paint)


def as_picture(values: npt.NDArray[Any]) -> Picture:
    """Return `values` rounded to whole numbers from 0 to 255."""
    rounded: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def edges(classes: Picture, reach: int) -> npt.NDArray[np.bool_]:
    """Return where another class lies within `reach` pixels, but for the picture's rim."""
    found = np.zeros(classes.shape, np.bool_)
    for axis in (0, 1):
        lines, marks = np.moveaxis(classes, axis, 0), np.moveaxis(found, axis, 0)
        for step in range(1, reach + 1):
            differs = lines[step:] != lines[:-step]
            marks[step:] |= differs
            marks[:-step] |= differs
    return found


def _hatching(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Return what stands in the fields of void pixels: grey stripes that rise to the right."""
    light = (rows + columns) // (3 * _FINER) % 3 == 0
    stripes = np.array([(120, 120, 120, 0.72, 0), (235, 235, 235, 0.9, 0)], np.float32)
    chosen: npt.NDArray[np.float32] = stripes[light.astype(np.intp)]
    return chosen
