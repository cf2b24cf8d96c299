"""From logits to a mask of the input's size: in the graph, behind it, and in which order.

.venv/bin/python -m tests.benchmarks.output_tail --data-root DAVIS --out reports/output_tail.md

takes ten minutes on 2 busy cores without a GPU, and trains the two networks first where
`tests.benchmarks.quantization` has not left their weights in the folder `quantization` beside FILE.

Each tail ends in the same thing, a class map uint8 [input_height, input_width]. Logits are enlarged
bilinearly to the stride at which their argmax is taken, and the class map by nearest pixels from
there. The key graph does the first of these steps, none or all; a second int8 graph, or NumPy and
Pillow, the others. Strides are in input pixels.
"""

import argparse
import dataclasses
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from jejunet_nas.compression.convert import convert_rounded
from jejunet_nas.compression.graphs import Int8Network, graph_shapes
from jejunet_nas.compression.post_training import quantize_after_training
from jejunet_nas.compression.rounding import Ranged
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.litert import Graph
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.networks.class_map import CLASS_MAP_STRIDE
from jejunet_nas.networks.folded_layers import FoldedLayers
from jejunet_nas.networks.paths import key_path
from jejunet_nas.records.words import network_words
from jejunet_nas.space.architecture import Network
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.quantization import (
    EVERY,
    NETWORKS,
    PLAIN,
    keyframes_of,
    setup_of,
    trained,
)
from tests.builders import shake

