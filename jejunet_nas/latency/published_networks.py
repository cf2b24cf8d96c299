"""The operator lists of the networks whose latencies on the Pixel 2 were published.

`fit` needs them with the published milliseconds. They are computed without files: the layers of
TF-slim's MobileNetV1 and MobileNetV2, and of the DeepLabv3 that JejuNet shipped, as TFLite runs
them in uint8 (batch norm and activations folded into the convolutions, SAME padding).

Units: sizes in pixels; bytes equal elements, except for ARG_MAX and the RESHAPE after it (int64).
"""

import dataclasses

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.records import Operator

PUBLISHED = ("mobilenet_v1", "mobilenet_v2", "deeplabv3_mobilenet_v2_os16")

CLASSES = 1001  # ImageNet and a background class
VOC_CLASSES = 21
ASPP_CHANNELS = 256
INT64_BYTES = 8

# (stride, channels) of each separable convolution: MobileNets (arXiv 1704.04861), table 1
V1_LAYERS = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024)),
)
# (expansion, channels, repeats, stride): MobileNetV2 (arXiv 1801.04381), table 2
V2_STAGES = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)


def mobilenet_v1(depth_multiplier: float, input_px: int) -> list[Operator]:
    """Return the operators of TF-slim's MobileNetV1 classifier on a square input."""
    graph = _Graph(input_px, 3)
    graph.convolve(max(8, int(32 * depth_multiplier)), kernel=3, stride=2)
    for stride, channels in V1_LAYERS:
        graph.depthwise(stride)
        graph.convolve(max(8, int(channels * depth_multiplier)))
    return graph.classify()


def mobilenet_v2(depth_multiplier: float, input_px: int) -> list[Operator]:
    """Return the operators of TF-slim's MobileNetV2 classifier on a square input.

    As in the published checkpoints, the last convolution keeps its 1280 channels below 1.0.
    """
    graph = _Graph(input_px, 3)
    graph.mobilenet_v2(depth_multiplier, output_stride=32)
    graph.convolve(slim_channels(1280 * max(depth_multiplier, 1.0)))
    return graph.classify()


def jejunet_deeplabv3(input_px: int) -> list[Operator]:
    """Return the operators of JejuNet's DeepLabv3: MobileNetV2 1.0, output stride 16, no decoder.

    At any size they are the 71 of `jejunet_mobilenet_v2_deeplab_v3_256_myquant.tflite`.
    """
    graph = _Graph(input_px, 3)
    graph.mobilenet_v2(1.0, output_stride=16)
    size, features = graph.size, graph.channels
    graph.pool()
    graph.convolve(ASPP_CHANNELS)
    graph.resize(size)
    graph.channels = features  # the other branch starts from the backbone again
    graph.convolve(ASPP_CHANNELS)
    graph.concatenate(ASPP_CHANNELS)
    graph.convolve(ASPP_CHANNELS)
    graph.convolve(VOC_CLASSES)
    graph.resize(input_px)
    graph.classify_pixels()
    return graph.operators


def operators_of(network: str, depth_multiplier: float, input_px: int) -> list[Operator]:
    """Return the operators of `network`, one of `PUBLISHED`. Raises `SettingError`."""
    match network:
        case "mobilenet_v1":
            return mobilenet_v1(depth_multiplier, input_px)
        case "mobilenet_v2":
            return mobilenet_v2(depth_multiplier, input_px)
        case "deeplabv3_mobilenet_v2_os16" if depth_multiplier == 1.0:
            return jejunet_deeplabv3(input_px)
    raise SettingError(
        f"network is {shortened(network)} with depth_multiplier {depth_multiplier}; allowed: "
        f"{', '.join(PUBLISHED)}, the last with depth_multiplier 1.0 only."
        f"{closest(network, PUBLISHED)}"
    )


def slim_channels(channels: float) -> int:
    """Return `channels` rounded as TF-slim does: a multiple of 8, at least 0.9 of them."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


@dataclasses.dataclass(slots=True)
class _Graph:
    """A square feature map, and the operators that made it so far."""

    size: int
    channels: int
    operators: list[Operator] = dataclasses.field(default_factory=list)

    @property
    def elements(self) -> int:
        """Elements of the feature map."""
        return self.size * self.size * self.channels

    def convolve(self, channels: int, *, kernel: int = 1, stride: int = 1) -> None:
        inputs, before = kernel * kernel * self.channels, self.elements
        self.size, self.channels = -(-self.size // stride), channels
        self._append("CONV_2D", before, kernel=kernel, macs=inputs * self.elements)

    def depthwise(self, stride: int) -> None:
        before = self.elements
        self.size = -(-self.size // stride)
        self._append("DEPTHWISE_CONV_2D", before, kernel=3, macs=9 * self.elements)

    def mobilenet_v2(self, depth_multiplier: float, *, output_stride: int) -> None:
        self.convolve(slim_channels(32 * depth_multiplier), kernel=3, stride=2)
        reached = 2
        for expansion, base_channels, repeats, stage_stride in V2_STAGES:
            for repeat in range(repeats):
                # At output stride 16 the last stride is left out, without dilation, as in JejuNet.
                stride = stage_stride if repeat == 0 and reached < output_stride else 1
                reached *= stride
                self.bottleneck(expansion, slim_channels(base_channels * depth_multiplier), stride)

    def bottleneck(self, expansion: int, channels: int, stride: int) -> None:
        residual = stride == 1 and channels == self.channels
        if expansion > 1:
            self.convolve(expansion * self.channels)
        self.depthwise(stride)
        self.convolve(channels)
        if residual:
            self._append("ADD", 2 * self.elements)

    def pool(self) -> None:
        before, window, self.size = self.elements, self.size, 1
        self._append("AVERAGE_POOL_2D", before, kernel=window)

    def resize(self, size: int) -> None:
        before = self.elements
        self.size = size
        self._append("RESIZE_BILINEAR", before)

    def concatenate(self, channels: int) -> None:
        self.channels += channels
        self._append("CONCATENATION", self.elements)

    def classify(self) -> list[Operator]:
        self.pool()
        self.convolve(CLASSES)
        self._append("RESHAPE", self.elements)
        self._append("SOFTMAX", self.elements)
        return self.operators

    def classify_pixels(self) -> None:
        before = self.elements
        self.channels = 1
        self._append("ARG_MAX", before, element_bytes=INT64_BYTES)
        self._append("RESHAPE", self.elements * INT64_BYTES, element_bytes=INT64_BYTES)

    def _append(
        self,
        kind: str,
        bytes_in: int,
        *,
        kernel: int = 1,
        macs: int = 0,
        element_bytes: int = 1,
    ) -> None:
        self.operators.append(
            Operator(
                kind=kind,
                kernel=(kernel, kernel),
                macs=macs,
                bytes_in=bytes_in,
                bytes_out=self.elements * element_bytes,
                elements_out=self.elements,
            )
        )
