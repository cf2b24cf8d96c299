"""Bias correction: what rounding shifts on average is given back to the bias.

Rounded weights add up to a little more or less than the float ones, and so does what they make of
rounded inputs: each channel's mean moves (Nagel et al., 2019, section 4.2). Run over the
calibration frames, the rounded network's means are brought back to the float ones, layer by layer
in one pass, each layer on inputs that are corrected already.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.compression.rounding import Ranges, Rounding
from jejunet_nas.compression.statistics import PIXELS, CalibrationInputs, Values
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.networks.folded_layers import Folded, FoldedLayer, FoldedLayers


class _Correcting(Rounding):
    """Rounds, and moves each convolution's channels to the means that the float ones have."""

    def __init__(self, ranges: Ranges, means: dict[str, Values]) -> None:
        super().__init__(ranges)
        self._means = means
        self.shifts: dict[str, Values] = {}
        self.logits: Any = None

    def linear(self, name: str, x: Any) -> Any:
        if name not in self._means:
            return x  # an addition, which has no bias
        assert name not in self.shifts, f"{name} is corrected once"
        self.shifts[name] = self._means[name] - tf.reduce_mean(x, PIXELS).numpy()
        x = x + self.shifts[name]
        if name == "logits":
            self.logits = x
        return x


def bias_corrected(
    network: FoldedNetwork, ranges: Ranges, means: dict[str, Values], inputs: CalibrationInputs
) -> tuple[Folded, Any]:
    """Return the weights of `network` with biases that give the float means, and its logits then.

    means: of what the float network's convolutions made of the same inputs, before any ReLU6; all
    of them are run at once.
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
    return corrected, correcting.logits
