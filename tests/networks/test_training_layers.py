"""Training layers: what one step computes is what the Keras models compute, in fewer passes."""

import numpy as np
import tensorflow as tf

from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.networks.training_layers import TrainingLayers, pair_logits, variables_of
from tests.builders import noise

PAIRS, OWN = 4, 2


def pairs_of(network: KerasNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Return frames and their context frames, of which the first `OWN` are the same."""
    shape = network.network.input_height, network.network.input_width, 3
    frames, others = noise(0, PAIRS, *shape), noise(1, PAIRS, *shape)
    return frames, np.concatenate([frames[:OWN], others[OWN:]])


def logits_of(network: KerasNetwork, layers: TrainingLayers, own: int = OWN) -> tf.Tensor:
    frames = pairs_of(network)
    return pair_logits(layers, *frames, network.network, network.classes, own=own)


def test_they_compute_what_the_keras_models_compute_in_training(built: KerasNetwork) -> None:
    layers = TrainingLayers(variables_of(built.layers))

    logits = logits_of(built, layers, own=0)

    expected = built.decode_with(*pairs_of(built), training=True)
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
    stem = layers.seen["Conv1"][0]
    assert stem.mean.shape == stem.variance.shape == built.layers["Conv1_BN"].gamma.shape


def test_gradients_reach_kernels_scales_and_shifts(built: KerasNetwork) -> None:
    variables = variables_of(built.layers)

    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(logits_of(built, TrainingLayers(variables)) ** 2)

    for gradient in tape.gradient(loss, [*variables["Conv1"]]):
        assert np.abs(gradient).max() > 0


def test_shared_detail_takes_one_pass_over_a_batch_of_keyframes(built: KerasNetwork) -> None:
    layers = TrainingLayers(variables_of(built.layers))

    frames = pairs_of(built)[0]
    pair_logits(layers, frames, frames, built.network, built.classes, own=PAIRS)

    assert len(layers.seen["Conv1"]) == 1


def test_a_network_of_plain_layers_is_not_wrapped(built: KerasNetwork) -> None:
    assert not built.wrapped
