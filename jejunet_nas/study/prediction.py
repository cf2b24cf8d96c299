"""Prediction: the latency of an architecture that is not trained, by a device profile."""

from jejunet_nas.evaluation.latencies import predict_move
from jejunet_nas.latency.predicted_meter import DeviceProfile
from jejunet_nas.latency.stream import least_stream
from jejunet_nas.networks.operators import network_operators
from jejunet_nas.records import PathLatencies, StreamLatency
from jejunet_nas.space.architecture import Architecture


def predict_paths(
    architecture: Architecture, profile: DeviceProfile, *, classes: int, threads: int
) -> PathLatencies:
    """Return the predicted latency of each path; a search predicts thousands a second.

    It counts the operators that the converted graphs would have, without building the network, so
    it agrees with a prediction of the `.tflite` files.
    """
    network = architecture.network
    operators = network_operators(network, classes)
    return PathLatencies(
        **{name: profile.predict(listed, threads=threads) for name, listed in operators.items()},
        move=predict_move(network, profile),
    )


def predict_least(
    architecture: Architecture,
    profile: DeviceProfile,
    *,
    classes: int,
    threads: int,
    target_fps: float,
) -> StreamLatency:
    """Return the least latency of a stream at `target_fps`, see `least_stream`."""
    latencies = predict_paths(architecture, profile, classes=classes, threads=threads)
    return least_stream(architecture.policy, latencies, target_fps=target_fps)
