"""From logits to the class map that a graph hands out: enlarged inside the graph, then argmax."""

from jejunet_nas.space.architecture import Network

CLASS_MAP_STRIDE = 2  # input pixels per class map pixel; the last step up is by nearest pixels


def class_map_factor(network: Network) -> int:
    """Return how much the logits are enlarged before their argmax."""
    return network.logit_stride // CLASS_MAP_STRIDE
