"""A pretrained backbone as networks inherit it: weights with batch norm, and channel statistics.

Weights with batch norm are used as they are. Folded weights get a batch norm to train with:
`measure_source` runs the backbone over frames, and the mean and standard deviation of each channel
become its shift and scale.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tf_keras

from jejunet_nas.documents.arrays import read_arrays, require_finite
from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_whole
from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON, KerasLayers
from jejunet_nas.networks.mobilenet_v2 import END, backbone
from jejunet_nas.training.weights_file import LAYER_NAMES, Array, Norm, Weights, layer_shapes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceLayer:
    """One convolution with its batch norm.

    deviation: the standard deviation of each channel after the batch norm.
    """

    kernel: Array
    norm: Norm
    deviation: Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A backbone to inherit from, its layers by name in forward order."""

    depth_multiplier: float
    layers: Mapping[str, SourceLayer]

    def is_as_wide_as(self, depth_multiplier: float) -> bool:
        """Whether a backbone of that width has the same layer shapes."""
        return layer_shapes(self.depth_multiplier) == layer_shapes(depth_multiplier)


def source_of(weights: Weights) -> Source:
    """Return weights with batch norm as a source; their own statistics give the deviations."""
    made = {}
    for name, layer in weights.layers.items():
        norm = layer.norm
        assert norm is not None, f"{name} is folded: use measure_source"
        spread = np.sqrt(norm.variance / (norm.variance + BATCH_NORM_EPSILON))
        made[name] = SourceLayer(
            kernel=layer.kernel,
            norm=norm._replace(mean=norm.mean - layer.bias),
            deviation=np.abs(norm.gamma) * spread,
        )
    return Source(depth_multiplier=weights.depth_multiplier, layers=made)


def measure_source(weights: Weights, frames: npt.NDArray[np.uint8]) -> Source:
    """Return folded weights as a source, with statistics over `frames` (uint8 [n, h, w, 3])."""
    layers, image = KerasLayers(), tf_keras.Input(frames.shape[1:])
    backbone(layers, image, depth_multiplier=weights.depth_multiplier, taps={END})
    folded = {name: layer.folded() for name, layer in weights.layers.items()}
    for name, (kernel, bias) in folded.items():
        ones, zeros = np.ones_like(bias), np.zeros_like(bias)
        layers.by_name[name].set_weights([kernel])
        # This batch norm adds the bias and does nothing else.
        layers.by_name[f"{name}_BN"].set_weights([ones, bias, zeros, ones - BATCH_NORM_EPSILON])
    outputs = [layers.by_name[f"{name}_BN"].output for name in folded]
    values = tf_keras.Model(image, outputs)(frames.astype(np.float32) / 127.5 - 1, training=False)
    return Source(
        depth_multiplier=weights.depth_multiplier,
        layers={
            name: _measured(kernel, bias, value.numpy())
            for (name, (kernel, bias)), value in zip(folded.items(), values, strict=True)
        },
    )


def _measured(kernel: Array, bias: Array, value: Array) -> SourceLayer:
    mean, deviation = np.mean(value, axis=(0, 1, 2)), np.std(value, axis=(0, 1, 2))
    variance = np.maximum(deviation**2 - BATCH_NORM_EPSILON, 0)
    return SourceLayer(
        kernel=kernel,
        norm=Norm(np.sqrt(variance + BATCH_NORM_EPSILON), mean, mean - bias, variance),
        deviation=deviation,
    )


def save_source(source: Source, file: Path) -> None:
    """Write `source` as an `.npz` that `load_source` reads."""
    arrays = {
        f"{name}/{part}": array
        for name, layer in source.layers.items()
        for part, array in {"kernel": layer.kernel, **layer.norm._asdict()}.items()
    }
    arrays |= {f"{name}/deviation": layer.deviation for name, layer in source.layers.items()}
    width = np.float64(source.depth_multiplier)
    write_whole(file, lambda beside: np.savez(beside, depth_multiplier=width, **arrays))


def load_source(file: Path) -> Source:
    """Return the source that `save_source` wrote. Raises ValueError if it is damaged."""
    stored = read_arrays(file)
    require_finite(stored)
    try:
        width = float(stored["depth_multiplier"])
        layers = {
            name: SourceLayer(
                kernel=stored[f"{name}/kernel"],
                norm=Norm(*(stored[f"{name}/{part}"] for part in Norm._fields)),
                deviation=stored[f"{name}/deviation"],
            )
            for name in LAYER_NAMES
        }
        whole = {name: layer.kernel.shape for name, layer in layers.items()} == layer_shapes(width)
    except (KeyError, TypeError, SettingError) as reason:
        raise ValueError(f"it is not a source ({reason})") from None
    if not whole:
        raise ValueError(f"its layers are not those of MobileNetV2 {width}")
    return Source(depth_multiplier=width, layers=layers)


def source_for(sources: Sequence[Source], depth_multiplier: float) -> Source:
    """Return the narrowest source that is wide enough, so that the fewest channels are cut.

    Raises `SettingError` if none is wide enough.
    """
    widest = max(source.depth_multiplier for source in sources)
    wide_enough = [s for s in sources if s.depth_multiplier >= depth_multiplier]
    if not wide_enough:
        raise SettingError(
            f"depth_multiplier is {depth_multiplier} with init weights of {widest}; allowed: at "
            f"most {widest}. Use a narrower network, wider weights, or init: scratch."
        )
    return min(wide_enough, key=lambda source: source.depth_multiplier)
