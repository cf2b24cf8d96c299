"""The predicted latencies of a network: of its graphs, and of moving its masks."""

from collections.abc import Mapping
from pathlib import Path

from jejunet_nas.latency.moving import moving_latency
from jejunet_nas.latency.predicted_meter import DeviceProfile, PredictedMeter
from jejunet_nas.records import GraphName, Latency, PathLatencies
from jejunet_nas.space.architecture import Network
from jejunet_nas.video.motion import comparisons


def predict_graphs(
    files: Mapping[GraphName, Path], network: Network, meter: PredictedMeter
) -> PathLatencies:
    """Return the latency of each graph of `network`, and of moving its masks."""
    return PathLatencies(
        **{name: meter.measure(file) for name, file in files.items()},
        move=predict_move(network, meter.profile),
    )


def predict_move(network: Network, profile: DeviceProfile) -> Latency:
    """Return the latency of moving a mask of `network` to the next frame."""
    return moving_latency(profile, comparisons(network.input_height, network.input_width))
