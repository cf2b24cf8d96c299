"""Rounding: int8 arithmetic in floats, for the converter and for training.

Weights are rounded per output channel, symmetrically, to [-127, 127]; outputs to 256 steps of their
range (Jacob et al., 2018, section 3). A graph traced with it contains the ranges, so the converter
needs no calibration run.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.compression.statistics import Reach
from jejunet_nas.networks.folded_layers import OUT_AXIS, Taps
from jejunet_nas.networks.wiring import Wiring

Range = tuple[float, float]
Ranges = dict[str, Range]

MOST_DB = 150.0  # signal to noise of float32 itself
LEAST_WIDTH = 1e-4  # of a range: a layer that is always 0 needs a step too


class Ranged(Taps):
    """Rounds the outputs of layers to their `ranges`, which are by name.

    The converter needs no more: it rounds the kernels itself, per channel.
    """

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self.ranges = ranges

    def output(self, name: str, x: Any) -> Any:
        """Return `x` rounded to its range."""
        low, high = self.ranges[name]
        return tf.quantization.fake_quant_with_min_max_args(x, low, high)


class Rounding(Ranged):
    """Rounds kernels too, and then agrees with int8 graphs up to single steps; keeps the logits."""

    logits: Any = None

    def linear(self, name: str, x: Any) -> Any:
        """Keep the logits."""
        if name == "logits":
            self.logits = x
        return x

    def kernel(self, name: str, kernel: Any, *, channel_axis: int) -> Any:
        """Return the rounded kernel."""
        return rounded_kernel(kernel, channel_axis)


def rounded_kernel(kernel: Any, channel_axis: int) -> Any:
    """Return `kernel` rounded to 255 steps, symmetric and per channel."""
    swapped = (0, 1, 3, 2)
    if channel_axis != OUT_AXIS:
        kernel = tf.transpose(kernel, swapped)
    reach = tf.maximum(tf.stop_gradient(tf.reduce_max(tf.abs(kernel), (0, 1, 2))), 1e-8)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -reach, reach, narrow_range=True
    )
    return rounded if channel_axis == OUT_AXIS else tf.transpose(rounded, swapped)


def ranges_of(outputs: Mapping[str, Reach], wiring: Wiring) -> Ranges:
    """Return the observed range of every output; tied outputs share one."""
    shared: Ranges = {}
    for name, reach in outputs.items():
        low, high = wiring.fixed_ranges.get(name, (float(reach.low.min()), float(reach.high.max())))
        tied = wiring.ties.get(name, name)
        before = shared.get(tied, (0.0, 0.0))
        shared[tied] = (min(before[0], low), max(before[1], high))
    wide = {
        name: (low, high) if high - low >= LEAST_WIDTH else (low, low + LEAST_WIDTH)
        for name, (low, high) in shared.items()
    }
    return {name: wide[wiring.ties.get(name, name)] for name in outputs}


def signal_to_noise_db(signal: Any, other: Any) -> float:
    """Return the signal-to-noise ratio of `other` against `signal`, in dB, at most `MOST_DB`."""
    signal, other = np.asarray(signal, np.float64), np.asarray(other, np.float64)
    noise = float(np.sum((signal - other) ** 2))
    power = float(np.sum(signal**2))
    if noise == 0:
        return MOST_DB
    return min(10 * float(np.log10(max(power, 1e-30) / noise)), MOST_DB)
