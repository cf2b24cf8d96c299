"""Quantisation-aware training: more steps, in which the network feels what int8 makes of it.

Batch norm is folded first, so that what is trained are the very numbers that are rounded, and the
graph that comes out has no operator that int8 after training has not. Key, propagate and gate are
trained on the same layers: a layer's kernel is rounded once, and outputs that share a range in the
graphs share one here. Ranges start where calibration found them and follow as moving averages, by
tensorflow-model-optimization's quantizer; kernels are rounded per channel, as the converter does.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.quantization.keras.quantizers import MovingAverageQuantizer

from jejunet_nas.compression.graphs import Int8Network
from jejunet_nas.compression.keeping import Keeping
from jejunet_nas.compression.rounding import Range, Ranges, Rounding, rounded_kernel
from jejunet_nas.compression.settings import QuantizationAware
from jejunet_nas.networks.build import KerasNetwork, assemble, reset_keras
from jejunet_nas.networks.folded_layers import DEPTHWISE_AXIS, OUT_AXIS
from jejunet_nas.networks.wiring import Wiring, read_wiring
from jejunet_nas.progress import Tell
from jejunet_nas.records import Pictures
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.material import Material

GATE_LEARNING_RATE = 1e-3


def train_quantized(
    start: Int8Network,
    settings: QuantizationAware,
    material: Material,
    pictures: Sequence[Pictures],
    tell: Tell,
    *,
    keep: Keeping | None = None,
) -> Int8Network:
    """Return `start`, which int8 after training gave, trained on with its rounding.

    keep: zeros and clusters of the kernels, which training must leave as they are.
    """
    network = quantized_network(start, seed=material.training.seed)
    material.train(
        network,
        pictures,
        tell,
        what="train with rounding",
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        after_step=keep.restorer(network.layers) if keep else lambda: None,
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
    """Return the Keras models that compute what the int8 graphs of `start` do, to be trained."""
    reset_keras(seed)
    wiring = read_wiring(start.network, start.classes)
    layers = _RoundedLayers(start.ranges, wiring)
    network = assemble(
        start.network,
        start.classes,
        layers,
        layers.by_name,
        taps=lambda: Rounding(layers.ranges()),
    )
    for name, layer in start.weights.items():
        layers.by_name[name].set_weights(list(layer))
    return network


class _RoundedConv2D(tf_keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution whose kernel is rounded per output channel."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve with the rounded kernel; Keras' own hook."""
        return super().convolution_op(inputs, rounded_kernel(kernel, OUT_AXIS))


class _RoundedDepthwiseConv2D(tf_keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """A depthwise convolution whose kernel is rounded per channel."""

    def call(self, inputs: Any) -> Any:
        """Convolve with the rounded kernel."""
        x = tf.nn.depthwise_conv2d(
            inputs,
            rounded_kernel(self.depthwise_kernel, DEPTHWISE_AXIS),
            (1, *self.strides, 1),
            "SAME",
            dilations=self.dilation_rate,
        )
        return x + self.bias


class _RoundedOutput(tf_keras.layers.Layer):  # type: ignore[misc]
    """Rounds to 256 steps of a range that follows what it sees."""

    def __init__(self, start: Range, name: str) -> None:
        super().__init__(name=name)
        self._start = start
        self._quantizer = MovingAverageQuantizer(
            num_bits=8, per_axis=False, symmetric=False, narrow_range=False
        )

    def build(self, shape: Any) -> None:
        """Make the range's two variables."""
        self._ends = self._quantizer.build(shape, "range", self)
        for end, value in zip(("min_var", "max_var"), self._start, strict=True):
            self._ends[end].assign(value)
        super().build(shape)

    def call(self, x: Any, training: bool = False) -> Any:
        """Round, and in training let the range follow."""
        return self._quantizer(x, training, weights=self._ends)

    @property
    def range(self) -> Range:
        """The range now; it holds 0."""
        low, high = (float(self._ends[end].numpy()) for end in ("min_var", "max_var"))
        return min(low, 0.0), max(high, 0.0)


class _RoundedLayers:
    """`Layers` of Keras layers without batch norm that round as int8 does."""

    def __init__(self, ranges: Ranges, wiring: Wiring) -> None:
        self.by_name: dict[str, Any] = {}
        self._start, self._wiring = ranges, wiring
        self._outputs: dict[str, _RoundedOutput] = {}

    def ranges(self) -> Ranges:
        """Return the range of every output as it is now."""
        return {
            name: self._outputs[self._tied(name)].range if self._follows(name) else start
            for name, start in self._start.items()
        }

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
        """Convolve; see `Layers.conv`."""
        x = self._shared(
            name, lambda: _RoundedConv2D(filters, kernel, stride, padding="same", name=name)
        )(x)
        return self._finish(x, name, relu6=relu6)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, dilation: int = 1) -> Any:
        """Convolve each channel; see `Layers.depthwise`."""
        x = self._shared(
            name,
            lambda: _RoundedDepthwiseConv2D(
                3, stride, padding="same", dilation_rate=dilation, name=name
            ),
        )(x)
        return self._finish(x, name, relu6=True)

    def add(self, name: str, first: Any, second: Any, *, relu6: bool = False) -> Any:
        """Add; see `Layers.add`."""
        return self._finish(first + second, name, relu6=relu6)

    def concatenate(self, name: str, first: Any, second: Any) -> Any:
        """Join channels; see `Layers.concatenate`."""
        return self._finish(tf.concat([first, second], axis=3), name, relu6=False)

    def upsample(self, x: Any, name: str, factor: int) -> Any:
        """Enlarge; see `Layers.upsample`."""
        if factor == 1:
            return x
        larger = tf_keras.layers.UpSampling2D(factor, interpolation="bilinear")(x)
        return self._finish(larger, name, relu6=False)

    def mean(self, x: Any, name: str) -> Any:
        """Average; see `Layers.mean`."""
        return self._finish(tf.reduce_mean(x, axis=(1, 2), keepdims=True), name, relu6=False)

    def sigmoid(self, x: Any, name: str) -> Any:
        """Squash; see `Layers.sigmoid`. The score's own 256 steps are left to the graph."""
        return tf.sigmoid(x)

    def _finish(self, x: Any, name: str, *, relu6: bool) -> Any:
        if relu6:
            x = tf.nn.relu6(x)
        if not self._follows(name):
            return x
        tied = self._tied(name)
        if tied not in self._outputs:
            self._outputs[tied] = _RoundedOutput(self._start[name], f"{tied}_range")
        # Where outputs share a range the last of them holds the others: it alone moves the range.
        # The class map's enlarged logits are no part of training, and the logits stand for them.
        moves = name in (tied, "logits")
        return self._outputs[tied](x) if moves else self._outputs[tied](x, training=False)

    def _follows(self, name: str) -> bool:
        """Whether an output's range is not known for good, as that of pixels is."""
        return name not in self._wiring.fixed_ranges and name in self._start

    def _tied(self, name: str) -> str:
        return self._wiring.ties.get(name, name)

    def _shared(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.by_name:
            self.by_name[name] = make()
        return self.by_name[name]
