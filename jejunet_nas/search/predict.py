"""The latency of an architecture, predicted from its wiring without building it.

It predicts thousands a second, so a search can refuse too slow architectures before training. It
counts the operators of the converted graphs, so it agrees with a prediction of the `.tflite` files.
"""

from jejunet_nas.latency.predicted_meter import DeviceProfile
from jejunet_nas.networks.operators import network_operators
from jejunet_nas.records import PathLatencies
from jejunet_nas.space.architecture import Architecture


def predict_paths(
    architecture: Architecture, profile: DeviceProfile, *, classes: int, threads: int
) -> PathLatencies:
    """Return the predicted latency of each path."""
    operators = network_operators(architecture.network, classes)
    return PathLatencies(
        **{name: profile.predict(listed, threads=threads) for name, listed in operators.items()}
    )
