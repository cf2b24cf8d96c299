"""Statistics: ranges and means of a float network's channels, over the calibration frames.

Units: values of the network's own tensors; statistics are [channels].
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from jejunet_nas.networks.build import FoldedNetwork, as_input
from jejunet_nas.networks.folded_layers import Taps
from jejunet_nas.resize import thumbnails

Values = npt.NDArray[np.float32]

BATCH = 8  # frames of one run
PIXELS = (0, 1, 2)  # the axes of a tensor that are not its channels
MOST_SHIFTS = 8  # pairs of each thumbnail, for the gate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationInputs:
    """Inputs of the three graphs, in [-1, 1].

    frames: [count, height, width, 3]. now, keyframe: thumbnails [pairs, height / 8, width / 8, 3].
    """

    frames: Values
    now: Values
    keyframe: Values

    @classmethod
    def of(cls, frames: npt.NDArray[np.uint8]) -> "CalibrationInputs":
        """Return the inputs for `frames`, uint8 [count, height, width, 3].

        Each thumbnail is paired with itself, with others up to `MOST_SHIFTS` in all, and with its
        negative. The negative is a larger change than any real one; without it, the gate's scores
        would be clipped at the largest change in these frames.
        """
        small = as_input(thumbnails(frames)).numpy()
        shifts = range(0, len(small), -(-len(small) // MOST_SHIFTS))
        others = [*(np.roll(small, shift, axis=0) for shift in shifts), -small]
        return cls(
            frames=as_input(frames).numpy(),
            now=np.concatenate([small] * len(others)),
            keyframe=np.concatenate(others),
        )

    def run(self, network: FoldedNetwork, *, at_once: int = BATCH) -> None:
        """Run the key path and the gate, so that the network's taps see all layers.

        The propagate path adds nothing: with a frame's own context it computes what key does.
        """
        for first in range(0, len(self.frames), at_once):
            network.key(tf.constant(self.frames[first : first + at_once]))
        network.gate(tf.constant(self.now), tf.constant(self.keyframe))


@dataclasses.dataclass(slots=True, kw_only=True)
class Reach:
    """Least and largest value of each channel; both include 0, as int8 ranges do."""

    low: Values
    high: Values

    @property
    def most(self) -> Values:
        """The largest absolute value of each channel."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return up to `most` indices below `count`, evenly spread over the clips."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


class Observer(Taps):
    """Records each layer's output by channel.

    outputs: the reach of each. means: of each convolution, before any ReLU6.
    """

    def __init__(self) -> None:
        self.outputs: dict[str, Reach] = {}
        self._logits: list[Values] = []
        self._sums: dict[str, tuple[Any, int]] = {}

    @property
    def logits(self) -> Values:
        """The logits of all frames, [count, height, width, classes]."""
        return np.concatenate(self._logits)

    @property
    def means(self) -> dict[str, Values]:
        """The mean of each channel of each convolution."""
        return {name: total / count for name, (total, count) in self._sums.items()}

    def linear(self, name: str, x: Any) -> Any:
        """Record the sums of `x`, and the logits."""
        if name == "logits":
            self._logits.append(x.numpy())
        total, count = self._sums.get(name, (0.0, 0))
        pixels = int(np.prod(x.shape[:3]))
        self._sums[name] = total + tf.reduce_sum(x, PIXELS).numpy(), count + pixels
        return x

    def output(self, name: str, x: Any) -> Any:
        """Record the reach of `x`."""
        zeros = np.zeros(int(x.shape[3]), np.float32)
        before = self.outputs.get(name, Reach(low=zeros, high=zeros))
        self.outputs[name] = Reach(
            low=np.minimum(before.low, tf.reduce_min(x, PIXELS).numpy()),
            high=np.maximum(before.high, tf.reduce_max(x, PIXELS).numpy()),
        )
        return x
