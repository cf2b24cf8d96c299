"""MobileNetV2 weights in files, drawn at random: as folded arrays, and as Keras writes them."""

import functools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import tf_keras

from jejunet_nas.training.weights_file import LAYER_NAMES, layer_shapes

Folded = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


def folded_weights(depth_multiplier: float = 1.0) -> Folded:
    """Return kernel and bias of each backbone layer, drawn with He's spread."""
    rng = np.random.default_rng(0)
    made: Folded = {}
    for name, shape in layer_shapes(depth_multiplier).items():
        depthwise = name.endswith("depthwise")
        fan_in = 9 if depthwise else shape[0] * shape[1] * shape[2]
        kernel = rng.normal(0, np.sqrt(2 / fan_in), shape)
        bias = rng.normal(0, 0.1, shape[2] if depthwise else shape[3])
        made[name] = (kernel.astype(np.float32), bias.astype(np.float32))
    return made


def write_folded(file: Path, folded: Folded) -> Path:
    arrays = {
        f"{number:02d}_op/{part}": array
        for number, pair in enumerate(folded.values())
        for part, array in zip(("kernel", "bias"), pair, strict=True)
    }
    np.savez(file, **arrays)
    return file


def write_h5(file: Path, layers: Iterable[tuple[str, Sequence[npt.NDArray[Any]]]]) -> Path:
    """Write layers by hand in the layout of Keras' `save_weights`."""
    with h5py.File(file, "w") as opened:
        names = []
        for name, arrays in layers:
            group = opened.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{n}:0".encode() for n in range(len(arrays))]
            for number, array in enumerate(arrays):
                group.create_dataset(f"{name}/{number}:0", data=array)
            names.append(name.encode())
        opened.attrs["layer_names"] = names
    return file


@functools.cache
def keras_mobilenet(
    depth_multiplier: float, size: tuple[int | None, int | None] = (64, 64), *, top: bool = False
) -> Any:
    """Return Keras' MobileNetV2 with all weights drawn, batch norm statistics too."""
    model = tf_keras.applications.MobileNetV2(
        input_shape=(*size, 3),
        alpha=depth_multiplier,
        include_top=top,
        weights=None,
        **({"classes": 4} if top else {}),
    )
    rng = np.random.default_rng(5)
    for layer in model.layers:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if len(shapes) == 4:
            gamma, variance = rng.uniform(0.5, 1.5, (2, *shapes[0]))
            beta, mean = rng.normal(0, 0.1, (2, *shapes[0]))
            layer.set_weights([gamma, beta, mean, variance])
        elif shapes:
            depthwise = layer.name.endswith("depthwise")
            fan_in = math.prod(shapes[0][:2] if depthwise else shapes[0][:3])
            layer.set_weights([rng.normal(0, math.sqrt(2 / fan_in), s) for s in shapes])
    return model


def keras_layers(model: Any) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Return kernel, gamma, beta, mean and variance of each backbone layer of a Keras model."""
    return {
        name: model.get_layer(name).get_weights()
        + model.get_layer("bn_Conv1" if name == "Conv1" else f"{name}_BN").get_weights()
        for name in LAYER_NAMES
    }


def write_keras(file: Path, depth_multiplier: float) -> Path:
    """Write an `.h5` as Keras publishes them."""
    keras_mobilenet(depth_multiplier).save_weights(file)
    return file
