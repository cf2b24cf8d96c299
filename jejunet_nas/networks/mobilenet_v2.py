"""MobileNetV2 (Sandler et al., 2018, table 2) as a backbone of any width, cut after any block.

Layers have Keras' names (`Conv1`, `expanded_conv_*`, `block_N_*`), so that published weights can be
loaded by name. Features are taken from a block's expansion, the 1x1 convolution that multiplies its
channels by six: its weights are pretrained, and it is cheap compared with the whole block.
"""

import dataclasses
from collections.abc import Collection

from jejunet_nas.networks.layers import Conv, Layers, Tensor

# Of each stage: expansion, channels, blocks, stride of the first block.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
END = sum(blocks for _, _, blocks, _ in STAGES)  # as a tap: the output of the last block
EXPANSION_AT_STRIDE = {4: 3, 8: 6}  # the block with the widest expansion at that stride


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One inverted residual: expansion, depthwise convolution, projection.

    stride: as published; with output stride 16 the last stride becomes a dilation.
    """

    index: int
    channels_in: int
    channels_expanded: int
    channels_out: int
    stride: int

    @property
    def name(self) -> str:
        """The prefix of the names of the block's layers."""
        return f"block_{self.index}" if self.index else "expanded_conv"

    @property
    def expands(self) -> bool:
        """Whether the block has an expansion; only block 0 has none."""
        return self.channels_expanded != self.channels_in

    @property
    def residual(self) -> bool:
        """Whether the block's input is added to its output."""
        return self.stride == 1 and self.channels_in == self.channels_out


def scaled_channels(channels: int, depth_multiplier: float) -> int:
    """Return `channels` times `depth_multiplier`, a multiple of 8 and at most 10 % less."""
    wanted = channels * depth_multiplier
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def narrowed(channels: int, share: float) -> int:
    """Return the channels that are left when a `share` in [0, 1] of `channels` is removed.

    The result is a multiple of 8 and at least 8, unless `channels` is less.
    """
    left = max(8, int(channels * (1 - share) / 8 + 0.5) * 8)
    return channels if share == 0 else min(channels, left)


def stem_channels(depth_multiplier: float) -> int:
    """Return the output channels of the first convolution."""
    return scaled_channels(32, depth_multiplier)


def blocks(depth_multiplier: float) -> tuple[Block, ...]:
    """Return the 17 blocks at `depth_multiplier`."""
    made: list[Block] = []
    channels_in = stem_channels(depth_multiplier)
    for expansion, channels, count, stride in STAGES:
        channels_out = scaled_channels(channels, depth_multiplier)
        for position in range(count):
            made.append(
                Block(
                    index=len(made),
                    channels_in=channels_in,
                    channels_expanded=expansion * channels_in,
                    channels_out=channels_out,
                    stride=stride if position == 0 else 1,
                )
            )
            channels_in = channels_out
    return tuple(made)


def backbone(
    layers: Layers[Tensor],
    image: Tensor,
    *,
    depth_multiplier: float,
    taps: Collection[int],
    output_stride: int = 32,
    prefix: str = "",
    pruning: float = 0.0,
    pruned_from: int = END,
) -> dict[int, Tensor]:
    """Return the expansion of each block in `taps`; later blocks are not built.

    image: [batch, height, width, 3] in [-1, 1]. The tap `END` is the output of the last block.
    pruning: the share of channels removed from the expansions from block `pruned_from` on.
    """
    tapped: dict[int, Tensor] = {}
    stem = Conv(f"{prefix}Conv1", stem_channels(depth_multiplier), kernel=3, stride=2)
    x = layers.conv(image, stem)
    stride, dilation = 2, 1
    for block in blocks(depth_multiplier):
        name = prefix + block.name
        expanded = x
        if block.expands:
            share = pruning if block.index >= pruned_from else 0.0
            channels = narrowed(block.channels_expanded, share)
            expanded = layers.conv(x, Conv(f"{name}_expand", channels))
        if block.index in taps:
            tapped[block.index] = expanded
            if len(tapped) == len(taps):
                return tapped
        # Beyond the output stride, a stride becomes a dilation of the following blocks.
        step = block.stride if stride * block.stride <= output_stride else 1
        y = layers.depthwise(expanded, f"{name}_depthwise", stride=step, dilation=dilation)
        dilation *= block.stride // step
        stride *= step
        y = layers.conv(y, Conv(f"{name}_project", block.channels_out, relu6=False))
        x = layers.add(f"{name}_add", x, y) if block.residual else y
    return tapped | {END: x}
