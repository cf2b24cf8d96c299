"""Clustering: each kernel has a limited number of different values, which training adjusts.

It uses tensorflow-model-optimization's wrappers. LiteRT gets no faster; a compressed file gets
smaller, since the same few values repeat.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import tf_keras
from tensorflow.python.framework.ops import gradient_registry
from tensorflow_model_optimization.clustering.keras import CentroidInitialization, cluster_weights

from jejunet_nas.compression.pruning import unwrapped
from jejunet_nas.compression.settings import Clustering
from jejunet_nas.networks.build import KerasNetwork, assemble, reset_keras
from jejunet_nas.networks.keras_layers import KerasLayers
from jejunet_nas.progress import Tell
from jejunet_nas.training.material import Material


@contextlib.contextmanager
def forgetting_gradients() -> Iterator[None]:
    """Remove the custom gradients that are registered inside.

    The wrappers' gradients are custom. TensorFlow registers one for each kernel and graph, and
    keeps it for ever with its graph: 29 MB for a tiny network.
    """
    before = set(gradient_registry.list())
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - before:
            if name.startswith("CustomGradient-"):  # not of operators that were imported late
                del gradient_registry._registry[name]


@forgetting_gradients()
def train_clustered(
    network: KerasNetwork, settings: Clustering, material: Material, tell: Tell, *, keep_zeros: bool
) -> KerasNetwork:
    """Return `network` with clustered kernels, fine-tuned.

    keep_zeros: whether zeros stay zero. Kernels with fewer weights than clusters, and those of
    depthwise layers, are left unclustered.
    """
    wrappers: dict[str, Any] = {}

    def ready(layer: Any, x: Any) -> Any:
        if layer.name not in network.layers or not network.layers[layer.name].weights:
            return layer
        layer.build(x.shape)
        layer.set_weights(network.layers[layer.name].get_weights())
        stays_plain = type(layer) is not tf_keras.layers.Conv2D or layer.name.startswith("gate_")
        if stays_plain or layer.kernel.shape.num_elements() <= settings.clusters:
            return layer
        wrappers[layer.name] = cluster_weights(
            layer,
            number_of_clusters=settings.clusters,
            cluster_centroids_init=CentroidInitialization.LINEAR,
            preserve_sparsity=keep_zeros,
        )
        return wrappers[layer.name]

    reset_keras(material.training.seed)
    layers = KerasLayers(ready)
    clustered = assemble(network.network, network.classes, layers, layers.by_name)
    material.train(clustered, tell, what="train with clusters", schedule=settings)
    weights: dict[str, list[Any]] = {}
    for name, wrapper in wrappers.items():
        wrapper.update_clustered_weights_associations()
        kernel = wrapper.layer.kernel.numpy()
        others = [v.numpy() for v in wrapper.layer.weights if v.shape == (kernel.shape[3],)]
        weights[name] = [kernel, *others]
    return unwrapped(clustered, weights)