CHOSEN = (
    "1 x blocks 0-12 /16, 48 ch, thin /8, 256 px",
    "0.5 x blocks 0-16 /16, 48 ch, thin /4, 160 px",
)
VOC_CLASSES = 21
ROUNDS, RUNS, WARM_UP = 96, 4, 1  # of each tail: so many rounds of so many runs, after a warm-up
# The default gives way to a tail that loses no more mIoU than this on any trained network, and
# takes at least this share less of every network's whole, predicted and on the host.
LOST, SAVED = 0.0005, 0.02

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.uint8]
Where = Literal["key graph", "second graph", "app"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """One way from logits to a class map of the input's size.

    argmax: where logits are enlarged to `stride` and their argmax is taken. nearest: where the
    class map is enlarged from there; at stride 1 it need not be.
    """

    argmax: Where
    stride: int
    nearest: Where = "app"

    def words(self, network: Network) -> str:
        """Return, say, `bilinear to 2, argmax in the key graph; nearest in the app`."""
        enlarged = "" if self.stride == network.logit_stride else f"bilinear to {self.stride}, "
        words = f"{enlarged}argmax{f' at {self.stride}' * (not enlarged)} in the {self.argmax}"
        words += "" if self.stride == 1 else f"; nearest in the {self.nearest}"
        return f"**{words}**" if self == DEFAULT else words


DEFAULT = Tail(argmax="key graph", stride=CLASS_MAP_STRIDE)


def tails(network: Network) -> list[Tail]:
    """Return the tails that are compared, finest last."""
    strides = [stride for stride in (8, 4, 2, 1) if stride <= network.logit_stride]
    within: tuple[Where, ...] = ("app", "key graph")
    return [
        *(
            Tail(argmax="key graph", stride=stride, nearest=nearest)
            for stride in strides
            for nearest in (within if stride > 1 else within[:1])
        ),
        *(Tail(argmax="second graph", stride=stride) for stride in (2, 1)),
        *(Tail(argmax="app", stride=stride) for stride in (network.logit_stride, 2, 1)),
    ]


def main() -> None:
    """Write the report."""
    asked = _arguments()
    kept = asked.out.parent / "quantization"
    kept.mkdir(parents=True, exist_ok=True)
    loads, setup = [os.getloadavg()[0]], setup_of(asked, kept)
    by_words = {network_words(network): network for network in NETWORKS}
    tables: list[Table] = []
    for network in (by_words[words] for words in CHOSEN):
        keras = trained(network, setup, kept)
        tables.append(_table(keras, PostTrainingInt8(), setup, keyframes_of(network, setup)))
    for network in (by_words[words] for words in CHOSEN):
        keras = build_network(network, VOC_CLASSES, seed=0)
        shake(keras, 0)
        tables.append(_table(keras, PLAIN, setup))
    loads.append(os.getloadavg()[0])
    asked.out.write_text(_page(tables, asked, loads))
    print(asked.out.read_text())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one tail comes to; `ratios` are its whole host time over the default's, round by round.

    predicted_ms: of each graph. graph_ms, outside_ms, tail_ms: host; of the key graph, of what
    follows it, and of all that follows the logits.
    """

    miou: float | None
    predicted_ms: tuple[float, ...]
    graph_ms: float
    outside_ms: float
    tail_ms: float
    ratios: tuple[float, ...]
    handed_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one network; `context_bytes` go to the app beside what the tail hands out."""

    network: Network
    classes: int
    context_bytes: int
    rows: Mapping[Tail, Row]


def _table(
    keras: KerasNetwork,
    settings: PostTrainingInt8,
    setup: TrialSetup,
    keyframes: Keyframes | None = None,
) -> Table:
    """Convert, score and time one network with every tail."""
    network = keras.network
    print(f"{network_words(network)}, {keras.classes} classes", file=sys.stderr, flush=True)
    frames = setup.material.calibration(
        network, settings.calibration_frames, settings.calibration_choice
    )
    int8 = quantize_after_training(keras.folded(), frames, settings).int8
    meter = PredictedMeter(profile=load_profile("pixel2"))
    with tempfile.TemporaryDirectory() as folder:
        ways = [Way(int8, tail, Path(folder)) for tail in tails(network)]
        mious = [keyframes and keyframes.miou(_masks(way, keyframes.frames)) for way in ways]
        _check_in_and_outside(ways, frames[0])
        times = _times_ms(ways, frames[0])
        whole_ms = {tail: times[tail][:, 0] + times[tail][:, 1] for tail in times}
        rows = {}
        for way, miou in zip(ways, mious, strict=True):
            graph_ms, outside_ms, alone_ms = np.median(times[way.tail], axis=0).tolist()
            rows[way.tail] = Row(
                miou=miou,
                predicted_ms=tuple(meter.measure(file).median_ms for file in way.files),
                graph_ms=graph_ms,
                outside_ms=outside_ms,
                tail_ms=outside_ms + alone_ms,
                ratios=tuple((whole_ms[way.tail] / whole_ms[DEFAULT]).tolist()),
                handed_bytes=way.handed(frames[0]).nbytes,
            )
        context = ways[0].key.run(image=frames[:1])["context"].nbytes
    return Table(network=network, classes=keras.classes, context_bytes=context, rows=rows)


class Way:
    """The graphs of one tail, opened, and what is done behind them.

    files: of the key graph and, where there is one, the second. alone: of a tail in the key graph,
    the same from the logits on.
    """

    def __init__(self, int8: Int8Network, tail: Tail, folder: Path) -> None:
        self.tail, self._stride = tail, int8.network.logit_stride
        name = "-".join((tail.argmax, str(tail.stride), tail.nearest)).replace(" ", "-")
        file, behind = folder / f"{name}.tflite", folder / f"{name}-behind.tflite"
        file.write_bytes(
            convert_rounded(_key_function(int8, tail), graph_shapes(int8.network)["key"])
        )
        self.files, self.key, self.alone, self._second = [file], Graph(file), None, None
        if tail.argmax != "app":
            behind.write_bytes(_from_logits(int8, tail))
        if tail.argmax == "key graph":
            self.alone = Graph(behind)
        elif tail.argmax == "second graph":
            self.files.append(behind)
            self._second = Graph(behind)

    def handed(self, frame: Mask) -> Array:
        """Return what the key graph hands out for `frame`, beside the context."""
        outputs = self.key.run(image=frame[None])
        return outputs["class_map" if self.tail.argmax == "key graph" else "logits"]

    def outside(self, handed: Array) -> Mask:
        """Return the class map of the input's size; this is what is timed as outside."""
        if self._second:
            class_map = self._second.run(logits=handed)["class_map"][0]
        elif self.tail.argmax == "app":
            class_map = _argmax_in_app(handed[0], self._stride // self.tail.stride)
        else:
            class_map = handed[0]
        if self.tail.nearest == "key graph" or self.tail.stride == 1:
            return class_map
        # Columns first: rows are then copied whole, in half the time.
        return class_map.repeat(self.tail.stride, axis=1).repeat(self.tail.stride, axis=0)


def _key_function(int8: Int8Network, tail: Tail) -> Callable[..., dict[str, Any]]:
    layers = FoldedLayers(int8.weights, Ranged(int8.ranges))

    def key(image: Any) -> dict[str, Any]:
        image = layers.taps.output("image", image)
        logits, context = key_path(layers, image, int8.network, int8.classes)
        if tail.argmax == "key graph":
            return {
                "class_map": _class_map(layers, logits, int8.network, tail),
                "context": context,
            }
        return {"logits": logits, "context": context}

    return key


def _from_logits(int8: Int8Network, tail: Tail) -> bytes:
    """Return the tail as a graph of its own, int8 logits in."""
    network, layers = int8.network, FoldedLayers({}, Ranged(int8.ranges))

    def behind(logits: Any) -> dict[str, Any]:
        logits = layers.taps.output("logits", logits)
        return {"class_map": _class_map(layers, logits, network, tail)}

    height, width = (
        size // network.logit_stride for size in (network.input_height, network.input_width)
    )
    shape = (1, height, width, int8.classes)
    return convert_rounded(behind, {"logits": shape}, int8_inputs=("logits",))


def _class_map(layers: FoldedLayers, logits: Any, network: Network, tail: Tail) -> Any:
    enlarged = layers.upsample(logits, "class_map", network.logit_stride // tail.stride)
    class_map = tf.cast(tf.argmax(enlarged, -1, output_type=tf.int32), tf.uint8)
    if tail.nearest != "key graph":
        return class_map
    # The converter refuses RESIZE_NEAREST_NEIGHBOR on uint8, int8 and int32 (TensorFlow 2.21).
    _, height, width = class_map.shape
    pixels = tf.reshape(class_map, (1, height, 1, width, 1))
    tiled = tf.tile(pixels, (1, 1, tail.stride, 1, tail.stride))
    return tf.reshape(tiled, (1, network.input_height, network.input_width))


def _argmax_in_app(logits: Array, factor: int) -> Mask:
    """Return the class map of int8 logits [h, w, classes], enlarged by `factor` in float first."""
    if factor == 1:
        return logits.argmax(-1).astype(np.uint8)
    height, width, _ = logits.shape
    size, rule = (width * factor, height * factor), Image.Resampling.BILINEAR
    highest = np.full((size[1], size[0]), -np.inf, np.float32)
    class_map = np.zeros(highest.shape, np.uint8)
    planes = np.ascontiguousarray(logits.transpose(2, 0, 1), np.float32)
    for number, plane in enumerate(planes):
        enlarged = np.asarray(Image.fromarray(plane).resize(size, rule))
        np.copyto(class_map, number, where=enlarged > highest)
        np.maximum(highest, enlarged, out=highest)
    return class_map


def _masks(way: Way, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.stack([way.outside(way.handed(frame)) for frame in frames])


def _check_in_and_outside(ways: list[Way], frame: Mask) -> None:
    """Nearest pixels are the same wherever they are taken: else rows would compare two things."""
    masks = {way.tail: way.outside(way.handed(frame)) for way in ways}
    assert len({mask.shape for mask in masks.values()}) == 1
    for tail, mask in masks.items():
        if tail.argmax == "key graph":
            np.testing.assert_array_equal(mask, masks[dataclasses.replace(tail, nearest="app")])


def _times_ms(ways: list[Way], frame: Mask) -> dict[Tail, npt.NDArray[np.float64]]:
    """Return what key graph, the rest outside it, and the tail of a key graph alone take.

    [ROUNDS, 3], each the median of a round's runs. Each round times every tail, beginning with
    another one: what else the computer does meets all.
    """
    handed = {way.tail: way.handed(frame) for way in ways}
    logits = next(handed[way.tail] for way in ways if way.tail.argmax == "app")
    times: dict[Tail, list[Array]] = {way.tail: [] for way in ways}
    for number in range(ROUNDS):
        first = number % len(ways)
        for way in ways[first:] + ways[:first]:
            runs = [_run_ms(way, handed[way.tail], logits) for _ in range(WARM_UP + RUNS)]
            times[way.tail].append(np.median(runs[WARM_UP:], axis=0))
    return {tail: np.stack(rounds) for tail, rounds in times.items()}


def _run_ms(way: Way, handed: Array, logits: Array) -> tuple[float, float, float]:
    graph_ms = _timed_ms(way.key.invoke)
    outside_ms = _timed_ms(lambda: way.outside(handed))
    alone = way.alone
    return graph_ms, outside_ms, _timed_ms(lambda: alone.run(logits=logits)) if alone else 0.0


def _timed_ms(run: Callable[[], object]) -> float:
    """Return the CPU time of this thread: with one thread all of it, and other programs' none."""
    began = time.thread_time()
    run()
    return 1000 * (time.thread_time() - began)


def _page(tables: list[Table], asked: argparse.Namespace, loads: list[float]) -> str:
    lines = [
        "# The output tail: from logits to a mask of the input's size",
        "",
        "Every row ends in a class map uint8 of the input's size. Strides are in input pixels; the "
        "default is set in bold. Key graphs are int8. mIoU in per cent over every "
        f"{EVERY}nd annotated frame of DAVIS val, each a keyframe, int8 after training. "
        "`predicted`: ms of the key graph, plus the second where there is one, for one big core of "
        "a Pixel 2; what NumPy and Pillow do in the app is not predicted, and RESIZE_BILINEAR is "
        "charged what a runtime of July 2018 took for it, the only one known. `host`: CPU ms on "
        "the computer named below, 1 thread, LiteRT's default delegate: medians of "
        f"{ROUNDS} interleaved rounds, each the median of {RUNS} runs; of the key graph; of the "
        "rest outside it; of all that follows the logits, timed by itself; and of key graph and "
        "outside together over the default's in the same round, with the quartiles of rounds. "
        "Bytes go from graph to app each frame, beside the context.",
        "",
    ]
    for table in tables:
        trained = "trained on DAVIS" if table.classes != VOC_CLASSES else "untrained, for its times"
        lines += [
            f"## {network_words(table.network)}, {table.classes} classes ({trained})",
            "",
            f"Logits at stride {table.network.logit_stride}; the context is "
            f"{table.context_bytes:,} bytes.",
            "",
            "| tail | mIoU | predicted ms | predicted over default | host key graph ms "
            "| host outside ms | host tail ms | host whole over default | bytes |",
            "| --- |" + " ---: |" * 8,
            *(_line(table, tail) for tail in table.rows),
            "",
        ]
    return "\n".join(
        [
            *lines,
            *_reading(tables),
            "",
            f"Machine: {os.cpu_count()} cores ({platform.machine()}), no GPU, load {loads[0]:.1f} "
            f"at the start and {loads[1]:.1f} at the end, Python "
            f"{platform.python_version()}, {time.strftime('%Y-%m-%d')}.",
            "",
            f"`python -m tests.benchmarks.output_tail --data-root DAVIS --out {asked.out}`",
            "",
        ]
    )


def _line(table: Table, tail: Tail) -> str:
    row, (predicted, _) = table.rows[tail], _more(table, tail)
    low, _, high = statistics.quantiles(row.ratios, n=4)
    cells = (
        tail.words(table.network),
        "" if row.miou is None else f"{100 * row.miou:.2f}",
        " + ".join(f"{ms:.2f}" for ms in row.predicted_ms),
        "" if predicted is None else f"{1 + predicted:.3f}",
        f"{row.graph_ms:.2f}",
        f"{row.outside_ms:.3f}",
        f"{row.tail_ms:.3f}",
        f"{statistics.median(row.ratios):.3f} ({low:.3f} to {high:.3f})",
        f"{row.handed_bytes:,}",
    )
    return f"| {' | '.join(cells)} |"


def _reading(tables: list[Table]) -> Iterator[str]:
    """Yield what the figures say of the default; host times by the tails, which scatter least."""
    for classes in sorted({table.classes for table in tables}):
        of = [table for table in tables if table.classes == classes]
        coarse = [Tail(argmax="key graph", stride=table.network.logit_stride) for table in of]
        told = {"argmax at the logits' stride in the key graph": coarse}
        told |= {
            words: [tail] * len(of)
            for words, tail in {
                "bilinear to 1 in the key graph": Tail(argmax="key graph", stride=1),
                f"bilinear to {CLASS_MAP_STRIDE} in a second graph": Tail(
                    argmax="second graph", stride=CLASS_MAP_STRIDE
                ),
                f"bilinear to {CLASS_MAP_STRIDE} in the app": Tail(
                    argmax="app", stride=CLASS_MAP_STRIDE
                ),
                "nearest in the key graph": dataclasses.replace(DEFAULT, nearest="key graph"),
            }.items()
        }
        yield (
            f"With {classes} classes, against the default's whole, each network in turn: "
            + "; ".join(f"{words} {_differences(of, tails)}" for words, tails in told.items())
            + "."
        )
        yield ""
    better = [tail for tail in tables[0].rows if all(_is_better(table, tail) for table in tables)]
    words = [tail.words(tables[0].network) for tail in better or [DEFAULT]]
    yield (
        f"A tail that loses at most {100 * LOST:.2f} points on the trained networks and saves at "
        f"least {100 * SAVED:.0f} % of every network's whole, predicted and on the host, at 2 and "
        f"at {VOC_CLASSES} classes: "
        + (f"{', or '.join(words)}." if better else f"none. So the default stays: {words[0]}.")
    )


def _differences(tables: list[Table], tails: list[Tail]) -> str:
    """Return, say, `-1.29 / -0.55 points, -1.2 / -1.4 % predicted, -1.6 / -1.8 % host`."""
    pairs = list(zip(tables, tails, strict=True))
    points = [_points(table, tail) for table, tail in pairs]
    predicted, host = zip(*(_more(table, tail) for table, tail in pairs), strict=True)
    spoken = {
        "points": [None if each is None else f"{each:+.2f}" for each in points],
        "% predicted": [None if each is None else f"{100 * each:+.1f}" for each in predicted],
        "% host": [f"{100 * each:+.1f}" for each in host],
    }
    return ", ".join(
        f"{' / '.join(values)} {unit}" for unit, values in spoken.items() if None not in values
    )


def _points(table: Table, tail: Tail) -> float | None:
    """Return the points of mIoU that the tail gains over the default."""
    ours, default = table.rows[tail].miou, table.rows[DEFAULT].miou
    return None if ours is None or default is None else 100 * (ours - default)


def _more(table: Table, tail: Tail) -> tuple[float | None, float]:
    """Return what the tail takes more than the default, predicted and host, of the whole.

    Nothing is predicted where the app enlarges logits.
    """
    row, default = table.rows[tail], table.rows[DEFAULT]
    predicted = sum(row.predicted_ms) / sum(default.predicted_ms) - 1
    host = (row.tail_ms - default.tail_ms) / (default.graph_ms + default.outside_ms)
    enlarges = tail.argmax == "app" and tail.stride < table.network.logit_stride
    return None if enlarges else predicted, host


def _is_better(table: Table, tail: Tail) -> bool:
    if tail not in table.rows:
        return False
    predicted, host = _more(table, tail)
    gained = _points(table, tail)
    alike = gained is None or gained >= -100 * LOST
    return alike and host <= -SAVED and (predicted is None or predicted <= -SAVED)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
