"""The operators of a network's int8 graphs, listed without building the network.

An implementation of `Layers` whose tensors are shapes (height, width, channels). As in the
converter, batch norm, bias and ReLU6 are fused into the preceding operator. A test compares this
with the operators of converted graphs.
"""

import dataclasses
import math

from jejunet_nas.networks import paths
from jejunet_nas.networks.layers import Conv
from jejunet_nas.records import GraphName, Operator
from jejunet_nas.resize import THUMBNAIL_STRIDE
from jejunet_nas.space.architecture import Network

Shape = tuple[int, int, int]


def network_operators(network: Network, classes: int) -> dict[GraphName, list[Operator]]:
    """Return the operators of each int8 graph of `network`, in the order in which they run."""
    height, width = network.input_height, network.input_width
    image = (height, width, 3)
    stride = paths.context_stride(network)
    context = (height // stride, width // stride, paths.context_channels(network))
    thumbnail = (height // THUMBNAIL_STRIDE, width // THUMBNAIL_STRIDE, 3)

    key = OperatorList()
    key.class_map(paths.key_path(key, key.quantize(image), network, classes)[0], network)
    propagate = OperatorList()
    # Without detail the propagate graph does not read the image.
    seen = propagate.quantize(image) if network.propagates else image
    propagate.class_map(paths.propagate_path(propagate, seen, context, network, classes), network)
    gate = OperatorList()
    paths.gate_path(gate, gate.quantize(thumbnail), gate.quantize(thumbnail))
    return {"key": key.operators, "propagate": propagate.operators, "gate": gate.operators}


@dataclasses.dataclass(slots=True)
class OperatorList:
    """`Layers` that records each operator, with one byte per activation and per weight."""

    operators: list[Operator] = dataclasses.field(default_factory=list)

    def conv(self, x: Shape, conv: Conv) -> Shape:
        return self._convolution("CONV_2D", x, conv, channels_read=x[2])

    def depthwise(self, x: Shape, name: str, *, stride: int = 1, dilation: int = 1) -> Shape:
        conv = Conv(name, x[2], kernel=3, stride=stride)
        return self._convolution("DEPTHWISE_CONV_2D", x, conv, channels_read=1)

    def add(self, name: str, first: Shape, second: Shape, *, relu6: bool = False) -> Shape:
        return self._record("ADD", (first, second), first)

    def concatenate(self, name: str, first: Shape, second: Shape) -> Shape:
        out = (first[0], first[1], first[2] + second[2])
        return self._record("CONCATENATION", (first, second), out)

    def upsample(self, x: Shape, name: str, factor: int) -> Shape:
        return self._record("RESIZE_BILINEAR", (x,), (x[0] * factor, x[1] * factor, x[2]))

    def mean(self, x: Shape, name: str) -> Shape:
        # The converter removes the mean of a single pixel.
        return x if x[:2] == (1, 1) else self._record("MEAN", (x,), (1, 1, x[2]))

    def sigmoid(self, x: Shape, name: str) -> Shape:
        return self._record("LOGISTIC", (x,), x)

    def quantize(self, x: Shape) -> Shape:
        """Record the QUANTIZE from uint8 pixels to int8."""
        return self._record("QUANTIZE", (x,), x)

    def class_map(self, logits: Shape, network: Network) -> None:
        """Record the output operators: upsampled logits, argmax (int32), cast to uint8."""
        logits = self.upsample(logits, "class_map", paths.class_map_factor(network))
        pixels = logits[0] * logits[1]
        self._record("ARG_MAX", (logits,), (logits[0], logits[1], 1), bytes_out=4 * pixels)
        self.operators.append(
            Operator(kind="CAST", bytes_in=4 * pixels, bytes_out=pixels, elements_out=pixels)
        )

    def _convolution(self, kind: str, x: Shape, conv: Conv, *, channels_read: int) -> Shape:
        height, width = (-(-side // conv.stride) for side in x[:2])
        weights = conv.kernel**2 * channels_read * conv.filters
        return self._record(
            kind,
            (x,),
            (height, width, conv.filters),
            kernel=(conv.kernel, conv.kernel),
            macs=height * width * weights,
            weight_bytes=weights + 4 * conv.filters,  # int32 biases
        )

    def _record(
        self,
        kind: str,
        inputs: tuple[Shape, ...],
        out: Shape,
        *,
        kernel: tuple[int, int] = (1, 1),
        macs: int = 0,
        weight_bytes: int = 0,
        bytes_out: int | None = None,
    ) -> Shape:
        elements = math.prod(out)
        self.operators.append(
            Operator(
                kind=kind,
                kernel=kernel,
                macs=macs,
                bytes_in=sum(map(math.prod, inputs)),
                bytes_out=elements if bytes_out is None else bytes_out,
                weight_bytes=weight_bytes,
                elements_out=elements,
            )
        )
        return out
