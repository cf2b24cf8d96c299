"""The size of the class map: the graph upsamples its logits and returns their argmax."""

from jejunet_nas.space.architecture import Network

# Input pixels per class map pixel, with a decoder. Outside the graph the map is enlarged to the
# frame by nearest neighbour.
CLASS_MAP_STRIDE = 2


def class_map_factor(network: Network) -> int:
    """Return the factor by which the graph upsamples its logits before the argmax.

    Without a decoder it upsamples to the input size, as the published mobile DeepLabv3 does.
    """
    return network.logit_stride // (CLASS_MAP_STRIDE if network.propagates else 1)
