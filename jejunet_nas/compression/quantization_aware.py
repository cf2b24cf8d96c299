"""Quantisation-aware training: fine-tuning with the rounding of int8.

Batch norm is folded first, so training changes the numbers that are rounded, and the graph has the
same operators as after post-training int8. Key, propagate and gate share their layers, and outputs
that share a range in the graphs share one here. Ranges start from calibration and follow as moving
averages (tensorflow-model-optimization's quantizer); kernels are rounded per channel, as the
converter does.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.quantization.keras.quantizers import MovingAverageQuantizer

from jejunet_nas.compression.graphs import Int8Network
from jejunet_nas.compression.keeping import restorer
from jejunet_nas.compression.rounding import Range, Ranges, Rounding, rounded_kernel
from jejunet_nas.compression.settings import QuantizationAware
from jejunet_nas.networks.build import KerasNetwork, assemble, reset_keras
from jejunet_nas.networks.folded_layers import DEPTHWISE_AXIS, OUT_AXIS
from jejunet_nas.networks.layers import Conv
from jejunet_nas.networks.wiring import Wiring, read_wiring
from jejunet_nas.progress import Tell
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.material import Material

GATE_LEARNING_RATE = 1e-3


def train_quantized(
    start: Int8Network,
    settings: QuantizationAware,
    material: Material,
    tell: Tell,
    *,
    keep_zeros: bool,
    keep_clusters: bool,
) -> Int8Network:
    """Return `start`, the result of post-training int8, fine-tuned with rounding.

    keep_zeros, keep_clusters: whether zeros stay zero, and clusters stay clusters.
    """
    network = quantized_network(start, seed=material.training.seed)
    material.train(
        network,
        tell,
        what="train with rounding",
        schedule=settings,
        after_step=restorer(
            start.weights, network.layers, zeros=keep_zeros, clusters=keep_clusters
        ),
    )
    tell("train the gate with rounding", 0, 1)
    train_gate(
        network,
        material.split,
        dataclasses.replace(material.training, gate_steps=settings.gate_steps),
        longest_age=material.longest_age,
        learning_rate=GATE_LEARNING_RATE,
    )
    folded = network.folded().layers
    assert isinstance(folded.taps, Rounding)
    return dataclasses.replace(start, weights=folded.weights, ranges=dict(folded.taps.ranges))


def quantized_network(start: Int8Network, *, seed: int) -> KerasNetwork:
    """Return trainable Keras models that compute what the int8 graphs of `start` do."""
    reset_keras(seed)
    wiring = read_wiring(start.network, start.classes)
    layers = _RoundedLayers(start.ranges, wiring)
    network = assemble(
        start.network, start.classes, layers, layers.by_name, taps=lambda: Rounding(layers.ranges())
    )
    for name, layer in start.weights.items():
        layers.by_name[name].set_weights(list(layer))
    return network


class _RoundedConv2D(tf_keras.layers.Conv2D):  # type: ignore[misc]
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, rounded_kernel(kernel, OUT_AXIS))


class _RoundedDepthwiseConv2D(tf_keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        x = tf.nn.depthwise_conv2d(
            inputs,
            rounded_kernel(self.depthwise_kernel, DEPTHWISE_AXIS),
            (1, *self.strides, 1),
            "SAME",
            dilations=self.dilation_rate,
        )
        return x + self.bias


class _RoundedOutput(tf_keras.layers.Layer):  # type: ignore[misc]
    """Rounds to 256 steps of a range that follows the values."""

    def __init__(self, start: Range, name: str) -> None:
        super().__init__(name=name)
        self._start = start
        self._quantizer = MovingAverageQuantizer(
            num_bits=8, per_axis=False, symmetric=False, narrow_range=False
        )

    def build(self, shape: Any) -> None:
        self._ends = self._quantizer.build(shape, "range", self)
        for end, value in zip(("min_var", "max_var"), self._start, strict=True):
            self._ends[end].assign(value)
        super().build(shape)

    def call(self, x: Any, training: bool = False) -> Any:
        return self._quantizer(x, training, weights=self._ends)

    @property
    def range(self) -> Range:
        """The current range, which includes 0."""
        low, high = (float(self._ends[end].numpy()) for end in ("min_var", "max_var"))
        return min(low, 0.0), max(high, 0.0)


class _RoundedLayers:
    """`Layers` of Keras layers without batch norm, rounded as in int8."""

    def __init__(self, ranges: Ranges, wiring: Wiring) -> None:
        self.by_name: dict[str, Any] = {}
        self._start, self._wiring = ranges, wiring
        self._outputs: dict[str, _RoundedOutput] = {}

    def ranges(self) -> Ranges:
        return {
            name: self._outputs[self._tied(name)].range if self._follows(name) else start
            for name, start in self._start.items()
        }

    def conv(self, x: Any, conv: Conv) -> Any:
        name, filters, kernel, stride, _, relu6 = conv
        x = self._shared(
            name, lambda: _RoundedConv2D(filters, kernel, stride, padding="same", name=name)
        )(x)
        return self._finish(x, name, relu6=relu6)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        x = self._shared(
            name,
            lambda: _RoundedDepthwiseConv2D(
                3, stride, padding="same", dilation_rate=dilation, name=name
            ),
        )(x)
        return self._finish(x, name, relu6=True)

    def add(self, name: str, first: Any, second: Any, *, relu6: bool = False) -> Any:
        return self._finish(first + second, name, relu6=relu6)

    def concatenate(self, name: str, first: Any, second: Any) -> Any:
        return self._finish(tf.concat([first, second], axis=3), name, relu6=False)

    def upsample(self, x: Any, name: str, factor: int) -> Any:
        larger = tf_keras.layers.UpSampling2D(factor, interpolation="bilinear")(x)
        return self._finish(larger, name, relu6=False)

    def mean(self, x: Any, name: str) -> Any:
        return self._finish(tf.reduce_mean(x, axis=(1, 2), keepdims=True), name, relu6=False)

    def sigmoid(self, x: Any, name: str) -> Any:
        return tf.sigmoid(x)  # the graph rounds the score to 256 steps of its own

    def _finish(self, x: Any, name: str, *, relu6: bool) -> Any:
        if relu6:
            x = tf.nn.relu6(x)
        if not self._follows(name):
            return x
        tied = self._tied(name)
        if tied not in self._outputs:
            self._outputs[tied] = _RoundedOutput(self._start[name], f"{tied}_range")
        # Of outputs that share a range the last one includes the others: it alone moves the range.
        # The enlarged logits of the class map are not trained; the logits replace them.
        moves = name in (tied, "logits")
        return self._outputs[tied](x) if moves else self._outputs[tied](x, training=False)

    def _follows(self, name: str) -> bool:
        """Whether the output's range is trained; that of pixels is fixed."""
        return name not in self._wiring.fixed_ranges and name in self._start

    def _tied(self, name: str) -> str:
        return self._wiring.ties.get(name, name)

    def _shared(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.by_name:
            self.by_name[name] = make()
        return self.by_name[name]
