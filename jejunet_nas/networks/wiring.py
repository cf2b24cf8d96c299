"""Which layers write and read each channel of a network: a reading of `Layers`.

Two things need to know. Equalisation multiplies a channel where it is written and divides where it
is read, so it asks for `streams`: channels of one scale, from a convolution's output to all that
reads it. Channel pruning takes a channel out of every layer that it passes, depthwise ones too, so
it asks for `groups`. Outputs whose int8 values pass on as they are share a range: `ties`.

Tensors are `Signal`s; all three graphs are read by one reader, since they share their layers.
"""

import dataclasses
from collections.abc import Iterator

from jejunet_nas.networks.class_map import class_map_factor
from jejunet_nas.networks.paths import context_channels, gate_path, key_path, propagate_path
from jejunet_nas.space.architecture import Network

INPUTS = ("image", "now", "keyframe")  # pixels, in [-1, 1]
# Of 256 steps over [-1, 1] none is 0, which int8 must hold: pixel p becomes (p - 127) / 127.5, half
# a step more than in float. Said so, the graph's converter and fake quantisation round alike.
PIXEL_RANGE = (-127 / 127.5, 128 / 127.5)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Consecutive channels of one stream or group."""

    of: str
    channels: int


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """A tensor, as channels: `output` names the layer that hands it on.

    scaled: whose scale its channels have. origin: which convolution made them.
    """

    output: str
    scaled: tuple[Part, ...]
    origin: tuple[Part, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A layer that reads a stream: from channel `first` of its input on, which `input` hands on.

    dense: a convolution that sums over channels; a depthwise one keeps them apart.
    """

    layer: str
    input: str
    first: int
    dense: bool


