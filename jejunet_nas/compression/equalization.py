"""Equalisation across layers: channels are scaled to similar sizes before rounding.

A channel may be multiplied where it is written if it is divided where it is read; the float network
stays the same (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", 2019, section 4.1). int8 has one step for all channels of a tensor, so a channel a
hundredth as large as another has only two or three steps.

ReLU6 is kept: a channel is raised only while its largest observed value stays below 6, and one that
reaches 6 keeps its size.
"""

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.statistics import Reach
from jejunet_nas.networks.folded_layers import Folded, FoldedLayer
from jejunet_nas.networks.wiring import Reader, Stream, Wiring

Factors = npt.NDArray[np.float32]  # [channels]

SIX = 6.0
ROOM = 1.5  # of a raised channel below 6, for values that calibration did not show
MOST = 1024.0  # factor by which a channel is raised or lowered
ROUNDS = 2  # over all streams: a layer's weights change from both ends


def equalized(weights: Folded, wiring: Wiring, outputs: dict[str, Reach]) -> Folded:
    """Return `weights` of the same function with channels of similar sizes.

    outputs: of the float network's layers over the calibration frames.
    """
    weights = dict(weights)
    reach = {  # the largest absolute value of each stream's channels
        name: np.max([outputs[each].most for each in stream.outputs if each in outputs], axis=0)
        for name, stream in wiring.streams.items()
    }
    for _ in range(ROUNDS):
        for name, stream in wiring.streams.items():
            if not stream.fixed and stream.readers:
                factors = _factors(stream, reach[name], weights)
                _apply(weights, stream, factors)
                reach[name] = reach[name] * factors
    return weights


def _factors(stream: Stream, reach: Factors, weights: Folded) -> Factors:
    """Return the factor of each channel.

    If only depthwise layers read it, whose weights are rounded per channel, all channels get one
    size. If layers that sum over channels read it, the sizes of their weights count as much.
    """
    most = float(reach.max())
    if most < 1e-30:  # all are always 0
        return np.ones_like(reach)
    alive = reach > 1e-6 * most
    size = np.where(alive, reach, 1.0) / most
    weight = _reading(stream, weights)
    factors = 1 / size if weight is None else np.sqrt(np.maximum(weight, 1e-6) / size)
    factors = factors / float((size * factors)[alive].max())  # the tensor's range stays the same
    if stream.relu6:
        top = min(SIX / ROOM, most)
        factors = np.minimum(factors * most / top, top / np.where(alive, reach, 1.0))
        factors = np.where(reach > top, 1.0, factors)
    factors = np.where(alive, np.clip(factors, 1 / MOST, MOST), 1.0)
    if weight is not None:
        # Channels that are always 0 may be raised until their readers are no larger than others.
        left = float((weight / factors)[alive].max())
        factors = np.where(alive, factors, np.clip(weight / max(left, 1e-30), 1.0, MOST))
    return np.asarray(factors, np.float32)


def _reading(stream: Stream, weights: Folded) -> Factors | None:
    """Return the relative size of the weights that read each channel.

    1: its layer's largest weight for some output. None: no reader sums over channels.
    """
    found = None
    for reader in stream.readers:
        if reader.dense:
            kernel = np.abs(weights[reader.layer].kernel)
            share = kernel / np.maximum(kernel.max(axis=(0, 1, 2)), 1e-30)
            of_channels = share[:, :, _span(reader, stream)].max(axis=(0, 1, 3))
            found = of_channels if found is None else np.maximum(found, of_channels)
    return found


def _apply(weights: Folded, stream: Stream, factors: Factors) -> None:
    for writer in stream.writers:
        kernel, bias = weights[writer]
        depthwise = kernel.shape[3] == 1 and kernel.shape[2] == len(factors)
        scaled = kernel * (factors[:, None] if depthwise else factors)
        weights[writer] = FoldedLayer(scaled, bias * factors)
    for reader in stream.readers:
        kernel, bias = weights[reader.layer]
        divided = kernel.copy()
        divided[:, :, _span(reader, stream)] /= factors[:, None]
        weights[reader.layer] = FoldedLayer(divided, bias)


def _span(reader: Reader, stream: Stream) -> slice:
    return slice(reader.first, reader.first + stream.channels)
