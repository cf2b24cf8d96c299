"""The latency of an architecture that was never built, from its wiring alone.

Thousands a second: a search can refuse what is too slow before it spends any training on it. The
operators that are counted are those of the converted graphs, so that this and a prediction of the
`.tflite` files are the same figure.
"""

from jejunet_nas.latency.predicted_meter import DeviceProfile
from jejunet_nas.networks.operators import network_operators
from jejunet_nas.records import PathLatencies
from jejunet_nas.space.architecture import Architecture


def predict_paths(
    architecture: Architecture, profile: DeviceProfile, *, classes: int, threads: int
) -> PathLatencies:
    """Return the predicted latency of each path of an architecture that was never built."""
    operators = network_operators(architecture.network, classes)
    return PathLatencies(
        **{name: profile.predict(listed, threads=threads) for name, listed in operators.items()}
    )