@dataclasses.dataclass(slots=True, kw_only=True)
class Stream:
    """Channels that go together: those of one convolution, or of several that are added.

    writers: the layers whose outputs they are. outputs: all layers that hand them on. relu6:
    whether they are cut off at 6 on their way. fixed: whether anybody outside knows their values.
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
    """How the channels of all three graphs run.

    streams, groups: by name. inputs: of each layer, the groups that it reads, in order. made: of
    each convolution that is not depthwise, the group it makes. ties: of each output, the one that
    stands for all that share its range. fixed_ranges: outputs whose range is known beforehand.
    """

    streams: dict[str, Stream]
    groups: dict[str, Stream]
    inputs: dict[str, tuple[Part, ...]]
    made: dict[str, str]
    ties: dict[str, str]
    fixed_ranges: dict[str, tuple[float, float]]


def read_wiring(network: Network, classes: int) -> Wiring:
    """Return how the channels of `network` run."""
    reader = _Reader()
    image, now, keyframe = (reader.source(name, 3) for name in INPUTS)
    logits, context = key_path(reader, image, network, classes)
    reader.upsample(logits, "class_map", class_map_factor(network))
    assert context_channels(network) == sum(part.channels for part in context.scaled)
    propagate_path(reader, image, context, network, classes)
    gate_path(reader, now, keyframe)
    return reader.finish()


class _Reader:
    """`Layers` that notes what is read and written; a layer named again is the same layer."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._groups: dict[str, Stream] = {}
        self._inputs: dict[str, tuple[Part, ...]] = {}
        self._same: dict[str, str] = {}  # stream -> one that it was added to
        self._tied: dict[str, str] = {}  # output -> one that it shares its range with
        self._fixed: dict[str, tuple[float, float]] = {}

    def source(self, name: str, channels: int) -> Signal:
        """Return the signal of an input."""
        self._write(self._streams, name, channels, fixed=True)
        self._write(self._groups, name, channels, fixed=True)
        self._fixed[name] = PIXEL_RANGE
        return _plain(name, channels)

    def conv(
        self,
        x: Signal,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        batch_norm: bool = True,
        relu6: bool = True,
    ) -> Signal:
        """Note a reader of `x` and the writer of a stream."""
        self._read(name, x, dense=True)
        self._write(self._streams, name, filters, relu6=relu6)
        self._write(self._groups, name, filters)
        return _plain(name, filters)

    def depthwise(self, x: Signal, name: str, *, stride: int = 1, dilation: int = 1) -> Signal:
        """Note a reader of `x` whose output has a scale of its own, but the same channels."""
        self._read(name, x, dense=False)
        channels = sum(part.channels for part in x.scaled)
        self._write(self._streams, name, channels, relu6=True)
        return Signal(name, (Part(name, channels),), x.origin)

    def add(self, name: str, first: Signal, second: Signal, *, relu6: bool = False) -> Signal:
        """Note that both are of one scale, and pruned alike."""
        for ours, theirs in zip(first.scaled, second.scaled, strict=True):
            self._join(self._same, ours.of, theirs.of)
        self._hand_on(name, first, relu6=relu6)
        return dataclasses.replace(first, output=name)

    def concatenate(self, name: str, first: Signal, second: Signal) -> Signal:
        """Note that both have one range: int8 values are copied as they are."""
        self._join(self._tied, name, first.output)
        self._join(self._tied, name, second.output)
        return Signal(name, first.scaled + second.scaled, first.origin + second.origin)

    def upsample(self, x: Signal, name: str, factor: int) -> Signal:
        """Note that the range stays."""
        if factor == 1:
            return x
        self._join(self._tied, name, x.output)
        self._hand_on(name, x)
        return dataclasses.replace(x, output=name)

    def mean(self, x: Signal, name: str) -> Signal:
        """Note one more output."""
        self._hand_on(name, x)
        return dataclasses.replace(x, output=name)

    def sigmoid(self, x: Signal, name: str) -> Signal:
        """Note the range that LiteRT demands: 1 / 256 a step from 0 on."""
        self._fixed[name] = (0.0, 255 / 256)
        return dataclasses.replace(x, output=name)

    def finish(self) -> Wiring:
        """Return all that was noted, with one name for what goes together."""
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
        self._inputs[name] = x.origin
        for kept, parts in ((self._streams, x.scaled), (self._groups, x.origin)):
            for first, part in _placed(parts):
                reader = Reader(layer=name, input=x.output, first=first, dense=dense)
                kept[part.of].readers.append(reader)

    def _write(
        self,
        kept: dict[str, Stream],
        name: str,
        channels: int,
        *,
        relu6: bool = False,
        fixed: bool = False,
    ) -> None:
        if name not in kept:
            kept[name] = Stream(
                name=name,
                channels=channels,
                writers=[] if name in INPUTS else [name],
                outputs=[name],
                relu6=relu6,
                fixed=fixed,
            )

    def _hand_on(self, name: str, x: Signal, *, relu6: bool = False) -> None:
        for part in x.scaled if len(x.scaled) == 1 else ():
            stream = self._streams[part.of]
            stream.relu6 |= relu6
            if name not in stream.outputs:
                stream.outputs.append(name)

    def _merged(self, kept: dict[str, Stream]) -> dict[str, Stream]:
        merged: dict[str, Stream] = {}
        for name, stream in kept.items():
            root = _root(self._same, name)
            if root not in merged:
                merged[root] = Stream(name=root, channels=stream.channels)
            whole = merged[root]
            assert whole.channels == stream.channels, (root, name)
            whole.writers += stream.writers
            whole.readers += stream.readers
            whole.outputs += stream.outputs
            whole.relu6 |= stream.relu6
            whole.fixed |= stream.fixed
        for whole in merged.values():
            whole.fixed |= not whole.readers  # logits, which somebody outside reads
        return merged

    @staticmethod
    def _join(joined: dict[str, str], first: str, second: str) -> None:
        for name in (first, second):
            joined.setdefault(name, name)
        joined[_root(joined, second)] = _root(joined, first)


def _plain(name: str, channels: int) -> Signal:
    part = Part(name, channels)
    return Signal(name, (part,), (part,))


def _placed(parts: tuple[Part, ...]) -> Iterator[tuple[int, Part]]:
    """Yield each part with its first channel's place in the whole."""
    first = 0
    for part in parts:
        yield first, part
        first += part.channels


def _root(joined: dict[str, str], name: str) -> str:
    while joined.get(name, name) != name:
        name = joined[name]
    return name
