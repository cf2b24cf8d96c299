"""A scene of the procedural data set: objects that move over a panning background.

`draw_scene` draws a random scene; `render` paints any of its frames. Each class has a shape, a
range of colours and a pattern, which vary from object to object:

    disc: reds, spots   box: blues, stripes   triangle: yellows, zigzag   ring: magentas, spokes

The paths of the objects cross near the scene's middle frame, so they occlude each other there.

Units: positions and radii in shares of the picture, angles in radians, times in frames.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from jejunet_nas.datasets.textures import Bytes, Plane, colour, draw_canvas, edge, noise

CLASS_NAMES = ("background", "disc", "box", "triangle", "ring")
_HUES = {1: 0.02, 2: 0.60, 3: 0.14, 4: 0.86}  # the middle one of each class
_HUE_SPREAD = 0.05
_CANVAS = 1.6  # the background's size over the picture's, for panning
_SHADOW, _SHADOW_SOFTNESS = 0.35, 0.3
_NOISE = 3.0  # grey levels, standard deviation


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Thing:
    """One moving object; `meeting` is its position at time `meeting_t`."""

    class_index: int
    colours: Plane  # [2, 3], grey levels
    grain: Plane  # [64, 64], around 1; sticks to the object
    frequency: float
    phase: float
    stretch: float
    radius: float
    growth: float
    period_frames: float
    meeting: tuple[float, float]
    meeting_t: float
    velocity: tuple[float, float]
    angle: float
    spin: float

    def pose(self, t: float, height: int, width: int) -> tuple[float, float, float, float]:
        """Return centre x, centre y and radius in pixels, and the angle."""
        since = t - self.meeting_t
        x, y = (_bounce(p + v * since) for p, v in zip(self.meeting, self.velocity, strict=True))
        swell = math.exp(self.growth * math.sin(2 * math.pi * since / self.period_frames))
        radius = self.radius * swell * min(height, width)
        return x * width, y * height, radius, self.angle + self.spin * since


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The parameters of a scene; things are in painting order."""

    canvas: Bytes  # [1.6 height, 1.6 width, 3]
    things: tuple[_Thing, ...]
    vignette: Plane  # [height, width, 1]
    pan_from: tuple[float, float]
    pan_velocity: tuple[float, float]
    light: float
    light_period_frames: float
    light_phase: float
    light_from: tuple[float, float]
    tint: Plane  # [3]


def draw_scene(
    rng: np.random.Generator, classes: list[int], height: int, width: int, frames: int
) -> Scene:
    """Return a random scene of `frames` frames with one object of each of `classes`."""
    direction = rng.uniform(0, 2 * math.pi)
    step = 2 * math.pi / len(classes)
    things = [
        _draw_thing(rng, kind, direction + step * number + rng.uniform(-0.5, 0.5), frames)
        for number, kind in enumerate(classes)
    ]
    light_angle = rng.uniform(-math.pi, 0)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pan_angle, pan_speed = rng.uniform(0, 2 * math.pi), rng.uniform(0.002, 0.012)
    return Scene(
        canvas=draw_canvas(rng, round(height * _CANVAS), round(width * _CANVAS)),
        things=tuple(things),
        vignette=(1 - rng.uniform(0.05, 0.2) * (x * x + y * y) / 2)[..., None].astype(np.float32),
        pan_from=(rng.uniform(), rng.uniform()),
        pan_velocity=(pan_speed * math.cos(pan_angle), pan_speed * math.sin(pan_angle)),
        light=rng.uniform(0.05, 0.2),
        light_period_frames=rng.uniform(16, 60),
        light_phase=rng.uniform(0, 2 * math.pi),
        light_from=(math.cos(light_angle), math.sin(light_angle)),
        tint=rng.uniform(0.93, 1.07, 3).astype(np.float32),
    )


def render(
    scene: Scene, t: int, height: int, width: int, rng: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """Return frame `t` as uint8 [height, width, 3] and its mask as uint8 [height, width]."""
    picture = _background(scene, t, height, width)
    mask = np.zeros((height, width), np.uint8)
    for thing in scene.things:
        _paint(picture, mask, thing, t, scene.light_from)
    beat = math.sin(2 * math.pi * t / scene.light_period_frames + scene.light_phase)
    picture *= scene.vignette * (scene.tint * (1 + scene.light * beat))
    picture += _NOISE * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def _draw_thing(
    rng: np.random.Generator, class_index: int, direction: float, frames: int
) -> _Thing:
    speed = rng.uniform(0.012, 0.028)
    hue = _HUES[class_index] + rng.uniform(-_HUE_SPREAD, _HUE_SPREAD)
    bright = colour(hue, rng.uniform(0.55, 0.95), rng.uniform(0.75, 1.0))
    other = colour(hue, rng.uniform(0.3, 0.9), rng.choice([0.35, 0.5, 1.0]))
    return _Thing(
        class_index=class_index,
        colours=np.stack([bright, other]),
        grain=1 + 0.35 * (noise(rng, 64, 64, 12) - 0.5),
        frequency=rng.uniform(0.8, 1.4),
        phase=rng.uniform(0, 2 * math.pi),
        stretch=rng.uniform(0.85, 1.2),
        radius=rng.uniform(0.14, 0.25),
        growth=rng.uniform(0.1, 0.35),
        period_frames=rng.uniform(20, 60),
        meeting=(rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)),
        meeting_t=frames * rng.uniform(0.35, 0.65),
        velocity=(speed * math.cos(direction), speed * math.sin(direction)),
        angle=rng.uniform(0, 2 * math.pi),
        spin=rng.uniform(-0.06, 0.06),
    )


