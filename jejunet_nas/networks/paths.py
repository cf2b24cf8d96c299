"""The computation of a network's three graphs, written against `Layers`.

    key(image)                -> logits, context      the whole network, on a keyframe
    propagate(image, context) -> logits               detail of this frame, context of a keyframe
    gate(now, keyframe)       -> score                predicted change since the keyframe, in (0, 1)

key and propagate share the decoder and the detail branch by the names of their layers, so that
propagate with the frame's own context equals key.

Images are [batch, height, width, 3] in [-1, 1]; logits are
[batch, height / logit_stride, width / logit_stride, classes].
"""

from jejunet_nas.networks.layers import Conv, Layers, Tensor, separable
from jejunet_nas.networks.mobilenet_v2 import END, EXPANSION_AT_STRIDE, backbone, narrowed
from jejunet_nas.space.architecture import FIRST_BLOCK_AT_STRIDE_32, PRUNED_BLOCKS, Network

NARROW_DEPTH_MULTIPLIER = 0.35  # of the narrow detail branch, a second MobileNetV2
NARROW_PREFIX = "detail_"
THIN_CHANNELS = (16, 24, 32)  # of the strided convolutions of the thin detail branch
# Input pixels per class map pixel, with a decoder. Outside the graph the map is enlarged to the
# frame by nearest neighbour.
CLASS_MAP_STRIDE = 2


def key_path(
    layers: Layers[Tensor], image: Tensor, network: Network, classes: int
) -> tuple[Tensor, Tensor]:
    """Return the logits and the context of a keyframe."""
    context, detail = context_path(layers, image, network)
    if network.propagates and detail is None:
        detail = detail_path(layers, image, network)
    return decoder(layers, context, detail, network, classes), context


def propagate_path(
    layers: Layers[Tensor], image: Tensor, context: Tensor, network: Network, classes: int
) -> Tensor:
    """Return the logits of a frame, decoded with the context of a keyframe."""
    detail = detail_path(layers, image, network) if network.propagates else None
    return decoder(layers, context, detail, network, classes)


def context_path(
    layers: Layers[Tensor], image: Tensor, network: Network
) -> tuple[Tensor, Tensor | None]:
    """Return the context, and the detail where the backbone computes it on the way (`shared`)."""
    tap, taps = min(network.last_block + 1, END), _shared_taps(network)
    features = _features(layers, image, network, {tap, *taps})
    (detail,) = (features[shared] for shared in taps) if taps else (None,)
    return _context_head(layers, features[tap], network), detail


def gate_path(layers: Layers[Tensor], now: Tensor, keyframe: Tensor) -> Tensor:
    """Return the gate's score, [batch, 1, 1, 1] in (0, 1), of two thumbnails in [-1, 1]."""
    x = layers.concatenate("gate_join", now, keyframe)
    x = layers.conv(x, Conv("gate_1", 24, kernel=3, stride=2))
    x = separable(layers, x, "gate_2", 32, stride=2)
    x = separable(layers, x, "gate_3", 48, stride=2)
    x = layers.mean(x, "gate_mean")
    x = layers.conv(x, Conv("gate_logit", 1, batch_norm=False, relu6=False))
    return layers.sigmoid(x, "gate_score")


def context_channels(network: Network) -> int:
    """Return the channels of the context; the decoder's 3x3 convolutions have the same."""
    return narrowed(network.decoder_channels, network.pruning)


def context_stride(network: Network) -> int:
    """Return the input pixels per context pixel."""
    # The tap after block 12 is the expansion of block 13, which comes before its stride.
    deep = network.last_block >= FIRST_BLOCK_AT_STRIDE_32
    return network.output_stride if deep else 16


def class_map_factor(network: Network) -> int:
    """Return the factor by which the graph upsamples its logits before the argmax.

    Without a decoder it upsamples to the input size, as the published mobile DeepLabv3 does.
    """
    return network.logit_stride // (CLASS_MAP_STRIDE if network.propagates else 1)


def _shared_taps(network: Network) -> set[int]:
    return {EXPANSION_AT_STRIDE[network.logit_stride]} if network.detail == "shared" else set()


def _features(
    layers: Layers[Tensor], image: Tensor, network: Network, taps: set[int]
) -> dict[int, Tensor]:
    return backbone(
        layers,
        image,
        depth_multiplier=network.depth_multiplier,
        taps=taps,
        output_stride=network.output_stride,
        pruning=network.pruning,
        pruned_from=network.last_block - PRUNED_BLOCKS + 1,
    )


def _context_head(layers: Layers[Tensor], features: Tensor, network: Network) -> Tensor:
    """Apply a light ASPP (DeepLabv3, section 3.3): a 1x1 branch plus image pooling.

    The branches are added, which costs less than DeepLabv3's resize, concatenation and convolution.
    Image pooling has a bias, because one pixel per image is too few for batch norm.
    """
    channels = context_channels(network)
    pooled = layers.mean(features, "context_mean")
    pooled = layers.conv(pooled, Conv("context_pooled", channels, batch_norm=False, relu6=False))
    local = layers.conv(features, Conv("context_local", channels, relu6=False))
    return layers.add("context", local, pooled, relu6=True)


def detail_path(layers: Layers[Tensor], image: Tensor, network: Network) -> Tensor:
    """Return the detail at `logit_stride`: of the backbone's first blocks, or of a branch."""
    tap = EXPANSION_AT_STRIDE[network.logit_stride]
    if network.detail == "shared":
        return _features(layers, image, network, {tap})[tap]
    if network.detail == "narrow":
        multiplier = NARROW_DEPTH_MULTIPLIER
        return backbone(
            layers, image, depth_multiplier=multiplier, taps={tap}, prefix=NARROW_PREFIX
        )[tap]
    first, *others = THIN_CHANNELS[: network.logit_stride.bit_length() - 1]
    x = layers.conv(image, Conv("thin_1", first, kernel=3, stride=2))
    for number, channels in enumerate(others, start=2):
        x = separable(layers, x, f"thin_{number}", channels, stride=2)
    return x


def decoder(
    layers: Layers[Tensor],
    context: Tensor,
    detail: Tensor | None,
    network: Network,
    classes: int,
) -> Tensor:
    """Return the logits: DeepLabv3+'s decoder (Chen et al., 2018), depthwise separable.

    detail: None for a network without a decoder.
    """
    if detail is None:
        return _classify(layers, context, classes)
    channels = context_channels(network)
    factor = context_stride(network) // network.logit_stride
    context = layers.upsample(context, "decoder_upsample", factor)
    narrow = narrowed(network.decoder_channels // 2, network.pruning)
    detail = layers.conv(detail, Conv("decoder_detail", narrow))
    x = layers.concatenate("decoder_join", context, detail)
    x = separable(layers, x, "decoder_1", channels)
    x = separable(layers, x, "decoder_2", channels)
    return _classify(layers, x, classes)


def _classify(layers: Layers[Tensor], x: Tensor, classes: int) -> Tensor:
    return layers.conv(x, Conv("logits", classes, batch_norm=False, relu6=False))
