"""Textures of the procedural data set: smooth noise, colours, and backgrounds made of both."""

import colorsys
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Plane = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]

_OCTAVES = ((0.5, 3), (0.3, 7), (0.2, 19))  # of a background's clouds: weight, cells


def draw_canvas(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Return a background: three muted colours over cloudy noise, with one of four structures."""
    cloud = sum(
        (weight * noise(rng, height, width, cells) for weight, cells in _OCTAVES),
        np.zeros((height, width), np.float32),
    )
    colours = [
        colour(rng.uniform(), rng.uniform(0.05, 0.45), value)
        for value in rng.uniform((0.2, 0.4, 0.6), (0.4, 0.65, 0.9))
    ]
    position = np.clip((cloud - 0.25) * 4, 0, 2)[..., None]  # 0..2 along the three colours
    canvas = np.where(
        position < 1,
        colours[0] + (colours[1] - colours[0]) * position,
        colours[1] + (colours[2] - colours[1]) * (position - 1),
    )
    canvas *= _structure(rng, cloud)[..., None]
    canvas += 14 * (noise(rng, height, width, max(height, width) // 2)[..., None] - 0.5)
    return np.asarray(np.clip(canvas, 0, 255), np.uint8)


def _structure(rng: np.random.Generator, cloud: Plane) -> Plane:
    """Return the brightness factor of each pixel: plain, planks, tiles or patches of shade."""
    height, width = cloud.shape
    size = rng.uniform(0.1, 0.25) * min(height, width)
    angle = rng.uniform(0, math.pi)
    y, x = np.ogrid[0:height, 0:width]
    along = (x * math.cos(angle) + y * math.sin(angle)) / size + 0.6 * cloud
    across = (y * math.cos(angle) - x * math.sin(angle)) / size + 0.6 * cloud
    kind = rng.integers(4)
    if kind == 0:
        return np.ones_like(cloud)
    if kind == 3:
        return 0.75 + 0.35 * edge(12 * (cloud - 0.5))
    lines = edge(8 * np.abs((along % 1) - 0.5) - 0.6)
    if kind == 2:
        lines = np.minimum(lines, edge(8 * np.abs((across % 1) - 0.5) - 0.6))
    return np.asarray(0.7 + 0.3 * lines + 0.08 * np.sin(12.9 * np.floor(along)), np.float32)


def edge(x: Plane) -> Plane:
    """Return `x` + 0.5, clipped to [0, 1]."""
    return np.asarray(np.clip(0.5 + x, 0, 1), np.float32)


def noise(rng: np.random.Generator, height: int, width: int, cells: int) -> Plane:
    """Return smooth noise in about [0, 1], with `cells` cells along the longer side."""
    longer = max(height, width)
    grid = rng.random((2 + cells * height // longer, 2 + cells * width // longer), dtype=np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def colour(hue: float, saturation: float, value: float) -> Plane:
    """Return an RGB colour, float32 [3] from 0 to 255."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)
