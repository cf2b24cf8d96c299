"""Channels multiplied where they are written and divided where they are read; nothing is a test."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from jejunet_nas.networks.folded_layers import Folded, FoldedLayer
from jejunet_nas.networks.wiring import Wiring

Factors = npt.NDArray[np.float32]  # [channels]


def scaled(weights: Folded, wiring: Wiring, factors: Mapping[str, Factors]) -> Folded:
    """Return `weights` whose streams are larger by `factors` from writers to readers."""
    weights = dict(weights)
    for name, larger in factors.items():
        stream = wiring.streams[name]
        for writer in stream.writers:
            kernel, bias = weights[writer]
            along = larger[:, None] if writer.endswith("depthwise") else larger
            weights[writer] = FoldedLayer(kernel * along, bias * larger)
        for reader in stream.readers:
            kernel, bias = weights[reader.layer]
            back = np.ones((kernel.shape[2], 1), np.float32)
            back[reader.first : reader.first + stream.channels, 0] = 1 / larger
            weights[reader.layer] = FoldedLayer(kernel * back, bias)
    return weights
