"""Post-training int8: ranges from calibration frames, then corrections that reduce rounding errors.

The measure is the signal-to-noise ratio of the logits on calibration frames, in decibels. Bias
correction is kept where it raises the ratio, which is almost always. Equalisation is tried where
the ratio is still low.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.bias_correction import bias_corrected
from jejunet_nas.compression.equalization import equalized
from jejunet_nas.compression.graphs import Int8Network
from jejunet_nas.compression.rounding import Ranges, Rounding, ranges_of, signal_to_noise_db
from jejunet_nas.compression.settings import PostTrainingInt8, When
from jejunet_nas.compression.statistics import CalibrationInputs, Observer, Values, spread
from jejunet_nas.networks.build import FoldedNetwork
from jejunet_nas.networks.folded_layers import Folded, FoldedLayers, Taps
from jejunet_nas.networks.wiring import read_wiring

# At a higher ratio 98 of 100 pixels agree with float: equalisation is not tried.
NEAR_ENOUGH_DB = 20.0
JUDGED = 4  # calibration frames whose logits are compared
CORRECTED = 32  # calibration frames for bias correction, at most: all are in memory together


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The network in int8, and the signal-to-noise ratio of its logits.

    float_weights: of the float network with the same channel sizes, without rounding.
    """

    int8: Int8Network
    float_weights: Folded
    logits_db: float
    equalized: bool
    bias_corrected: bool


def quantize_after_training(
    network: FoldedNetwork, frames: npt.NDArray[np.uint8], settings: PostTrainingInt8
) -> Candidate:
    """Return `network` in int8, calibrated on `frames`.

    frames: uint8 [count, height, width, 3] at the network's input size. A clustered network must
    not be equalised: the weights of one cluster would be divided by different factors.
    """
    candidates = _Candidates(network, CalibrationInputs.of(frames), settings.correct_bias)
    if settings.equalize == "always":
        return candidates.best(equalize=True)
    found = candidates.best(equalize=False)
    if settings.equalize == "never" or found.logits_db >= NEAR_ENOUGH_DB:
        return found
    return max(found, candidates.best(equalize=True), key=lambda each: each.logits_db)


class _Candidates:
    """Candidates for one network, on the same frames."""

    def __init__(
        self, network: FoldedNetwork, inputs: CalibrationInputs, correct_bias: When
    ) -> None:
        self._network, self._inputs, self._correct_bias = network, inputs, correct_bias
        self._wiring = read_wiring(network.network, network.classes)
        self._corrected = spread(len(inputs.frames), CORRECTED)
        self._judged = spread(len(self._corrected), JUDGED)  # of these
        self._seen = self._observe(network.layers.weights, inputs)

    def best(self, *, equalize: bool) -> Candidate:
        """Return the better candidate: with corrected biases, or without."""
        float_weights, seen = self._network.layers.weights, self._seen
        if equalize:
            float_weights = equalized(float_weights, self._wiring, seen.outputs)
            seen = self._observe(float_weights, self._inputs)
        ranges = ranges_of(seen.outputs, self._wiring)
        judged = self._corrected[self._judged]
        tried = []
        if self._correct_bias != "always":
            rounding = Rounding(ranges)
            self._folded(float_weights, rounding).key(self._inputs.frames[judged])
            tried.append((float_weights, rounding.logits, False))
        if self._correct_bias != "never":
            weights, logits = self._with_biases(float_weights, seen, ranges)
            tried.append((weights, logits[self._judged], True))
        candidates = [
            Candidate(
                int8=Int8Network(
                    network=self._network.network,
                    classes=self._network.classes,
                    weights=weights,
                    ranges=ranges,
                ),
                float_weights=float_weights,
                logits_db=signal_to_noise_db(self._seen.logits[judged], logits),
                equalized=equalize,
                bias_corrected=corrected,
            )
            for weights, logits, corrected in tried
        ]
        return max(candidates, key=lambda each: each.logits_db)

    def _with_biases(
        self, weights: Folded, seen: Observer, ranges: Ranges
    ) -> tuple[Folded, Values]:
        """Return weights with corrected biases, and the logits of the frames used for it."""
        inputs = self._inputs
        if len(self._corrected) < len(inputs.frames):
            inputs = dataclasses.replace(inputs, frames=inputs.frames[self._corrected])
            seen = self._observe(weights, inputs)
        return bias_corrected(self._folded(weights), ranges, seen.means, inputs)

    def _observe(self, weights: Folded, inputs: CalibrationInputs) -> Observer:
        seen = Observer()
        inputs.run(self._folded(weights, seen))
        return seen

    def _folded(self, weights: Folded, taps: Taps | None = None) -> FoldedNetwork:
        layers = FoldedLayers(weights, taps)
        return FoldedNetwork(self._network.network, self._network.classes, layers)
