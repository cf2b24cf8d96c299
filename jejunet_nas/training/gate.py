"""Trains the gate from the network's own masks, without annotations.

For a pair of frames of a clip, the gate learns to predict how much the masks of the two frames
disagree: the mask that a phone would still show, and the one that the key path would compute.

There are few clips, so pairs are augmented: brightness and contrast per colour, mirroring, order of
the frames. Without this, the rank correlation with the true disagreement on DAVIS val is 0.35
instead of 0.6.
"""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from jejunet_nas.errors import TrialError
from jejunet_nas.networks.build import KerasNetwork, as_input
from jejunet_nas.records import DataSplit
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.scoring.miou import disagreement
from jejunet_nas.training.batch_norm import estimate_statistics
from jejunet_nas.training.optimizer import update_variables
from jejunet_nas.training.settings import TrainingSettings

FRAMES_PER_GROUP = 8  # of one clip; all 28 pairs of them are used
BATCH_PAIRS = 64
LEARNING_RATE = 3e-3
STATISTICS_BATCHES = 8
_GAIN, _OFFSET = 0.3, 25.0  # largest change of each colour: relative, and in grey levels

Thumbnails = npt.NDArray[np.float32]  # [pairs, h, w, 3], in uint8's range


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GatePairs:
    """Pairs of thumbnails (uint8 [pairs, h, w, 3]) and how much their masks disagree, in [0, 1]."""

    now: npt.NDArray[np.uint8]
    keyframe: npt.NDArray[np.uint8]
    disagreement: npt.NDArray[np.float32]


def train_gate(
    network: KerasNetwork,
    split: DataSplit,
    settings: TrainingSettings,
    *,
    longest_age: int,
    learning_rate: float = LEARNING_RATE,
) -> float:
    """Train the gate of `network` in place; return its mean loss over the last tenth of the steps.

    longest_age: the largest distance of two frames of a pair.
    Raises `TrialError` if the loss is not finite.
    """
    pairs = _label_pairs(network, split, settings, longest_age)
    rng = np.random.default_rng([settings.seed, 1])
    variables = network.gate.trainable_variables
    adam = tf_keras.optimizers.legacy.Adam(
        tf_keras.optimizers.schedules.CosineDecay(learning_rate, settings.gate_steps)
    )
    adam._create_all_weights(variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(now: Any, keyframe: Any, disagreement: Any) -> Any:
        with tf.GradientTape() as tape:
            score = network.gate([as_input(now), as_input(keyframe)], training=True)[:, 0, 0, 0]
            loss = tf.reduce_mean(tf_keras.losses.binary_crossentropy(disagreement, score))
        update_variables(adam, zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses = [
        float(step(*_augmented(rng, pairs, chosen), pairs.disagreement[chosen]))
        for chosen in _batches(rng, len(pairs.now), settings.gate_steps)
    ]
    last = float(np.mean(losses[-max(1, len(losses) // 10) :]))
    if not math.isfinite(last):
        raise TrialError(
            f"the gate's loss became {last} after {settings.gate_steps} gate_steps. Change "
            "gate_steps or the seed."
        )
    estimate_statistics(
        network.gate.layers,
        lambda chosen: network.gate(
            [as_input(pairs.now[chosen]), as_input(pairs.keyframe[chosen])], training=True
        ),
        _batches(rng, len(pairs.now), STATISTICS_BATCHES),
    )
    return last


def _label_pairs(
    network: KerasNetwork, split: DataSplit, settings: TrainingSettings, longest_age: int
) -> GatePairs:
    rng = np.random.default_rng([settings.seed, 2])
    height, width = network.network.input_height, network.network.input_width
    groups = max(1, settings.gate_pairs // (FRAMES_PER_GROUP * (FRAMES_PER_GROUP - 1) // 2))
    lengths = np.array([len(clip) for clip in split.clips])
    frames: list[npt.NDArray[np.uint8]] = []
    for index in rng.choice(len(lengths), size=groups, p=lengths / lengths.sum()):
        clip = split.clips[index]
        first = int(rng.integers(0, max(1, len(clip) - longest_age)))
        ages = np.sort(np.resize(rng.permutation(longest_age + 1), FRAMES_PER_GROUP))
        times = np.minimum(first + ages, len(clip) - 1)
        frames.extend(resize_frame(clip.frames[t], height, width) for t in times)
    pictures = np.stack(frames)
    masks = network.masks(pictures)
    earlier, later = np.triu_indices(FRAMES_PER_GROUP, 1)
    starts = np.arange(groups)[:, None] * FRAMES_PER_GROUP
    stale, fresh = (starts + earlier).ravel(), (starts + later).ravel()
    small = thumbnails(pictures)
    labels = [
        disagreement(masks[i], masks[j], network.classes) for i, j in zip(stale, fresh, strict=True)
    ]
    return GatePairs(
        now=small[fresh], keyframe=small[stale], disagreement=np.asarray(labels, np.float32)
    )


def _augmented(
    rng: np.random.Generator, pairs: GatePairs, chosen: npt.NDArray[np.int64]
) -> tuple[Thumbnails, Thumbnails]:
    """Return both thumbnails of the chosen pairs; each pair has its own change of colours."""
    both = pairs.now[chosen], pairs.keyframe[chosen]
    if rng.random() < 0.5:
        both = both[::-1]
    if rng.random() < 0.5:
        both = both[0][:, :, ::-1], both[1][:, :, ::-1]
    shape = (len(chosen), 1, 1, 3)
    gain = rng.uniform(1 - _GAIN, 1 + _GAIN, shape).astype(np.float32)
    offset = rng.uniform(-_OFFSET, _OFFSET, shape).astype(np.float32)
    now, keyframe = (np.clip(gain * each + offset, 0, 255) for each in both)
    return now, keyframe


def _batches(rng: np.random.Generator, pairs: int, batches: int) -> list[npt.NDArray[np.int64]]:
    return [rng.integers(0, pairs, min(BATCH_PAIRS, pairs)) for _ in range(batches)]
