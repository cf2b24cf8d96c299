from collections.abc import Iterable

import numpy as np
import pytest
import tf_keras

from jejunet_nas.training.batch_norm import estimate_statistics


def norm_of(channels: int) -> tf_keras.layers.BatchNormalization:
    norm = tf_keras.layers.BatchNormalization(momentum=0.9)
    norm.build((None, 4, 4, channels))
    return norm


def pictures(batches: int) -> Iterable[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(n, n + 1, (5, 4, 4, 3)).astype(np.float32) for n in range(batches)]


def test_statistics_become_the_mean_over_batches_of_each_batchs_own() -> None:
    norm, batches = norm_of(3), pictures(4)

    estimate_statistics([norm], lambda batch: norm(batch, training=True), batches)

    means = np.mean([batch.mean((0, 1, 2)) for batch in batches], axis=0)
    # Fused batch norm divides by one less than the 80 pixels, as an unbiased estimate does.
    variances = np.mean([batch.var((0, 1, 2), ddof=1) for batch in batches], axis=0)
    np.testing.assert_allclose(norm.moving_mean, means, rtol=1e-5)  # float32
    np.testing.assert_allclose(norm.moving_variance, variances, rtol=1e-5)


def test_the_momentum_is_restored() -> None:
    norm = norm_of(3)

    estimate_statistics([norm], lambda batch: norm(batch, training=True), pictures(2))

    assert norm.momentum == 0.9


def test_the_momentum_is_restored_after_an_error() -> None:
    norm = norm_of(3)

    def broken(batch: np.ndarray) -> None:
        raise ValueError("a picture is torn")

    with pytest.raises(ValueError, match="a picture is torn"):
        estimate_statistics([norm], broken, pictures(2))
    assert norm.momentum == 0.9


def test_layers_without_statistics_are_ignored() -> None:
    norm, dense = norm_of(3), tf_keras.layers.Dense(3)
    dense.build((None, 3))
    before = dense.get_weights()

    estimate_statistics([dense, norm], lambda batch: norm(batch, training=True), pictures(1))

    np.testing.assert_equal(dense.get_weights(), before)
    assert np.abs(norm.moving_mean).min() > 0
