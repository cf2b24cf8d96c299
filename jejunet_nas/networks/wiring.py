"""Which layers write and read each channel of a network, found by an implementation of `Layers`.

Channels are followed in two ways:

    streams    Channels with one scale: the output of a convolution and everything that reads it.
               Equalisation multiplies a channel where it is written and divides where it is read.
    groups     Channels that are pruned together: through every layer that they pass, depthwise
               convolutions included.

`ties` lists outputs that share a quantisation range, because their int8 values are copied.

All three graphs are read together, because they share their layers. Tensors are `Signal`s.
"""

import dataclasses
import itertools

from jejunet_nas.networks import paths
from jejunet_nas.networks.layers import Conv
from jejunet_nas.space.architecture import Network

INPUTS = ("image", "now", "keyframe")  # pixels, in [-1, 1]
# int8 must represent 0, but none of 256 equal steps over [-1, 1] is 0. So pixel p is quantised as
# (p - 127) / 127.5, half a step more than in float. With this range given, the converter and fake
# quantisation round alike.
PIXEL_RANGE = (-127 / 127.5, 128 / 127.5)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Consecutive channels of the stream or group named `of`."""

    of: str
    channels: int


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """A tensor as channels: the layer that outputs it, and its parts by stream and by group."""

    output: str
    streams: tuple[Part, ...]
    groups: tuple[Part, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A layer that reads a stream, which begins at channel `first` of the layer's `input`.

    dense: whether the layer sums over channels; a depthwise convolution does not.
    """

    layer: str
    input: str
    first: int
    dense: bool


