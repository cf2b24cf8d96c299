"""`Layers` as Keras layers, for training."""

from collections.abc import Callable
from typing import Any

import tf_keras

from jejunet_nas.networks.layers import Conv

# With 0.999 (`keras.applications`) the moving averages do not converge in a few hundred steps.
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-3


class KerasLayers:
    """`Layers` over symbolic Keras tensors.

    by_name: the layers with their weights. ready: replaces a layer before its first call; it gets
    the layer and its first input.
    """

    def __init__(self, ready: Callable[[Any, Any], Any] = lambda layer, x: layer) -> None:
        self.by_name: dict[str, Any] = {}
        self._ready, self._applied = ready, dict[str, Any]()

    def conv(self, x: Any, conv: Conv) -> Any:
        name, filters, kernel, stride, batch_norm, relu6 = conv
        how = {"padding": "same", "use_bias": not batch_norm}
        x = self._apply(x, tf_keras.layers.Conv2D, name, filters, kernel, stride, **how)
        return self._finish(x, name, batch_norm=batch_norm, relu6=relu6)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        how = {"padding": "same", "use_bias": False, "dilation_rate": dilation}
        x = self._apply(x, tf_keras.layers.DepthwiseConv2D, name, 3, stride, **how)
        return self._finish(x, name, batch_norm=True, relu6=True)

    def add(self, name: str, first: Any, second: Any, *, relu6: bool = False) -> Any:
        x = self._apply([first, second], tf_keras.layers.Add, name)
        return self._finish(x, name, batch_norm=False, relu6=relu6)

    def concatenate(self, name: str, first: Any, second: Any) -> Any:
        return self._apply([first, second], tf_keras.layers.Concatenate, name)

    def upsample(self, x: Any, name: str, factor: int) -> Any:
        layer = tf_keras.layers.UpSampling2D
        return self._apply(x, layer, name, factor, interpolation="bilinear")

    def mean(self, x: Any, name: str) -> Any:
        return self._apply(x, tf_keras.layers.GlobalAveragePooling2D, name, keepdims=True)

    def sigmoid(self, x: Any, name: str) -> Any:
        return self._apply(x, tf_keras.layers.Activation, name, "sigmoid")

    def _finish(self, x: Any, name: str, *, batch_norm: bool, relu6: bool) -> Any:
        if batch_norm:
            how = {"momentum": BATCH_NORM_MOMENTUM, "epsilon": BATCH_NORM_EPSILON}
            x = self._apply(x, tf_keras.layers.BatchNormalization, f"{name}_BN", **how)
        return self._apply(x, tf_keras.layers.ReLU, f"{name}_relu", 6.0) if relu6 else x

    def _apply(self, x: Any, layer: Any, name: str, *arguments: Any, **how: Any) -> Any:
        """Return the output for `x` of the layer `name`, which is made at its first use."""
        if name not in self.by_name:
            self.by_name[name] = layer(*arguments, **how, name=name)
        if name not in self._applied:
            self._applied[name] = self._ready(self.by_name[name], x)
        return self._applied[name](x)
