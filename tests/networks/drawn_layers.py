"""The folded reading of a network that was never built: weights are drawn when first asked for."""

from typing import Any

import numpy as np

from jejunet_nas.networks.folded_layers import FoldedLayers


class DrawnLayers(FoldedLayers):
    """`FoldedLayers` with weights by name from one seed; no Keras layer is made."""

    def __init__(self, seed: int) -> None:
        super().__init__({})
        self._rng = np.random.default_rng(seed)

    def conv(
        self,
        x: Any,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        batch_norm: bool = True,
        **how: Any,
    ) -> Any:
        bias = () if batch_norm else (self._normal(0.1, filters),)
        # He's spread: features keep their size, so that an image is still felt at the far end.
        spread = np.sqrt(2 / (kernel * kernel * x.shape[3]))
        self._draw(name, self._normal(spread, kernel, kernel, x.shape[3], filters), *bias)
        self._draw_batch_norm(name, filters)
        return super().conv(x, name, filters, kernel=kernel, batch_norm=batch_norm, **how)

    def depthwise(self, x: Any, name: str, **how: Any) -> Any:
        self._draw(name, self._normal(np.sqrt(2 / 9), 3, 3, x.shape[3], 1))
        self._draw_batch_norm(name, x.shape[3])
        return super().depthwise(x, name, **how)

    def _draw(self, name: str, *weights: Any) -> None:
        self._weights.setdefault(name, list(weights))

    def _draw_batch_norm(self, name: str, channels: int) -> None:
        gamma, variance = self._rng.uniform(0.5, 1.5, (2, channels)).astype(np.float32)
        beta, mean = self._normal(0.1, 2, channels)
        self._draw(f"{name}_BN", gamma, beta, mean, variance)

    def _normal(self, spread: float, *shape: int) -> Any:
        return self._rng.normal(0, spread, shape).astype(np.float32)
