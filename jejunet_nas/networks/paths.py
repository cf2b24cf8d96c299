"""The wiring of a network: what the key, the propagate and the gate graph compute.

    key(image)                -> logits, context      the whole network, on a keyframe
    propagate(image, context) -> logits               detail of this frame, context of a keyframe
    gate(now, keyframe)       -> score                how far the keyframe's mask is out of date

key and propagate run the same decoder over the same kind of detail, layer by layer by name, so
that propagating with the frame's own context is what the key path does.

Images are [batch, height, width, 3] in [-1, 1]; logits are
[batch, height / logit_stride, width / logit_stride, classes].
"""

from jejunet_nas.networks.layers import Layers, Tensor, separable
from jejunet_nas.networks.mobilenet_v2 import END, EXPANSION_AT_STRIDE, backbone, narrowed
from jejunet_nas.space.architecture import FIRST_BLOCK_AT_STRIDE_32, PRUNED_BLOCKS, Network

NARROW_DEPTH_MULTIPLIER = 0.35  # of the detail branch that is a MobileNetV2 of its own
NARROW_PREFIX = "detail_"
THIN_CHANNELS = (16, 24, 32)  # of the strided convolutions of the thin detail branch


def key_path(
    layers: Layers[Tensor], image: Tensor, network: Network, classes: int
) -> tuple[Tensor, Tensor]:
    """Return logits and context of a keyframe."""
    taps = {_context_tap(network), *_shared_taps(network)}
    features = backbone(
        layers,
        image,
        depth_multiplier=network.depth_multiplier,
        taps=taps,
        output_stride=network.output_stride,
        pruning=network.pruning,
        pruned_from=_pruned_from(network),
    )
    context = _context_head(layers, features[_context_tap(network)], network)
    if not network.propagates:
        return _classify(layers, context, classes), context
    if network.detail == "shared":
        detail = features[EXPANSION_AT_STRIDE[network.logit_stride]]
    else:
        detail = _own_detail(layers, image, network)
    return _decoder(layers, context, detail, network, classes), context


def propagate_path(
    layers: Layers[Tensor], image: Tensor, context: Tensor, network: Network, classes: int
) -> Tensor:
    """Return the logits of a frame whose context is a keyframe's."""
    if not network.propagates:
        return _classify(layers, context, classes)
    if network.detail == "shared":
        (tap,) = _shared_taps(network)
        detail = backbone(
            layers,
            image,
            depth_multiplier=network.depth_multiplier,
            taps={tap},
            pruning=network.pruning,
            pruned_from=_pruned_from(network),
        )[tap]
    else:
        detail = _own_detail(layers, image, network)
    return _decoder(layers, context, detail, network, classes)


def gate_path(layers: Layers[Tensor], now: Tensor, keyframe: Tensor) -> Tensor:
    """Return the score in (0, 1), shape [batch, 1, 1, 1], of two thumbnails in [-1, 1]."""
    x = layers.concatenate("gate_join", now, keyframe)
    x = layers.conv(x, "gate_1", 24, kernel=3, stride=2)
    x = separable(layers, x, "gate_2", 32, stride=2)
    x = separable(layers, x, "gate_3", 48, stride=2)
    x = layers.mean(x, "gate_mean")
    x = layers.conv(x, "gate_logit", 1, batch_norm=False, relu6=False)
    return layers.sigmoid(x, "gate_score")


def context_channels(network: Network) -> int:
    """Return the channels of the context, and of all convolutions of the decoder but one."""
    return narrowed(network.decoder_channels, network.pruning)


def context_stride(network: Network) -> int:
    """Return the input pixels per context pixel."""
    # The tap after block 12 is the expansion of block 13, still in front of its stride.
    deep = network.last_block >= FIRST_BLOCK_AT_STRIDE_32
    return network.output_stride if deep else 16


def _pruned_from(network: Network) -> int:
    return network.last_block - PRUNED_BLOCKS + 1


def _context_tap(network: Network) -> int:
    return min(network.last_block + 1, END)


def _shared_taps(network: Network) -> tuple[int, ...]:
    return (EXPANSION_AT_STRIDE[network.logit_stride],) if network.detail == "shared" else ()


def _context_head(layers: Layers[Tensor], features: Tensor, network: Network) -> Tensor:
    """Apply a light ASPP: a 1x1 branch and image pooling, added instead of concatenated.

    The sum costs one broadcast addition where DeepLabv3's way is a resize, a concatenation and a
    further convolution. Image pooling takes a bias: one pixel a picture is too few for batch norm.
    """
    channels = context_channels(network)
    pooled = layers.conv(
        layers.mean(features, "context_mean"),
        "context_pooled",
        channels,
        batch_norm=False,
        relu6=False,
    )
    local = layers.conv(features, "context_local", channels, relu6=False)
    return layers.add("context", local, pooled, relu6=True)


def _own_detail(layers: Layers[Tensor], image: Tensor, network: Network) -> Tensor:
    if network.detail == "narrow":
        tap = EXPANSION_AT_STRIDE[network.logit_stride]
        return backbone(
            layers,
            image,
            depth_multiplier=NARROW_DEPTH_MULTIPLIER,
            taps={tap},
            prefix=NARROW_PREFIX,
        )[tap]
    first, *others = THIN_CHANNELS[: network.logit_stride.bit_length() - 1]
    x = layers.conv(image, "thin_1", first, kernel=3, stride=2)
    for number, channels in enumerate(others, start=2):
        x = separable(layers, x, f"thin_{number}", channels, stride=2)
    return x


def _decoder(
    layers: Layers[Tensor], context: Tensor, detail: Tensor, network: Network, classes: int
) -> Tensor:
    """DeepLabv3+'s decoder, its 3x3 convolutions depthwise separable as on mobile."""
    channels = context_channels(network)
    factor = context_stride(network) // network.logit_stride
    context = layers.upsample(context, "decoder_upsample", factor)
    detail = layers.conv(
        detail, "decoder_detail", narrowed(network.decoder_channels // 2, network.pruning)
    )
    x = layers.concatenate("decoder_join", context, detail)
    x = separable(layers, x, "decoder_1", channels)
    x = separable(layers, x, "decoder_2", channels)
    return _classify(layers, x, classes)


def _classify(layers: Layers[Tensor], x: Tensor, classes: int) -> Tensor:
    return layers.conv(x, "logits", classes, batch_norm=False, relu6=False)
