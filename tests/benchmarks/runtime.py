"""Overhead of `VideoSegmenter` over the graphs that it runs.

    python -m tests.benchmarks.runtime [--bundle DIR] > reports/runtime.txt

About a minute on 2 cores. Without a bundle: the tests' tiny network, and one as wide as the best
networks of the studies, with random weights, which do not change durations. Each frame is segmented
by `segment()`, then by bare calls of separate interpreters (set_tensor, invoke, get_tensor) along
the same path, with precomputed thumbnails. Figures are medians over each path's frames. The
overhead is the difference in CPU time of the calling thread, which other programs disturb least;
the wall time is given too. Frames have the graphs' size: resizing is timed separately.
"""

import argparse
import dataclasses
import itertools
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from jejunet_nas.networks.build import build_network
from jejunet_nas.records import GRAPH_NAMES, GraphName
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.space.architecture import Network, Policy
from jejunet_nas.video.bundle import Bundle, BundleSource, read_bundle
from jejunet_nas.video.runtime import Segmentation, VideoSegmenter
from tests.builders import int8_graphs, shake, tiny_network

INTERVAL, LAG, FRAMES, WARM_UP, REPEATS = 8, 3, 880, 16, 200  # 108 frames a path or more
POLICIES = {
    "key": Policy(keyframe_interval=1),
    "propagate": Policy(keyframe_interval=INTERVAL),
    "gated": Policy(keyframe_interval=INTERVAL, refresh_above=1.0),
    "asynchronous": Policy(keyframe_interval=INTERVAL, asynchronous=True),
    "asynchronous, gated": Policy(keyframe_interval=INTERVAL, refresh_above=1.0, asynchronous=True),
}
CAMERAS = ((240, 320), (480, 640), (720, 1280), (1080, 1920))
Array = npt.NDArray[Any]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", type=Path)
    given = parser.parse_args().bundle
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; medians, host ms")
    with tempfile.TemporaryDirectory() as folder:
        for name, bundle in [(given.name, read_bundle(given))] if given else _made(Path(folder)):
            _print(name, bundle)


def _made(folder: Path) -> Iterator[tuple[str, Bundle]]:
    wide = Network(
        depth_multiplier=1.0,
        last_block=12,
        output_stride=16,
        decoder_channels=48,
        detail="shared",
        logit_stride=8,
        input_height=224,
        input_width=224,
    )
    for name, network in (("tiny, 64 px", tiny_network()), ("1.0, 0-12, shared, 224 px", wide)):
        keras = build_network(network, 2, seed=0)
        shake(keras, 0)
        (folder / name).mkdir()
        frames = _frames(network.input_height, network.input_width)
        yield (
            name,
            Bundle(
                graphs=int8_graphs(keras, frames, folder / name),
                class_names=("background", "object"),
                policy=POLICIES["key"],
                input_height=network.input_height,
                input_width=network.input_width,
                keyframe_lag=LAG,
                target_fps=24.0,
                source=BundleSource(study="none", trial=0, network_id="none"),
            ),
        )


def _print(name: str, bundle: Bundle) -> None:
    height, width = bundle.input_height, bundle.input_width
    frames = _frames(height, width)
    print(f"\n{name}")
    print(f"{'':<46}{'wall':>8}{'wall':>9}{'CPU':>8}{'CPU':>9}")
    heads = ("frames", "bare", "segment", "bare", "segment", "more", "%")
    print(f"{'policy':<21}{'path':<18}{'{:>7}{:>8}{:>9}{:>8}{:>9}{:>8}{:>6}'.format(*heads)}")
    thumbnail_ms: list[float] = []
    for words, policy in POLICIES.items():
        with_policy = dataclasses.replace(bundle, policy=policy)
        for path, times in _both(with_policy, frames, thumbnail_ms).items():
            bare, ours, bare_cpu, ours_cpu = map(statistics.median, zip(*times, strict=True))
            more = ours_cpu - bare_cpu
            print(
                f"{words:<21}{path:<18}{len(times):>7}{bare:>8.3f}{ours:>9.3f}{bare_cpu:>8.3f}"
                f"{ours_cpu:>9.3f}{more:>8.3f}{100 * more / bare_cpu:>6.1f}",
                flush=True,
            )
    print(
        f"a thumbnail of {width}x{height}: {_median_ms(lambda: thumbnails(frames[0])):.3f} by "
        f"itself, {statistics.median(thumbnail_ms):.3f} between graphs"
    )
    for rows, columns in CAMERAS:
        camera = np.random.default_rng(0).integers(0, 256, (rows, columns, 3), np.uint8)
        ms = _median_ms(lambda camera=camera: resize_frame(camera, height, width))
        print(f"resizing {columns}x{rows} to {width}x{height}: {ms:.2f}", flush=True)


