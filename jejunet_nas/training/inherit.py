"""Backbone weights for a network of any width, cut from a source that is as wide or wider.

Folded weights have no batch norm to train with, so it is recovered: `measure_source` runs the
source over pictures and notes each layer's mean and deviation per channel, which become the batch
norm's shift and scale. Weights with batch norm are taken as they are. Narrower networks keep the
channels that matter most: those that vary most, weighed by how strongly the next layers read them;
channels that a residual connection adds are cut alike.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_whole
from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON, KerasLayers
from jejunet_nas.networks.mobilenet_v2 import END, Block, backbone, blocks, stem_channels
from jejunet_nas.training.weights_file import LAYER_NAMES, Array, Weights, layer_shapes

Indices = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceLayer:
    """One convolution of the source with its batch norm, and how far each channel varies.

    deviation: the standard deviation of each channel behind the batch norm.
    """

    kernel: Array
    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    deviation: Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A backbone to inherit from: its width, and its layers in forward order."""

    depth_multiplier: float
    layers: Mapping[str, SourceLayer]

    def is_as_wide_as(self, depth_multiplier: float) -> bool:
        """Whether a network of that width gets each layer whole."""
        return layer_shapes(self.depth_multiplier) == layer_shapes(depth_multiplier)


def source_of(weights: Weights) -> Source:
    """Return weights with batch norm as a source: their own statistics say what varies."""
    made = {}
    for name, layer in weights.layers.items():
        norm = layer.norm
        assert norm is not None, f"{name} is folded: measure it"
        spread = np.sqrt(norm.variance / (norm.variance + BATCH_NORM_EPSILON))
        made[name] = SourceLayer(
            kernel=layer.kernel,
            gamma=norm.gamma,
            beta=norm.beta,
            mean=norm.mean - layer.bias,
            variance=norm.variance,
            deviation=np.abs(norm.gamma) * spread,
        )
    return Source(depth_multiplier=weights.depth_multiplier, layers=made)


def measure_source(weights: Weights, frames: npt.NDArray[np.uint8]) -> Source:
    """Return folded weights with their statistics over `frames` (uint8 [n, h, w, 3])."""
    layers = KerasLayers()
    image = tf_keras.Input(frames.shape[1:])
    backbone(layers, image, depth_multiplier=weights.depth_multiplier, taps={END})
    outputs = []
    for name, layer in weights.layers.items():
        norm = layers.by_name[f"{name}_BN"]
        layers.by_name[name].set_weights([layer.kernel])
        norm.set_weights(_as_norm(layer.bias) if layer.norm is None else _own_norm(weights, name))
        outputs.append(norm.output)
    pixels = frames.astype(np.float32) / 127.5 - 1.0
    values = tf_keras.Model(image, outputs)(pixels, training=False)
    return Source(
        depth_multiplier=weights.depth_multiplier,
        layers={
            name: _measured(weights, name, value.numpy())
            for name, value in zip(weights.layers, values, strict=True)
        },
    )


def _as_norm(bias: Array) -> list[Array]:
    """Return a batch norm that adds `bias` and does nothing else."""
    ones, zeros = np.ones_like(bias), np.zeros_like(bias)
    return [ones, bias, zeros, ones - BATCH_NORM_EPSILON]


def _own_norm(weights: Weights, name: str) -> list[Array]:
    layer = weights.layers[name]
    assert layer.norm is not None
    norm = layer.norm
    return [norm.gamma, norm.beta, norm.mean - layer.bias, norm.variance]


def _measured(weights: Weights, name: str, value: Array) -> SourceLayer:
    layer = weights.layers[name]
    mean, deviation = np.mean(value, axis=(0, 1, 2)), np.std(value, axis=(0, 1, 2))
    if layer.norm is not None:
        gamma, beta, before, variance = _own_norm(weights, name)
    else:
        variance = np.maximum(deviation**2 - BATCH_NORM_EPSILON, 0)
        gamma, beta = np.sqrt(variance + BATCH_NORM_EPSILON), mean
        before = mean - layer.bias
    return SourceLayer(
        kernel=layer.kernel,
        gamma=gamma,
        beta=beta,
        mean=before,
        variance=variance,
        deviation=deviation,
    )


def save_source(source: Source, file: Path) -> None:
    """Write `source` as an `.npz` that `load_source` reads."""
    arrays: dict[str, Any] = {
        f"{name}/{field.name}": getattr(layer, field.name)
        for name, layer in source.layers.items()
        for field in dataclasses.fields(layer)
    }
    width = np.float64(source.depth_multiplier)
    write_whole(file, lambda beside: np.savez(beside, depth_multiplier=width, **arrays))


