"""The folded reading of a network that was never built: weights are drawn when first asked for."""

from typing import Any

import numpy as np

from jejunet_nas.networks.folded_layers import FoldedLayer, FoldedLayers
from jejunet_nas.networks.layers import Conv


class DrawnLayers(FoldedLayers):
    """`FoldedLayers` with weights by name from one seed; no Keras layer is made."""

    def __init__(self, seed: int) -> None:
        super().__init__({})
        self._rng = np.random.default_rng(seed)

    def conv(self, x: Any, conv: Conv) -> Any:
        # He's spread: features keep their size, so that an image is still felt at the far end.
        spread = np.sqrt(2 / (conv.kernel**2 * x.shape[3]))
        shape = (conv.kernel, conv.kernel, x.shape[3], conv.filters)
        self._draw(conv.name, spread, shape, conv.filters)
        return super().conv(x, conv)

    def depthwise(self, x: Any, name: str, **how: Any) -> Any:
        self._draw(name, np.sqrt(2 / 9), (3, 3, x.shape[3], 1), x.shape[3])
        return super().depthwise(x, name, **how)

    def _draw(self, name: str, spread: float, shape: tuple[int, ...], channels: int) -> None:
        if name not in self.weights:
            self.weights[name] = FoldedLayer(
                self._normal(spread, *shape), self._normal(0.1, channels)
            )

    def _normal(self, spread: float, *shape: int) -> Any:
        return self._rng.normal(0, spread, shape).astype(np.float32)
