"""`Layers` as Keras layers, for training."""

from collections.abc import Callable
from typing import Any

import tf_keras

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

    def conv(
        self,
        x: Any,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        batch_norm: bool = True,
        relu6: bool = True,
    ) -> Any:
        x = self._shared(
            name,
            lambda: tf_keras.layers.Conv2D(
                filters, kernel, stride, padding="same", use_bias=not batch_norm, name=name
            ),
        )(x)
        return self._finish(x, name, batch_norm=batch_norm, relu6=relu6)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        x = self._shared(
            name,
            lambda: tf_keras.layers.DepthwiseConv2D(
                3, stride, padding="same", use_bias=False, dilation_rate=dilation, name=name
            ),
        )(x)
        return self._finish(x, name, batch_norm=True, relu6=True)

    def add(self, name: str, first: Any, second: Any, *, relu6: bool = False) -> Any:
        x = self._shared(name, lambda: tf_keras.layers.Add(name=name))([first, second])
        return self._finish(x, name, batch_norm=False, relu6=relu6)

    def concatenate(self, name: str, first: Any, second: Any) -> Any:
        return self._shared(name, lambda: tf_keras.layers.Concatenate(name=name))([first, second])

    def upsample(self, x: Any, name: str, factor: int) -> Any:
        if factor == 1:
            return x
        return self._shared(
            name,
            lambda: tf_keras.layers.UpSampling2D(factor, interpolation="bilinear", name=name),
        )(x)

    def mean(self, x: Any, name: str) -> Any:
        return self._shared(
            name, lambda: tf_keras.layers.GlobalAveragePooling2D(keepdims=True, name=name)
        )(x)

    def sigmoid(self, x: Any, name: str) -> Any:
        return self._shared(name, lambda: tf_keras.layers.Activation("sigmoid", name=name))(x)

    def _finish(self, x: Any, name: str, *, batch_norm: bool, relu6: bool) -> Any:
        if batch_norm:
            x = self._shared(
                f"{name}_BN",
                lambda: tf_keras.layers.BatchNormalization(
                    momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_BN"
                ),
            )(x)
        if relu6:
            x = self._shared(
                f"{name}_relu", lambda: tf_keras.layers.ReLU(6.0, name=f"{name}_relu")
            )(x)
        return x

    def _shared(self, name: str, make: Callable[[], Any]) -> Callable[[Any], Any]:
        if name not in self.by_name:
            self.by_name[name] = make()

        def apply(x: Any) -> Any:
            if name not in self._applied:
                self._applied[name] = self._ready(self.by_name[name], x)
            return self._applied[name](x)

        return apply