def load_source(file: Path) -> Source:
    """Return what `save_source` wrote."""
    with np.load(file) as stored:
        return Source(
            depth_multiplier=float(stored["depth_multiplier"]),
            layers={
                name: SourceLayer(
                    **{f.name: stored[f"{name}/{f.name}"] for f in dataclasses.fields(SourceLayer)}
                )
                for name in LAYER_NAMES
            },
        )


def source_for(sources: Sequence[Source], depth_multiplier: float) -> Source:
    """Return the narrowest source that is no narrower. Raises `SettingError` where there is none.

    The less is cut, the more of what the source has learnt is left.
    """
    widest = max(source.depth_multiplier for source in sources)
    wide_enough = [s for s in sources if s.depth_multiplier >= depth_multiplier]
    if not wide_enough:
        raise SettingError(
            f"depth_multiplier is {depth_multiplier} with init weights of {widest}; allowed: at "
            f"most {widest}. Use a narrower network, wider weights, or init: scratch."
        )
    return min(wide_enough, key=lambda source: source.depth_multiplier)


def inherit(
    layers: Mapping[str, Any], source: Source, depth_multiplier: float, *, prefix: str = ""
) -> set[str]:
    """Set the backbone among `layers` from `source`, cut to `depth_multiplier`.

    Returns the names of the layers that got weights, batch norms included. Raises `SettingError`
    where the backbone is wider than the source.
    """
    source_for([source], depth_multiplier)
    inherited: set[str] = set()
    for name, (inputs, outputs) in kept_channels(source, depth_multiplier).items():
        layer, norm = layers.get(prefix + name), layers.get(f"{prefix}{name}_BN")
        if layer is None or norm is None:
            continue  # the network is cut before this layer
        part = source.layers[name]
        layer.set_weights([part.kernel[:, :, inputs][..., outputs]])
        kept = inputs if name.endswith("depthwise") else outputs
        norm.set_weights([part.gamma[kept], part.beta[kept], part.mean[kept], part.variance[kept]])
        inherited |= {layer.name, norm.name}
    return inherited


def kept_channels(source: Source, depth_multiplier: float) -> dict[str, tuple[Indices, Indices]]:
    """Return each layer's input and output channels to keep, as indices into the source's."""
    wide, narrow = blocks(source.depth_multiplier), blocks(depth_multiplier)
    layers = source.layers
    stream = _strongest(_inner_importance(layers, wide[0]), stem_channels(depth_multiplier))
    kept = {"Conv1": (np.arange(3), stream)}
    for stage in _stages(wide):
        out = _strongest(
            _stream_importance(layers, wide, stage), narrow[stage[0].index].channels_out
        )
        for block in stage:
            inner = stream
            if block.expands:
                inner = _strongest(
                    _inner_importance(layers, block), narrow[block.index].channels_expanded
                )
                kept[f"{block.name}_expand"] = (stream, inner)
            kept[f"{block.name}_depthwise"] = (inner, np.arange(1))
            kept[f"{block.name}_project"] = (inner, out)
            stream = out
    return kept


def _stages(wide: tuple[Block, ...]) -> list[list[Block]]:
    """Return runs of blocks whose outputs are added to each other and so must be cut alike.

    They are those of MobileNetV2 1.0. Where little widths round to the same number of channels, a
    network adds more, which are cut as if it did not.
    """
    stages: list[list[Block]] = []
    for block, published in zip(wide, blocks(1.0), strict=True):
        if published.residual:
            stages[-1].append(block)
        else:
            stages.append([block])
    return stages


def _inner_importance(layers: Mapping[str, SourceLayer], block: Block) -> Array:
    """Return the importance of the channels that the block's depthwise layer runs on."""
    read = _reading(layers[f"{block.name}_project"].kernel)
    return layers[f"{block.name}_depthwise"].deviation * read


def _stream_importance(
    layers: Mapping[str, SourceLayer], wide: tuple[Block, ...], stage: list[Block]
) -> Array:
    varies = sum(layers[f"{block.name}_project"].deviation for block in stage)
    followers = wide[stage[0].index + 1 : stage[-1].index + 2]
    if not followers:  # the last block: nothing of the backbone reads it
        return np.asarray(varies, np.float32)
    read = sum(_reading(layers[f"{block.name}_expand"].kernel) for block in followers)
    return np.asarray(varies * read, np.float32)


def _reading(kernel: Array) -> Array:
    """Return how strongly a 1x1 convolution reads each of its inputs."""
    return np.asarray(np.sqrt(np.sum(kernel**2, axis=(0, 1, 3))), np.float32)


def _strongest(importance: Array, count: int) -> Indices:
    """Return the indices of the `count` largest, in their own order."""
    return np.sort(np.argsort(-importance, kind="stable")[:count])
