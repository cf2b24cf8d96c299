"""Reads MobileNetV2 weights of any width from a file, with batch norm or with it folded.

Four layouts, recognised by their content:

    .npz             LAYER/kernel, LAYER_BN/gamma, ...   by Keras' names: Conv1, block_1_expand, ...
    .npz, folded     NN_op/kernel, NN_op/bias            in forward order, as numbered
    .h5              written by Keras' save_weights or save, with or without the classifier; layers
                     are taken in the order of the file, whatever their names
    .h5, folded      the same; convolutions have biases and no batch norm

In an .npz a batch norm has gamma, beta, moving_mean, moving_variance, and epsilon unless it is
Keras' 1e-3; that of Conv1 may be named bn_Conv1. Kernels are [height, width, in, out], depthwise
ones [height, width, channels, 1].
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jejunet_nas.documents.arrays import read_arrays
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.networks.keras_layers import BATCH_NORM_EPSILON
from jejunet_nas.networks.mobilenet_v2 import blocks, stem_channels
from jejunet_nas.training.h5_file import is_h5, read_h5

Array = npt.NDArray[np.float32]
NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")  # in Keras' order
PUBLISHED_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)  # by Keras
LARGEST_WEIGHT = 1e9  # float32 sums of products of such weights stay finite
_WIDTHS = (1.0, *PUBLISHED_WIDTHS, *(n / 100 for n in range(140, 9, -1)))  # in order of preference


class Norm(NamedTuple):
    """The weights of a batch norm with epsilon `BATCH_NORM_EPSILON`, each [channels]."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution:
    """One convolution of a file; bias: zeros if the file has none; norm: None if it is folded."""

    kernel: Array
    bias: Array
    norm: Norm | None

    def folded(self) -> tuple[Array, Array]:
        """Return kernel and bias with the batch norm folded in."""
        if self.norm is None:
            return self.kernel, self.bias
        scale = self.norm.gamma / np.sqrt(self.norm.variance + BATCH_NORM_EPSILON)
        depthwise = self.kernel.shape[-1] == 1
        kernel = self.kernel * (scale[:, None] if depthwise else scale)
        return kernel, self.norm.beta + (self.bias - self.norm.mean) * scale


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """The backbone of a file: its convolutions by layer name, in forward order."""

    depth_multiplier: float
    layers: Mapping[str, Convolution]

    @property
    def folded(self) -> bool:
        """Whether a layer has no batch norm."""
        return any(layer.norm is None for layer in self.layers.values())


def read_weights(file: Path) -> Weights:
    """Return the weights in `file`. Raises `SettingError` if they are not a MobileNetV2's."""
    try:
        found = _read_h5(file) if is_h5(file) else _read_npz(file)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as reason:
        raise SettingError(
            f"init is {file}, which does not contain NN_op/kernel and NN_op/bias arrays, or layers "
            f"with Keras' names ({shortened(str(reason), 200)}). Export the weights again."
        ) from reason
    width = _width(file, [layer.kernel.shape for layer in found])
    layers = dict(zip(layer_shapes(width), found, strict=True))
    _check_values(file, layers)
    return Weights(depth_multiplier=width, layers=layers)


def layer_shapes(depth_multiplier: float) -> dict[str, tuple[int, ...]]:
    """Return the kernel shape of each layer of the backbone, in forward order."""
    shapes: dict[str, tuple[int, ...]] = {"Conv1": (3, 3, 3, stem_channels(depth_multiplier))}
    for block in blocks(depth_multiplier):
        if block.expands:
            shapes[f"{block.name}_expand"] = (1, 1, block.channels_in, block.channels_expanded)
        shapes[f"{block.name}_depthwise"] = (3, 3, block.channels_expanded, 1)
        shapes[f"{block.name}_project"] = (1, 1, block.channels_expanded, block.channels_out)
    return shapes


LAYER_NAMES = tuple(layer_shapes(1.0))


def _read_npz(file: Path) -> list[Convolution]:
    stored = read_arrays(file)
    keys = set(stored)
    if any(key.endswith("/gamma") for key in keys):
        return [_named(stored, keys, name) for name in LAYER_NAMES]
    names = sorted({key.split("/")[0] for key in keys})[: len(LAYER_NAMES)]
    return [_convolution(stored[f"{n}/kernel"], stored[f"{n}/bias"], None) for n in names]