def _background(scene: Scene, t: int, height: int, width: int) -> Plane:
    rows, columns = scene.canvas.shape[:2]
    left, top = (
        _bounce(p + v * t, 0.0, 1.0)
        for p, v in zip(scene.pan_from, scene.pan_velocity, strict=True)
    )
    x, y = left * (columns - width), top * (rows - height)
    window = Image.fromarray(scene.canvas).resize(
        (width, height), Image.Resampling.BILINEAR, box=(x, y, x + width, y + height)
    )
    return np.asarray(window, np.float32)


def _paint(
    picture: Plane, mask: Bytes, thing: _Thing, t: int, light_from: tuple[float, float]
) -> None:
    """Paint one thing and its shadow over `picture`, and its class into `mask`."""
    height, width = mask.shape
    cx, cy, radius, angle = thing.pose(t, height, width)
    reach = 1.6 * radius
    rows = slice(max(0, int(cy - reach)), min(height, int(cy + reach) + 1))
    columns = slice(max(0, int(cx - reach)), min(width, int(cx + reach) + 1))
    y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5 - cy) / radius
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5 - cx) / radius
    distance_of, pattern_of = _LOOKS[thing.class_index]
    cos, sin = math.cos(angle), math.sin(angle)

    def local(dx: float, dy: float) -> tuple[Plane, Plane]:
        u = (x - dx) * cos + (y - dy) * sin
        v = (y - dy) * cos - (x - dx) * sin
        return u.astype(np.float32), (v * thing.stretch).astype(np.float32)

    shadow = distance_of(*local(-0.16 * light_from[0], -0.16 * light_from[1]))
    shade = 1 - _SHADOW * np.clip(0.5 - shadow / _SHADOW_SOFTNESS, 0, 1)
    u, v = local(0, 0)
    distance = distance_of(u, v)
    cover = np.clip(0.5 - distance * radius, 0, 1)  # anti-aliased over one pixel
    mix = pattern_of(u * thing.frequency, v * thing.frequency, thing.phase)[..., None]
    paint = thing.colours[0] + (thing.colours[1] - thing.colours[0]) * mix
    grain = thing.grain[(v * 24).astype(np.int32) & 63, (u * 24).astype(np.int32) & 63]
    relief = 0.9 + 0.22 * (x * light_from[0] + y * light_from[1])
    rim = 0.72 + 0.28 * np.clip(-distance * 7, 0, 1)
    part = picture[rows, columns]
    part *= shade[..., None]
    part += cover[..., None] * (paint * (grain * relief * rim)[..., None] - part)
    mask[rows, columns][cover >= 0.5] = thing.class_index


# Of each class: the signed distance from the shape's edge, and the pattern in [0, 1].
_LOOKS: dict[int, tuple[Callable[..., Plane], Callable[..., Plane]]] = {
    1: (  # disc, spots
        lambda u, v: np.hypot(u, v) - 0.95,
        lambda u, v, phase: edge(3 * (np.sin(6 * u + phase) * np.sin(6 * v + phase) - 0.3)),
    ),
    2: (  # box, stripes
        lambda u, v: np.maximum(np.abs(u) - 0.95, np.abs(v) - 0.7),
        lambda u, v, phase: edge(3 * np.sin(7 * u + phase)),
    ),
    3: (  # triangle, zigzag
        lambda u, v: np.maximum(v, np.abs(u) * 0.866 - v * 0.5) - 0.62,
        lambda u, v, phase: edge(3 * np.sin(8 * v + 3 * np.abs(((u * 2 + phase) % 2) - 1))),
    ),
    4: (  # ring, spokes
        lambda u, v: np.abs(np.hypot(u, v) - 0.78) - 0.24,
        lambda u, v, phase: edge(3 * np.sin(9 * np.arctan2(v, u) + phase)),
    ),
}


def _bounce(position: float, low: float = 0.1, high: float = 0.9) -> float:
    """Return `position` reflected at `low` and `high` into the range between them."""
    span = high - low
    return low + abs((position - low + span) % (2 * span) - span)
