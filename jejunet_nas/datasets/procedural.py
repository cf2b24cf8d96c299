"""The procedural data set: generated clips, so that everything runs without files.

Objects of four classes (see `scene`) turn, grow, shrink and occlude each other over panning
backgrounds in changing light. Every second clip has a scene cut near its middle. Each frame is
annotated. The seed determines the clips; train and val share no scene; a shorter split is the
beginning of a longer one.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator

import numpy as np

from jejunet_nas.datasets.options import SEARCHED, Split, check_whole
from jejunet_nas.datasets.pictures import pixels_of
from jejunet_nas.datasets.scene import CLASS_NAMES, draw_scene, render
from jejunet_nas.progress import Tell
from jejunet_nas.records import Clip, DataSplit

FPS = 24.0
_MOST_PIXELS = 1 << 30  # of a split: 4 GiB with its masks
_VERSION = 1  # of the pictures: increase it when the same settings give other pictures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProceduralSettings:
    """Clips of each split, frames of a clip, their size in pixels, and objects of a scene."""

    clips: int = 16
    val_clips: int = 6
    frames: int = 24
    height: int = 128
    width: int = 128
    objects: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("clips", self.clips, 1, 1000)
        check_whole("val_clips", self.val_clips, 1, 1000)
        check_whole("frames", self.frames, 1, 240)
        check_whole("height", self.height, 32, 512)
        check_whole("width", self.width, 32, 512)
        check_whole("objects", self.objects, 1, 8)
        check_whole("seed", self.seed, 0, 2**32 - 1)
        most = max(1, _MOST_PIXELS // (self.frames * self.height * self.width))
        check_whole("clips", self.clips, 1, most)  # of which all are in memory
        check_whole("val_clips", self.val_clips, 1, most)


def generate_split(
    split: Split, settings: ProceduralSettings, progress: Tell | None = None
) -> DataSplit:
    """Return the clips of a split; drawing the default train split takes about a second."""
    count = settings.clips if split == "train" else settings.val_clips
    clips = []
    for number in range(count):
        clips.append(_generate_clip(split, number, settings))
        if progress:
            progress(f"drawing procedural {split}", number + 1, count)
    identity = json.dumps([_VERSION, split, dataclasses.asdict(settings)], sort_keys=True)
    return DataSplit(
        dataset="procedural",
        split=split,
        class_names=CLASS_NAMES,
        clips=tuple(clips),
        fingerprint=hashlib.sha256(identity.encode()).hexdigest()[:16],
    )


def _generate_clip(split: Split, number: int, settings: ProceduralSettings) -> Clip:
    rng = np.random.default_rng([settings.seed, SEARCHED.index(split), number])
    height, width = settings.height, settings.width
    frames = np.empty((settings.frames, height, width, 3), np.uint8)
    masks = np.empty((settings.frames, height, width), np.uint8)
    for turn, (start, stop) in enumerate(_scene_spans(rng, number, settings.frames), number):
        classes = _classes(rng, turn, settings.objects)
        scene = draw_scene(rng, classes, height, width, stop - start)
        for t in range(start, stop):
            frames[t], masks[t] = render(scene, t - start, height, width, rng)
    return Clip(
        name=f"{split}-{number:03d}",
        frames=frames,
        masks=masks,
        annotated=np.ones(settings.frames, np.bool_),
        fps=FPS,
        pixels=pixels_of(masks),
    )


def _scene_spans(rng: np.random.Generator, number: int, frames: int) -> Iterator[tuple[int, int]]:
    """Return the first frame and the end of each scene; every second clip has two scenes."""
    cut = int(rng.integers(frames // 3, 1 + 2 * frames // 3))
    cuts = [cut] if number % 2 and 0 < cut < frames else []
    return itertools.pairwise([0, *cuts, frames])


def _classes(rng: np.random.Generator, turn: int, objects: int) -> list[int]:
    """Return the classes of a scene's objects: consecutive ones, so none is rare, shuffled."""
    kinds = len(CLASS_NAMES) - 1
    return [int(k) for k in rng.permutation([1 + (turn + k) % kinds for k in range(objects)])]