@dataclasses.dataclass(slots=True, kw_only=True)
class Stream:
    """The channels of one convolution, or of several convolutions whose outputs are added.

    writers: those convolutions. outputs: all layers that output these channels. relu6: whether a
    ReLU6 is applied to them. fixed: whether they are inputs or outputs of the network, whose values
    must not change.
    """

    name: str
    channels: int
    writers: list[str] = dataclasses.field(default_factory=list)
    readers: list[Reader] = dataclasses.field(default_factory=list)
    outputs: list[str] = dataclasses.field(default_factory=list)
    relu6: bool = False
    fixed: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The channels of all three graphs of a network.

    streams, groups: by name. inputs: the groups that each layer reads, in order. made: the group
    that each convolution writes; depthwise convolutions write none. ties: for each tied output, one
    output that represents all that share its range. fixed_ranges: outputs whose range is known.
    """

    streams: dict[str, Stream]
    groups: dict[str, Stream]
    inputs: dict[str, tuple[Part, ...]]
    made: dict[str, str]
    ties: dict[str, str]
    fixed_ranges: dict[str, tuple[float, float]]


def read_wiring(network: Network, classes: int) -> Wiring:
    """Return the wiring of `network`."""
    reader = _WiringReader()
    image, now, keyframe = (reader.source(name, 3) for name in INPUTS)
    logits, context = paths.key_path(reader, image, network, classes)
    reader.upsample(logits, "class_map", paths.class_map_factor(network))
    assert paths.context_channels(network) == sum(part.channels for part in context.streams)
    paths.propagate_path(reader, image, context, network, classes)
    paths.gate_path(reader, now, keyframe)
    return reader.finish()


class _WiringReader:
    """`Layers` that records readers and writers."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._groups: dict[str, Stream] = {}
        self._inputs: dict[str, tuple[Part, ...]] = {}
        self._same: dict[str, str] = {}  # stream -> one that it was added to
        self._tied: dict[str, str] = {}  # output -> one that it shares its range with
        self._fixed: dict[str, tuple[float, float]] = {}

    def source(self, name: str, channels: int) -> Signal:
        for kept in (self._streams, self._groups):
            kept[name] = Stream(name=name, channels=channels, outputs=[name], fixed=True)
        self._fixed[name] = PIXEL_RANGE
        return _written(name, channels)

    def conv(self, x: Signal, conv: Conv) -> Signal:
        self._read(conv.name, x, dense=True)
        self._write(self._streams, conv.name, conv.filters, relu6=conv.relu6)
        self._write(self._groups, conv.name, conv.filters)
        return _written(conv.name, conv.filters)

    def depthwise(self, x: Signal, name: str, *, stride: int = 1, dilation: int = 1) -> Signal:
        self._read(name, x, dense=False)
        channels = sum(part.channels for part in x.streams)
        self._write(self._streams, name, channels, relu6=True)
        return Signal(name, (Part(name, channels),), x.groups)

    def add(self, name: str, first: Signal, second: Signal, *, relu6: bool = False) -> Signal:
        # Channels that are added have one scale, and are pruned together.
        for ours, theirs in zip(first.streams, second.streams, strict=True):
            self._join(self._same, ours.of, theirs.of)
        return self._pass_on(name, first, relu6=relu6)

    def concatenate(self, name: str, first: Signal, second: Signal) -> Signal:
        self._join(self._tied, name, first.output)
        self._join(self._tied, name, second.output)
        return Signal(name, first.streams + second.streams, first.groups + second.groups)

    def upsample(self, x: Signal, name: str, factor: int) -> Signal:
        self._join(self._tied, name, x.output)
        return self._pass_on(name, x)

    def mean(self, x: Signal, name: str) -> Signal:
        return self._pass_on(name, x)

    def sigmoid(self, x: Signal, name: str) -> Signal:
        self._fixed[name] = (0.0, 255 / 256)  # LiteRT demands steps of 1 / 256 from 0 on
        return dataclasses.replace(x, output=name)

    def finish(self) -> Wiring:
        groups = self._merged(self._groups)
        ties = {output: _root(self._tied, output) for output in self._tied}
        known = {ties[name]: ends for name, ends in self._fixed.items() if name in ties}
        return Wiring(
            streams=self._merged(self._streams),
            groups=groups,
            inputs={
                layer: tuple(Part(_root(self._same, part.of), part.channels) for part in parts)
                for layer, parts in self._inputs.items()
            },
            made={writer: group.name for group in groups.values() for writer in group.writers},
            ties=ties,
            fixed_ranges=self._fixed | {n: known[tie] for n, tie in ties.items() if tie in known},
        )

    def _read(self, name: str, x: Signal, *, dense: bool) -> None:
        if name in self._inputs:
            return
        self._inputs[name] = x.groups
        for kept, parts in ((self._streams, x.streams), (self._groups, x.groups)):
            firsts = itertools.accumulate((part.channels for part in parts), initial=0)
            for first, part in zip(firsts, parts, strict=False):
                reader = Reader(layer=name, input=x.output, first=first, dense=dense)
                kept[part.of].readers.append(reader)

    @staticmethod
    def _write(kept: dict[str, Stream], name: str, channels: int, *, relu6: bool = False) -> None:
        new = Stream(name=name, channels=channels, writers=[name], outputs=[name], relu6=relu6)
        kept.setdefault(name, new)

    def _pass_on(self, name: str, x: Signal, *, relu6: bool = False) -> Signal:
        for part in x.streams if len(x.streams) == 1 else ():
            stream = self._streams[part.of]
            stream.relu6 |= relu6
            if name not in stream.outputs:
                stream.outputs.append(name)
        return dataclasses.replace(x, output=name)

    def _merged(self, kept: dict[str, Stream]) -> dict[str, Stream]:
        merged: dict[str, Stream] = {}
        for name, stream in kept.items():
            root = _root(self._same, name)
            whole = merged.setdefault(root, Stream(name=root, channels=stream.channels))
            assert whole.channels == stream.channels, (root, name)
            whole.writers += stream.writers
            whole.readers += stream.readers
            whole.outputs += stream.outputs
            whole.relu6 |= stream.relu6
            whole.fixed |= stream.fixed
        for whole in merged.values():
            whole.fixed |= not whole.readers  # logits are an output of the network
        return merged

    @staticmethod
    def _join(joined: dict[str, str], first: str, second: str) -> None:
        for name in (first, second):
            joined.setdefault(name, name)
        joined[_root(joined, second)] = _root(joined, first)


def _written(name: str, channels: int) -> Signal:
    part = Part(name, channels)
    return Signal(name, (part,), (part,))


def _root(joined: dict[str, str], name: str) -> str:
    while joined.get(name, name) != name:
        name = joined[name]
    return name
