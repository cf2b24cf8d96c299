"""What the motion of the picture brings between keyframes: masks and contexts that move with it.

.venv/bin/python -m tests.benchmarks.motion STUDY:TRIAL:DATA_ROOT ... [--intervals 2 4 8 12]

Block matching on small grey pictures says where each part of a frame was at the keyframe, as the
encoder of a phone does. The keyframe's class map, or its context, is moved by that. The int8 graphs
of the trials run over whole validation clips; each mask is compared with its own frame.
reports/motion.md has the figures. About 5 minutes a trial on one core.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from jejunet_nas.files import write_text_whole
from jejunet_nas.records import Clip, DataSplit
from jejunet_nas.records.words import markdown_table, network_words, per_cent
from jejunet_nas.resize import resize_frame
from jejunet_nas.scoring.score import clip_score, combine, frame_counts
from jejunet_nas.study.opened import Trial, open_study
from jejunet_nas.video.graphs import NetworkGraphs
from tests.benchmarks.search_runs import machine

OUT = Path(__file__).parents[2] / "reports" / "motion.md"
STRIDE = 4  # frame pixels per pixel of the finest small picture
WINDOW = 7  # small pixels that are compared at once, both ways
STILL = 0.15  # grey levels that a motion of one small pixel costs: flat parts stay where they are
Grey = npt.NDArray[np.float32]  # [height / 4, width / 4]
Motion = npt.NDArray[np.float32]  # [height / 4, width / 4, 2]: rows, columns, in small pixels


def small(frame: Any) -> Grey:
    """Return the grey of a frame, a mean over each square of `STRIDE` pixels."""
    height, width, _ = frame.shape
    squares = frame.astype(np.float32).mean(-1)
    return _means(squares, STRIDE)[: height // STRIDE, : width // STRIDE]


def _means(grey: Any, step: int) -> Any:
    rows, columns = grey.shape
    return grey.reshape(rows // step, step, columns // step, step).mean((1, 3))


def full_search(now: Grey, before: Grey, most: int = 6) -> Motion:
    """Return where each pixel of `now` was in `before`, at most `most` pixels away."""
    still = np.zeros((*now.shape, 2), np.float32)
    return _searched(now, before, still, most)


def coarse_to_fine(now: Grey, before: Grey, most: int = 3) -> Motion:
    """Return the same from pictures of half the size, corrected by one pixel."""
    even = tuple(slice(side // 2 * 2) for side in now.shape)
    coarse = full_search(_means(now[even], 2), _means(before[even], 2), most)
    rough = 2 * np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    missing = [(0, n - m) for n, m in zip(now.shape, rough.shape, strict=False)]
    return _searched(now, before, np.pad(rough, [*missing, (0, 0)], mode="edge"), 1)


def _searched(now: Grey, before: Grey, around: Motion, most: int) -> Motion:
    least = np.full(now.shape, np.inf, np.float32)
    found = around.copy()
    for dy in range(-most, most + 1):
        for dx in range(-most, most + 1):
            there = around + np.array((dy, dx), np.float32)
            cost = _cost(now, before, there)
            better = cost < least
            least[better], found[better] = cost[better], there[better]
    return found


def _cost(now: Grey, before: Grey, there: Motion) -> Grey:
    """Return how far a window of `now` differs from that at `there` in `before`."""
    rows, columns = np.indices(now.shape)
    y = np.clip(rows + there[..., 0], 0, now.shape[0] - 1).astype(int)
    x = np.clip(columns + there[..., 1], 0, now.shape[1] - 1).astype(int)
    apart = np.abs(now - before[y, x])[None, ..., None]
    cost = tf.nn.avg_pool2d(apart, WINDOW, 1, "SAME").numpy()[0, ..., 0]
    return np.asarray(cost + STILL * np.hypot(there[..., 0], there[..., 1]))


def moved(values: Any, motion: Motion) -> Any:
    """Return `values` [h, w, ...] of the keyframe, each from where it was by `motion`."""
    rows, columns = np.indices(values.shape[:2])
    scale = values.shape[0] / motion.shape[0], values.shape[1] / motion.shape[1]
    y = np.minimum((rows + 0.5) / scale[0], motion.shape[0] - 1).astype(int)
    x = np.minimum((columns + 0.5) / scale[1], motion.shape[1] - 1).astype(int)
    there = motion[y, x]
    y = np.clip(np.round(rows + there[..., 0] * scale[0]), 0, values.shape[0] - 1).astype(int)
    x = np.clip(np.round(columns + there[..., 1] * scale[1]), 0, values.shape[1] - 1).astype(int)
    return values[y, x]


def moved_smoothly(values: Any, motion: Motion) -> Any:
    """Return int8 `values` moved by parts of a pixel: a mean of the four nearest."""
    size = values.shape[:2]
    scale = np.array(size, np.float32) / motion.shape[:2]
    there = tf.image.resize(motion[None], size, method="area").numpy()[0] * scale
    mean = sampled(values, np.stack(np.indices(size), -1) + there)
    return np.round(mean).astype(values.dtype)


def to_part_of_a_pixel(now: Grey, before: Grey, motion: Motion) -> Motion:
    """Return `motion` corrected by up to half a pixel, by a parabola through costs on each axis."""
    found = motion.copy()
    here = _cost(now, before, motion)
    for axis in (0, 1):
        step = np.zeros(2, np.float32)
        step[axis] = 1
        less, more = (_cost(now, before, motion + sign * step) for sign in (-1, 1))
        bend = less + more - 2 * here
        part = np.where(bend > 0.01, (less - more) / (2 * np.maximum(bend, 0.01)), 0)
        found[..., axis] += np.clip(part, -0.5, 0.5)
    return found


def sampled(values: Any, positions: Motion) -> Any:
    """Return `values` [h, w, n] at `positions` [h, w, 2], bilinearly."""
    last = np.array(values.shape[:2]) - 1
    y, x = np.clip(positions[..., 0], 0, last[0]), np.clip(positions[..., 1], 0, last[1])
    top, left = y.astype(int), x.astype(int)
    low, right = np.minimum(top + 1, last[0]), np.minimum(left + 1, last[1])
    a, b = (y - top)[..., None], (x - left)[..., None]
    upper = (1 - b) * values[top, left] + b * values[top, right]
    return (1 - a) * upper + a * ((1 - b) * values[low, left] + b * values[low, right])


class Walk:
    """One clip at the network's size: what its keyframes leave, and what is made of that."""

    def __init__(self, clip: Clip, graphs: NetworkGraphs) -> None:
        self.clip, self._graphs = clip, graphs
        self._frames = [resize_frame(each, graphs.height, graphs.width) for each in clip.frames]
        self._keys = [graphs.key(each) for each in self._frames]
        self._small = [small(each) for each in self._frames]
        self._steps: dict[int, Motion] = {}
        self.search: Callable[[Grey, Grey], Motion] | None = None
        self.search_s: list[float] = []

    def __len__(self) -> int:
        return len(self._frames)

    def key(self, t: int, _: int) -> Any:
        """Return the mask of the frame as a keyframe."""
        return self._keys[t][0]

    def reuse(self, _: int, before: int) -> Any:
        """Return the mask of the keyframe."""
        return self._keys[before][0]

    def reuse_moved(self, t: int, before: int) -> Any:
        """Return the mask of the keyframe, moved."""
        return moved(self._keys[before][0], self._motion(t, before))

    def propagate(self, t: int, before: int) -> Any:
        """Return what the propagate graph makes of the frame and the context of the keyframe."""
        return self._graphs.propagate(self._frames[t], self._keys[before][1])

    def propagate_moved(self, t: int, before: int) -> Any:
        """Return the same with the context moved."""
        context = moved_smoothly(self._keys[before][1][0], self._motion(t, before))
        return self._graphs.propagate(self._frames[t], context[None])

    def _motion(self, t: int, before: int) -> Motion:
        began_s = time.perf_counter()
        if self.search:
            motion = self.search(self._small[t], self._small[before])
        else:
            motion = self._chained(t, before)
        self.search_s.append(time.perf_counter() - began_s)
        return motion

    def _chained(self, t: int, before: int) -> Motion:
        """Return the motion from frame to frame, one after the other."""
        here = np.stack(np.indices(self._small[t].shape), -1).astype(np.float32)
        positions = here
        for each in range(before + 1, t + 1):
            positions = sampled(positions, here + self._step(each))
        return np.asarray(positions - here, np.float32)

    def _step(self, t: int) -> Motion:
        if t not in self._steps:
            pair = self._small[t], self._small[t - 1]
            step = coarse_to_fine(*pair)
            self._steps[t] = to_part_of_a_pixel(*pair, step)
        return self._steps[t]