def _both(
    bundle: Bundle, frames: npt.NDArray[np.uint8], thumbnail_ms: list[float]
) -> Mapping[str, list[tuple[float, float, float, float]]]:
    """Return by path the times of each frame: wall bare and ours, CPU bare and ours.

    Where a gate runs, notes also what a thumbnail takes between graphs, which leave little cached.
    """
    times: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    small = thumbnails(frames)
    bare = Bare(bundle)
    with VideoSegmenter(bundle) as segmenter:
        for number in range(FRAMES):
            frame, thumbnail = frames[number % len(frames)], small[number % len(frames)]
            frame = frame.copy()  # in the cache, as one is that was just resized
            shown, ours_ms, ours_cpu_ms = _timed(lambda frame=frame: segmenter.segment(frame))
            _, bare_ms, bare_cpu_ms = _timed(
                lambda frame=frame, thumbnail=thumbnail, shown=shown: bare.run(
                    frame, thumbnail, shown
                )
            )
            kind = f"{shown.path}{', gate' if shown.gate_score is not None else ''}"
            kind += ", begun" if shown.keyframe_began else ""
            if shown.gate_score is not None:
                thumbnail_ms.append(_timed(lambda frame=frame: thumbnails(frame))[2])
            if number >= WARM_UP:
                times[kind].append((bare_ms, ours_ms, bare_cpu_ms, ours_cpu_ms))
    bare.close()
    return times


def _timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    found = run()
    cpu_ms = 1000 * (time.thread_time() - cpu)
    return found, 1000 * (time.perf_counter() - wall), cpu_ms


class Bare:
    """The interpreters, and the least code that follows a segmenter's paths."""

    def __init__(self, bundle: Bundle) -> None:
        self._graphs: dict[GraphName, tuple[Interpreter, dict[str, int]]] = {}
        for name in GRAPH_NAMES:
            interpreter = Interpreter(model_path=str(bundle.graphs[name]), num_threads=1)
            interpreter.allocate_tensors()
            details = interpreter.get_input_details() + interpreter.get_output_details()
            self._graphs[name] = interpreter, {each["name"]: each["index"] for each in details}
        self._lag = bundle.keyframe_lag
        self._pool = ThreadPoolExecutor(1)
        self._asynchronous = bundle.policy.asynchronous
        self._running: tuple[int, Future[tuple[Array, Array]], Array] | None = None
        self._number = itertools.count()
        self._mask = self._context = self._small = np.zeros(0)

    def run(self, frame: Array, small: Array, shown: Segmentation) -> Array:
        number = next(self._number)
        if self._running and number - self._running[0] >= self._lag:
            self._mask, self._context = self._running[1].result()
            self._small, self._running = self._running[2], None
        if shown.gate_score is not None:
            inputs = {"now": small[None], "keyframe": self._small[None]}
            self._call("gate", inputs, "score")
        if shown.keyframe_began:
            self._running = number, self._pool.submit(self._key, frame), small
        if shown.path == "key":
            waits = self._pool.submit(self._key, frame).result if self._asynchronous else None
            self._mask, self._context = waits() if waits else self._key(frame)
            self._small = small
        elif shown.path == "propagate":
            inputs = {"image": frame[None], "context": self._context}
            return self._call("propagate", inputs, "class_map")[0]
        return self._mask

    def close(self) -> None:
        self._pool.shutdown()

    def _key(self, frame: Array) -> tuple[Array, Array]:
        mask, context = self._call("key", {"image": frame[None]}, "class_map", "context")
        return mask, context

    def _call(self, name: GraphName, inputs: Mapping[str, Array], *outputs: str) -> list[Array]:
        interpreter, index = self._graphs[name]
        for each, value in inputs.items():
            interpreter.set_tensor(index[each], value)
        interpreter.invoke()
        return [interpreter.get_tensor(index[each]) for each in outputs]


def _frames(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (16, height, width, 3), np.uint8)


def _median_ms(run: Callable[[], object]) -> float:
    return statistics.median(_timed(run)[2] for _ in range(REPEATS))


if __name__ == "__main__":
    main()
