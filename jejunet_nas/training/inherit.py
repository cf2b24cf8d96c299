"""Initialises a backbone from a source that is as wide or wider, by keeping whole channels.

A narrower network keeps the channels with the largest importance: the standard deviation of the
channel times the norm of the weights with which the next layers read it. Channels that a residual
connection adds are cut together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.networks.mobilenet_v2 import Block, blocks, stem_channels
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX
from jejunet_nas.training.source import Source, SourceLayer, source_for
from jejunet_nas.training.weights_file import Array

Indices = npt.NDArray[np.int64]


def inherit(
    layers: Mapping[str, Any], source: Source, depth_multiplier: float, *, prefix: str = ""
) -> set[str]:
    """Set the weights of the backbone among the Keras `layers` from `source`.

    source: at least as wide as the backbone (`source_for`). Returns the names of the layers that
    got weights, batch norms included.
    """
    inherited: set[str] = set()
    for name, (inputs, outputs) in kept_channels(source, depth_multiplier).items():
        layer, norm = layers.get(prefix + name), layers.get(f"{prefix}{name}_BN")
        if layer is None or norm is None:
            continue  # the network is cut before this layer
        part = source.layers[name]
        layer.set_weights([part.kernel[:, :, inputs][..., outputs]])
        kept = inputs if name.endswith("depthwise") else outputs
        norm.set_weights([values[kept] for values in part.norm])
        inherited |= {layer.name, norm.name}
    return inherited


def inherit_backbones(keras: KerasNetwork, sources: Sequence[Source] | None) -> set[str]:
    """Initialise the backbones from `sources`; return the layers that got all their weights."""
    if sources is None:
        return set()
    backbones = {"": keras.network.depth_multiplier}
    if keras.network.detail == "narrow":
        backbones[NARROW_PREFIX] = NARROW_DEPTH_MULTIPLIER
    whole: set[str] = set()
    for prefix, depth_multiplier in backbones.items():
        wide = source_for(sources, depth_multiplier)
        names = inherit(keras.layers, wide, depth_multiplier, prefix=prefix)
        if wide.is_as_wide_as(depth_multiplier):
            whole |= names
    return whole


def kept_channels(source: Source, depth_multiplier: float) -> dict[str, tuple[Indices, Indices]]:
    """Return the input and output channels of `source` that each layer keeps, as indices."""
    wide, narrow = blocks(source.depth_multiplier), blocks(depth_multiplier)
    layers = source.layers
    stream = largest(_inner_importance(layers, wide[0]), stem_channels(depth_multiplier))
    kept = {"Conv1": (np.arange(3), stream)}
    for stage in _stages(wide):
        out = largest(_stream_importance(layers, wide, stage), narrow[stage[0].index].channels_out)
        for block in stage:
            inner = stream
            if block.expands:
                inner = largest(
                    _inner_importance(layers, block), narrow[block.index].channels_expanded
                )
                kept[f"{block.name}_expand"] = (stream, inner)
            kept[f"{block.name}_depthwise"] = (inner, np.arange(1))
            kept[f"{block.name}_project"] = (inner, out)
            stream = out
    return kept


def _stages(wide: tuple[Block, ...]) -> list[list[Block]]:
    """Return runs of blocks whose outputs are added, as in MobileNetV2 1.0.

    In narrow networks, more blocks have equal channels and are residual; they are cut separately.
    """
    stages: list[list[Block]] = []
    for block, published in zip(wide, blocks(1.0), strict=True):
        if published.residual:
            stages[-1].append(block)
        else:
            stages.append([block])
    return stages


def _inner_importance(layers: Mapping[str, SourceLayer], block: Block) -> Array:
    read = _read_norm(layers[f"{block.name}_project"].kernel)
    return layers[f"{block.name}_depthwise"].deviation * read


def _stream_importance(
    layers: Mapping[str, SourceLayer], wide: tuple[Block, ...], stage: list[Block]
) -> Array:
    deviation = sum(layers[f"{block.name}_project"].deviation for block in stage)
    readers = wide[stage[0].index + 1 : stage[-1].index + 2]
    if not readers:  # the last block of the backbone
        return np.asarray(deviation, np.float32)
    read = sum(_read_norm(layers[f"{block.name}_expand"].kernel) for block in readers)
    return np.asarray(deviation * read, np.float32)


def _read_norm(kernel: Array) -> Array:
    return np.asarray(np.sqrt(np.sum(kernel**2, axis=(0, 1, 3))), np.float32)


def largest(importance: Array, count: int) -> Indices:
    """Return the indices of the `count` largest values, in ascending order."""
    return np.sort(np.argsort(-importance, kind="stable")[:count])