def _named(stored: Any, keys: set[str], name: str) -> Convolution:
    kernel = f"{name}/depthwise_kernel" if f"{name}/depthwise_kernel" in keys else f"{name}/kernel"
    bias = stored[f"{name}/bias"] if f"{name}/bias" in keys else None
    norm_name = "bn_Conv1" if name == "Conv1" and "bn_Conv1/gamma" in keys else f"{name}_BN"
    epsilon = f"{norm_name}/epsilon"
    norm = _norm(
        [stored[f"{norm_name}/{part}"] for part in NORM_PARTS],
        float(stored[epsilon]) if epsilon in keys else BATCH_NORM_EPSILON,
    )
    return _convolution(stored[kernel], bias, norm)


def _read_h5(file: Path) -> list[Convolution]:
    found: list[Convolution] = []
    stored = read_h5(file)
    epsilons = _epsilons(stored.config)
    for name, arrays in stored.layers:
        dimensions = [array.ndim for array in arrays]
        if dimensions in ([4], [4, 1]):
            if len(found) == len(LAYER_NAMES):
                break  # the last convolution and the classifier are not used
            found.append(_convolution(arrays[0], arrays[1] if arrays[1:] else None, None))
        elif dimensions == [1] * len(NORM_PARTS) and found:
            norm = _norm(arrays, epsilons.get(name, BATCH_NORM_EPSILON))
            found[-1] = dataclasses.replace(found[-1], norm=norm)
        elif arrays:
            break
    return found


def _epsilons(config: Any) -> dict[str, float]:
    if config is None:
        return {}
    layers = config["config"]["layers"]
    settings = (layer["config"] for layer in layers if "epsilon" in layer["config"])
    return {setting["name"]: float(setting["epsilon"]) for setting in settings}


def _convolution(kernel: Any, bias: Any, norm: Norm | None) -> Convolution:
    kernel = np.asarray(kernel, np.float32)
    if bias is None:
        bias = np.zeros(kernel.shape[2] if kernel.shape[-1] == 1 else kernel.shape[-1])
    return Convolution(kernel=kernel, bias=np.asarray(bias, np.float32), norm=norm)


def _norm(parts: Sequence[Any], epsilon: float) -> Norm:
    gamma, beta, mean, variance = (np.asarray(part, np.float32) for part in parts)
    if epsilon != BATCH_NORM_EPSILON:  # gamma is rescaled, so that the function stays the same
        gamma = gamma * np.sqrt((variance + BATCH_NORM_EPSILON) / (variance + epsilon))
    return Norm(gamma, beta, mean, variance)


def _width(file: Path, shapes: list[tuple[int, ...]]) -> float:
    """Return the depth multiplier whose layers have `shapes`. Raises `SettingError`."""

    def agreeing(width: float) -> int:
        pairs = zip(shapes, layer_shapes(width).values(), strict=False)
        return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))

    width = max(_WIDTHS, key=agreeing)  # the first of several that round to the same channels
    expected = list(layer_shapes(width).values())
    if shapes == expected:
        return width
    bad = agreeing(width)
    found = shapes[bad] if bad < len(shapes) else "missing"
    raise SettingError(
        f"init is {file}: layer {bad} ({LAYER_NAMES[bad]}) is {found}; allowed: {expected[bad]}, "
        f"as in MobileNetV2 {width}. Give the weights of a MobileNetV2."
    )


def _check_values(file: Path, layers: Mapping[str, Convolution]) -> None:
    for name, layer in layers.items():
        channels = layer.kernel.shape[2 if name.endswith("depthwise") else 3]
        parts = {"kernel": layer.kernel, "bias": layer.bias}
        parts |= layer.norm._asdict() if layer.norm else {}
        for part, values in parts.items():
            if part != "kernel" and values.shape != (channels,):
                raise SettingError(
                    f"init is {file}: {part} of {name} has the shape {values.shape}; allowed: "
                    f"({channels},). Export the weights again."
                )
            low = 0.0 if part == "variance" else -LARGEST_WEIGHT
            if not np.all((low <= values) & (values <= LARGEST_WEIGHT)):  # NaN is not, either
                wrong = values[~((low <= values) & (values <= LARGEST_WEIGHT))].flat[0]
                raise SettingError(
                    f"init is {file}: {part} of {name} holds {wrong:g}; allowed: {low:g} to "
                    f"{LARGEST_WEIGHT:g}. Export the weights again."
                )
