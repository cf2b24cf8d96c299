"""Few values a kernel, whatever comes after."""

import numpy as np
import numpy.typing as npt
import pytest
from tensorflow.python.framework.ops import gradient_registry

from jejunet_nas.compression.clustering import train_clustered
from jejunet_nas.compression.post_training import quantize_after_training
from jejunet_nas.compression.settings import Clustering, PostTrainingInt8
from jejunet_nas.litert import convolution_weights
from jejunet_nas.networks.build import KerasNetwork
from tests.builders import TinyRun, traced_graphs
from tests.compression.observed import is_pruned, kernels_of, most_values_a_channel, values_of
from tests.compression.rehearsal import DRIFT, Rehearsal, silence

CLUSTERS, STEPS = 5, 3


@pytest.fixture(scope="module")
def clustered(tiny: TinyRun, rehearsal: Rehearsal) -> KerasNetwork:
    settings = Clustering(clusters=CLUSTERS, steps=STEPS)
    return train_clustered(tiny.network, settings, rehearsal, silence, keep_zeros=False)


def test_a_kernel_has_no_more_values_than_there_are_clusters(
    tiny: TinyRun, clustered: KerasNetwork
) -> None:
    for name, kernel in kernels_of(clustered).items():
        if is_pruned(name):  # the same kernels are clustered as are pruned
            assert 2 <= values_of(kernel) <= CLUSTERS, name
        else:
            assert values_of(kernel) == values_of(kernels_of(tiny.network)[name]), name


def test_clustering_leaves_no_graph_and_no_gradient_in_memory(
    tiny: TinyRun, clustered: KerasNetwork, rehearsal: Rehearsal
) -> None:
    graphs, gradients = traced_graphs(), set(gradient_registry.list())

    settings = Clustering(clusters=CLUSTERS, steps=1)
    train_clustered(tiny.network, settings, rehearsal, silence, keep_zeros=False)

    assert traced_graphs() <= graphs
    assert set(gradient_registry.list()) == gradients


def test_a_weight_moves_to_a_value_near_it(tiny: TinyRun, clustered: KerasNetwork) -> None:
    for name, kernel in kernels_of(clustered).items():
        before = kernels_of(tiny.network)[name]
        # Values lie evenly from the least weight to the largest, and all have moved a little.
        half_way = np.ptp(before) / (CLUSTERS - 1) / 2
        assert np.abs(kernel - before).max() <= half_way + 2 * STEPS * DRIFT, name


def test_biases_and_batch_norm_are_those_that_were_trained(
    tiny: TinyRun, clustered: KerasNetwork
) -> None:
    for name, layer in clustered.layers.items():
        before, after = tiny.network.layers[name].get_weights(), layer.get_weights()
        # Behind the kernel the bias; gamma and beta, before the statistics of what is seen.
        trained = slice(0, 2) if name.endswith("_BN") else slice(1, None)
        for old, new in zip(before[trained], after[trained], strict=True):
            np.testing.assert_allclose(new, old, atol=1.01 * STEPS * DRIFT, err_msg=name)


def test_in_int8_a_channel_has_no_more_values_than_its_kernel_had(
    clustered: KerasNetwork, frames: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Equalisation scales each input channel by its own factor, and is left out here.
    settings = PostTrainingInt8(equalize="never")
    found = quantize_after_training(clustered.folded(), frames, settings)

    for name, layer in found.int8.weights.items():
        if is_pruned(name):
            assert most_values_a_channel(layer.kernel) <= CLUSTERS, name
    stored = convolution_weights(found.int8.write(tmp_path_factory.mktemp("int8"))["key"])
    dense = [each for each in stored if each.shape[1] != 9]  # all but depthwise ones
    assert len(dense) == sum(is_pruned(name) for name in found.int8.weights)
    assert max(values_of(channel) for kernel in dense for channel in kernel) <= CLUSTERS
