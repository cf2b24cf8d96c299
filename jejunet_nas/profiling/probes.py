"""Probes: the graphs that can be timed for a profile, with operators known before they are built.

A profile has to predict graphs of networks from the search space. In these, MACs, bytes and resizes
grow together, so a fit cannot separate their costs. Stacks of one kind of operator can: each has
much of one kind of work and little of the others.

TensorFlow is imported only when a probe is written.
"""

import dataclasses
import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jejunet_nas.latency.predicted_meter import Work, load_profile, work_of
from jejunet_nas.networks.layers import Conv, Layers, Tensor
from jejunet_nas.networks.operators import OperatorList, network_operators
from jejunet_nas.records import GRAPH_NAMES, GraphName, Operator
from jejunet_nas.records.words import network_words
from jejunet_nas.space.architecture import Network
from jejunet_nas.space.draw import draw
from jejunet_nas.space.search_space import Choice, SearchSpace

Shape = tuple[int, int, int]
Wire = Callable[[Layers[Any], Any], Any]

REFERENCE = "pixel2"  # the profile that predicts the time of a probe
NETWORKS = 16
SEED = 0
# Of a synthetic probe's error in the fit. Six kinds of work describe no device exactly, and the
# special case of a one-operator stack must not distort the costs of networks. On one core of an x86
# server (LiteRT, its default delegate), with 20 probes fitted, the 21 other graphs of networks were
# 9 % off on average at weight 1, 6 % at a third and 7 % at a fifth; without the delegate 5 to 6 %.
STRESS_WEIGHT = 0.33
CLASSES = (2, 21)  # of a network's masks, in turn: foreground or not, and Pascal VOC's