def miou(walks: Sequence[Walk], classes: int, interval: int, between: Callable[..., Any]) -> float:
    """Return the mIoU of all clips with a keyframe every `interval` frames, the first included."""
    scores = []
    for walk in walks:
        counts = []
        for t in np.flatnonzero(walk.clip.annotated):
            before = int(t) // interval * interval
            mask = walk.key(t, t) if before == t else between(walk, int(t), before)
            counts.append(frame_counts(walk.clip, int(t), mask, classes))
        scores.append(clip_score(walk.clip, counts, classes))
    return combine(scores).miou


SEARCHES = {"coarse to fine": coarse_to_fine, "full search": full_search, "frame to frame": None}


def table(trial: Trial, val: DataSplit, intervals: Sequence[int]) -> str:
    """Return the figures of one trial."""
    classes, graphs = len(val.class_names), NetworkGraphs(trial.graphs)
    walks = [Walk(clip, graphs) for clip in val.clips]
    network, latencies = trial.result.architecture.network, trial.result.network.latencies
    rows = [["every frame a keyframe", "-", per_cent(miou(walks, classes, 1, Walk.key))]]
    rows[0] += [""] * len(intervals)
    methods = [("reuse", "-", Walk.reuse)]
    methods += [("reuse, moved", name, Walk.reuse_moved) for name in SEARCHES]
    if network.propagates:
        methods += [("propagate", "-", Walk.propagate)]
        methods += [("propagate, context moved", name, Walk.propagate_moved) for name in SEARCHES]
    for words, search, method in methods:
        for walk in walks:
            walk.search = SEARCHES.get(search)
        found = [miou(walks, classes, interval, method) for interval in intervals]
        rows.append([words, search, "", *map(per_cent, found)])
        print(rows[-1], file=sys.stderr, flush=True)
    columns = ["between keyframes", "motion by", "every frame", *(f"every {n}" for n in intervals)]
    seconds = statistics.median(each for walk in walks for each in walk.search_s)
    return (
        f"{network_words(network)}; key {latencies.key.median_ms:.1f} ms, propagate "
        f"{latencies.propagate.median_ms:.1f} ms (predicted). Motion takes "
        f"{1000 * seconds:.1f} ms in NumPy here, by the median of both.\n\n"
        + markdown_table(columns, rows, text=columns[:2])
    )


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trials", nargs="+", metavar="STUDY:TRIAL:DATA_ROOT")
    parser.add_argument("--intervals", nargs="+", type=int, default=[2, 4, 8, 12])
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    text = (
        "# Motion between keyframes\n\n"
        f"`python -m tests.benchmarks.motion` on {machine()}, {time.strftime('%Y-%m-%d')}: mIoU % "
        "of the int8 graphs over whole validation clips, each mask against its own frame.\n"
    )
    for each in asked.trials:
        study, number, root = each.split(":")
        trial = open_study(study, overrides={"data.root": Path(root)}).trial(int(number))
        val = trial.study.settings.data.open_split("val", lambda *_: None)
        text += f"\n## {study}, trial {number}\n\n{table(trial, val, asked.intervals)}\n"
        write_text_whole(asked.out, text)
    print(text)


if __name__ == "__main__":
    main()
