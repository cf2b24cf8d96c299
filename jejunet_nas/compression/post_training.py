"""Post-training int8: ranges from calibration frames, then what brings rounding nearer to float.

Rounding is judged where it counts: how far the rounded network's logits are from the float ones on
the calibration frames, in decibels. Bias correction is kept where it brings them nearer, which it
does almost always; equalisation is tried where they are far all the same.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.bias_correction import bias_corrected
from jejunet_nas.compression.equalization import equalized
from jejunet_nas.compression.graphs import Int8Network
from jejunet_nas.compression.rounding import Ranges, Rounding, ranges_of, signal_to_noise_db
from jejunet_nas.compression.settings import PostTrainingInt8, When
from jejunet_nas.compression.statistics import CalibrationInputs, Observer, spread
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.networks.folded_layers import Folded, FoldedLayers, Taps
from jejunet_nas.networks.wiring import Wiring, read_wiring

# Logits nearer than this agree with the float ones in 98 of 100 pixels: equalisation is not tried.
NEAR_ENOUGH_DB = 20.0
JUDGED = 4  # calibration frames whose logits are compared
CORRECTED = 32  # calibration frames at most that biases are corrected on: all are held at once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to hold the network in int8, and how near its logits come to the float ones.

    float_weights: of the same network, channels of the same size, that nothing is rounded in.
    """

    int8: Int8Network
    float_weights: Folded
    logits_db: float
    equalized: bool
    bias_corrected: bool


def quantize_after_training(
    network: FoldedNetwork,
    frames: npt.NDArray[np.uint8],
    settings: PostTrainingInt8,
) -> Candidate:
    """Return `network` in int8, calibrated on `frames`.

    frames: uint8 [count, height, width, 3] at the network's input size. A clustered network is not
    to be equalised: weights of one cluster would be divided by different factors.
    """
    inputs, wiring = CalibrationInputs.of(frames), read_wiring(network.network, network.classes)
    ways = _Ways(network, inputs, wiring, settings.correct_bias)
    if settings.equalize == "always":
        return ways.best(ways.equalized(), equalized=True)
    found = ways.best(ways.observed, equalized=False)
    if settings.equalize == "never" or found.logits_db >= NEAR_ENOUGH_DB:
        return found
    return max(
        (found, ways.best(ways.equalized(), equalized=True)), key=lambda each: each.logits_db
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Observed:
    """Float weights, and what they make of the calibration frames."""

    weights: Folded
    seen: Observer


class _Ways:
    """Ways to hold one network in int8, tried on the same frames."""

    def __init__(
        self,
        network: FoldedNetwork,
        inputs: CalibrationInputs,
        wiring: Wiring,
        correct_bias: When,
    ) -> None:
        self._network, self._inputs, self._wiring = network, inputs, wiring
        self._correct_bias = correct_bias
        self._corrected = spread(len(inputs.frames), CORRECTED)
        self._judged = spread(len(self._corrected), JUDGED)  # of these
        self.observed = self._observe(network.layers.weights)

    def equalized(self) -> _Observed:
        """Return what is seen of the same network, equalised."""
        return self._observe(
            equalized(self.observed.weights, self._wiring, self.observed.seen.outputs)
        )

    def best(self, observed: _Observed, *, equalized: bool) -> Candidate:
        """Return the network as it is rounded best: with its biases corrected, or as they are."""
        ranges = ranges_of(observed.seen.outputs, self._wiring)
        judged = self._corrected[self._judged]
        tried = []
        if self._correct_bias != "always":
            rounding = _KeepsLogits(ranges)
            self._folded(observed.weights, rounding).key(self._inputs.frames[judged])
            tried.append((observed.weights, rounding.logits, False))
        if self._correct_bias != "never":
            weights, logits = self._with_biases(observed, ranges)
            tried.append((weights, np.asarray(logits)[self._judged], True))
        candidates = [
            Candidate(
                int8=Int8Network(
                    network=self._network.network,
                    classes=self._network.classes,
                    weights=weights,
                    ranges=ranges,
                ),
                float_weights=observed.weights,
                logits_db=signal_to_noise_db(self.observed.seen.logits[judged], logits),
                equalized=equalized,
                bias_corrected=corrected,
            )
            for weights, logits, corrected in tried
        ]
        return max(candidates, key=lambda each: each.logits_db)

    def _with_biases(self, observed: _Observed, ranges: Ranges) -> tuple[Folded, Any]:
        """Return weights with corrected biases, and the logits of the frames it was done on."""
        seen, inputs = observed.seen, self._inputs
        if len(self._corrected) < len(inputs.frames):
            inputs = dataclasses.replace(inputs, frames=inputs.frames[self._corrected])
            seen = self._observe(observed.weights, inputs).seen
        return bias_corrected(self._folded(observed.weights), ranges, seen.means, inputs)

    def _observe(self, weights: Folded, inputs: CalibrationInputs | None = None) -> _Observed:
        seen = Observer()
        (inputs or self._inputs).run(self._folded(weights, seen))
        return _Observed(weights, seen)

    def _folded(self, weights: Folded, taps: Taps | None = None) -> FoldedNetwork:
        layers = FoldedLayers(weights, taps)
        return FoldedNetwork(self._network.network, self._network.classes, layers)


class _KeepsLogits(Rounding):
    """Rounds, and keeps the logits."""

    logits: Any = None

    def linear(self, name: str, x: Any) -> Any:
        if name == "logits":
            self.logits = x
        return x
