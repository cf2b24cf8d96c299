"""From logits to the class map that a graph hands out: enlarged inside the graph, then argmax."""

from jejunet_nas.space.architecture import Network

# Input pixels per class map pixel, where there is a decoder; the last step up is by nearest pixels.
CLASS_MAP_STRIDE = 2


def class_map_factor(network: Network) -> int:
    """Return how much the logits are enlarged before their argmax.

    Without a decoder, all the way up, as the DeepLabv3 that was shipped for phones does.
    """
    return network.logit_stride // (CLASS_MAP_STRIDE if network.propagates else 1)