# The networks of search_spaces/mobile_video.yaml; a policy changes no graph.
SPACE = SearchSpace(
    depth_multiplier=(0.25, 0.35, 0.5, 0.75, 1.0),
    last_block=(9, 12, 14, 16),
    output_stride=(16, 32),
    decoder_channels=(16, 32, 48, 64, 96),
    detail=("shared", "thin", "narrow"),
    logit_stride=(4, 8),
    resolution=tuple(range(128, 321, 32)),
    keyframe_interval=(1,),
    between_keyframes=("propagate",),
    reuse_below=(None,),
    refresh_above=(None,),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One graph that can be built and timed.

    kind: `key`, `propagate` or `gate` of a network, else the kind of work of a stack. write: writes
    the int8 graph, with random weights, to a file.
    """

    name: str
    kind: str
    operators: tuple[Operator, ...]
    predicted_ms: float  # one thread of the reference phone
    write: Callable[[Path], None]

    @property
    def work(self) -> Work:
        """The work of the graph."""
        return work_of(self.operators)

    @property
    def of_network(self) -> bool:
        """Whether it is a graph of a network."""
        return self.kind in GRAPH_NAMES

    @property
    def weight(self) -> float:
        """The weight of its error in the fit."""
        return 1.0 if self.of_network else STRESS_WEIGHT

    @property
    def file_name(self) -> str:
        """The name of its file, which changes with its operators."""
        digest = hashlib.sha256(repr(self.operators).encode()).hexdigest()[:8]
        return f"{re.sub('[^0-9a-z.]+', '_', self.name)}-{digest}.tflite"


@cache
def candidates() -> tuple[Probe, ...]:
    """Return all probes, always in the same order."""
    return (*_network_probes(), *_synthetic_probes())


def _convolutions(
    layers: Layers[Tensor], x: Tensor, *, channels: int, depth: int, kernel: int = 1
) -> Tensor:
    for number in range(depth):
        x = layers.conv(x, Conv(f"conv_{number}", channels, kernel))
    return x


def _depthwise(layers: Layers[Tensor], x: Tensor, *, depth: int) -> Tensor:
    for number in range(depth):
        x = layers.depthwise(x, f"{number}_depthwise")
    return x


def _resizes(layers: Layers[Tensor], x: Tensor, *, factors: Sequence[int]) -> Tensor:
    for number, factor in enumerate(factors):
        x = layers.upsample(x, f"resize_{number}", factor)
    return x


def _additions(layers: Layers[Tensor], x: Tensor, *, depth: int) -> Tensor:
    total = layers.depthwise(x, "start_depthwise")
    for number in range(depth):
        total = layers.add(f"add_{number}", total, x, relu6=True)
    return total


def _concatenations(layers: Layers[Tensor], x: Tensor, *, depth: int) -> Tensor:
    joined = x
    for number in range(depth):
        joined = layers.concatenate(f"join_{number}", joined, x)
    return joined


# Kind, layers, and shape of the input. Two sizes or more of each, so that the others can predict
# the one that is left out.
SYNTHETIC: tuple[tuple[str, Wire, Shape], ...] = (
    ("pointwise", partial(_convolutions, channels=256, depth=6), (16, 16, 256)),
    ("pointwise", partial(_convolutions, channels=512, depth=4), (16, 16, 512)),
    ("pointwise", partial(_convolutions, channels=512, depth=6), (8, 8, 512)),
    ("window", partial(_convolutions, channels=64, depth=6, kernel=3), (16, 16, 64)),
    ("window", partial(_convolutions, channels=128, depth=4, kernel=3), (16, 16, 128)),
    ("window", partial(_convolutions, channels=64, depth=3, kernel=3), (32, 32, 64)),
    ("depthwise", partial(_depthwise, depth=6), (56, 56, 64)),
    ("depthwise", partial(_depthwise, depth=4), (112, 112, 32)),
    ("depthwise", partial(_depthwise, depth=8), (28, 28, 192)),
    ("resize", partial(_resizes, factors=(8,)), (32, 32, 8)),
    ("resize", partial(_resizes, factors=(8,)), (28, 28, 21)),
    ("resize", partial(_resizes, factors=(4, 4)), (16, 16, 21)),
    ("resize", partial(_resizes, factors=(2,)), (80, 80, 48)),
    ("addition", partial(_additions, depth=4), (112, 112, 32)),
    ("addition", partial(_additions, depth=6), (56, 56, 64)),
    ("concatenation", partial(_concatenations, depth=3), (112, 112, 16)),
    ("concatenation", partial(_concatenations, depth=2), (160, 160, 24)),
    ("tiny", partial(_convolutions, channels=8, depth=96), (4, 4, 8)),
    ("tiny", partial(_convolutions, channels=8, depth=160), (2, 2, 8)),
    ("tiny-depthwise", partial(_depthwise, depth=96), (4, 4, 8)),
)


def _synthetic_probes() -> Iterator[Probe]:
    for kind, wire, shape in SYNTHETIC:
        layers = OperatorList()
        wire(layers, shape)
        name = f"{kind} {shape[0]}x{shape[1]}x{shape[2]} {len(layers.operators)} operators"
        write = partial(_write_wired, wire=wire, shape=shape)
        yield _probe(name, kind, layers.operators, write)


def _network_probes() -> Iterator[Probe]:
    rng = random.Random(SEED)

    def pick(name: str, choices: Sequence[Choice]) -> Choice:
        return rng.choice(choices) if len(choices) > 1 else choices[0]

    known: set[Work] = set()
    for number in range(NETWORKS):
        network, classes = draw(SPACE, pick).network, CLASSES[number % len(CLASSES)]
        operators = network_operators(network, classes)
        for graph in GRAPH_NAMES:
            work = work_of(operators[graph])
            if work not in known:  # all gates of one resolution are the same
                known.add(work)
                write = partial(_write_network, network=network, classes=classes, graph=graph)
                name = f"{network_words(network)}, {classes} classes, {graph}"
                yield _probe(name, graph, operators[graph], write)


def _probe(
    name: str, kind: str, operators: Sequence[Operator], write: Callable[[Path], None]
) -> Probe:
    predicted_ms = load_profile(REFERENCE).predict(operators).median_ms
    listed = tuple(operators)
    return Probe(name=name, kind=kind, operators=listed, predicted_ms=predicted_ms, write=write)


def _write_wired(file: Path, *, wire: Wire, shape: Shape) -> None:
    # Imported here because a choice among probes needs no TensorFlow.
    from jejunet_nas.profiling.build import write_wired

    write_wired(wire, shape, file)


def _write_network(file: Path, *, network: Network, classes: int, graph: GraphName) -> None:
    from jejunet_nas.profiling.build import write_network_graph

    write_network_graph(network, classes, graph, file)
