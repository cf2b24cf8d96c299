"""Bias correction: the mean error of rounding is subtracted from the bias.

Rounded weights and inputs shift the mean of each channel (Nagel et al., 2019, section 4.2). The
rounded network runs over the calibration frames once, layer by layer, and each bias is set so that
the means are the float ones; each layer sees inputs that are corrected already.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.compression.rounding import Ranges, Rounding
from jejunet_nas.compression.statistics import PIXELS, CalibrationInputs, Values
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.networks.folded_layers import Folded, FoldedLayer, FoldedLayers


class _Correcting(Rounding):
    """Rounds, and shifts each convolution's channels to the float means."""

    def __init__(self, ranges: Ranges, means: dict[str, Values]) -> None:
        super().__init__(ranges)
        self._means = means
        self.shifts: dict[str, Values] = {}

    def linear(self, name: str, x: Any) -> Any:
        if name not in self._means:
            return x  # an addition, which has no bias
        assert name not in self.shifts, f"{name} is corrected once"
        self.shifts[name] = self._means[name] - tf.reduce_mean(x, PIXELS).numpy()
        return super().linear(name, x + self.shifts[name])


def bias_corrected(
    network: FoldedNetwork, ranges: Ranges, means: dict[str, Values], inputs: CalibrationInputs
) -> tuple[Folded, Values]:
    """Return the weights of `network` with corrected biases, and its logits with them.

    means: of the float network's convolutions on the same inputs, before any ReLU6. All inputs are
    run in one batch.
    """
    weights = network.layers.weights
    correcting = _Correcting(ranges, {name: means[name] for name in weights if name in means})
    inputs.run(
        FoldedNetwork(network.network, network.classes, FoldedLayers(weights, correcting)),
        at_once=len(inputs.frames),
    )
    corrected = {
        name: FoldedLayer(kernel, np.asarray(bias + correcting.shifts.get(name, 0), np.float32))
        for name, (kernel, bias) in weights.items()
    }
    return corrected, np.asarray(correcting.logits)
