"""A table of the recorded benchmark without training, for tests of what is run over it.

mIoU is a smooth function of width, resolution and detail, less what a policy loses between
keyframes, with a noise of one point a training. Latencies are predicted, of an endless stream.
"""

import numpy as np

from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.latency.stream import least_stream
from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.space.search_space import SearchSpace
from jejunet_nas.study.prediction import predict_paths
from tests.benchmarks.recorded_table import RecordedTable, grid

NOISE = 0.01  # standard deviation over trainings of one network
_OF_DETAIL = {"shared": 0.02, "narrow": 0.01, "thin": 0.0}
_LOST_A_FRAME = {"shared": 0.003, "narrow": 0.006, "thin": 0.01}
_REUSED = 0.02  # lost a frame where masks are reused


def synthetic_table(
    space: SearchSpace, *, target_fps: float, trainings: int = 2, seed: int = 0
) -> RecordedTable:
    """Return a table of all networks and policies of `space`."""
    networks, policies = grid(space)
    profile = load_profile("pixel2")
    noise = np.random.default_rng(seed).normal(0, NOISE, (len(networks), trainings))
    miou = np.zeros((len(networks), len(policies), trainings), np.float32)
    mean_ms, worst_ms, dropped = (np.zeros_like(miou) for _ in range(3))
    for n, network in enumerate(networks):
        architecture = Architecture(network=network, policy=policies[0])
        paths = predict_paths(architecture, profile, classes=2, threads=1)
        for p, policy in enumerate(policies):
            stream = least_stream(policy, paths, target_fps=target_fps)
            miou[n, p] = (_quality(network) - _lost(network, policy) + noise[n]) * (
                1 - stream.dropped_frames
            )
            mean_ms[n, p], worst_ms[n, p] = stream.mean_ms, stream.worst_ms
            dropped[n, p] = stream.dropped_frames
    seconds = np.full((len(networks), trainings), 10, np.float32)
    return RecordedTable(
        networks=networks,
        policies=policies,
        train_s=seconds,
        stages_s=2 * seconds,
        miou=miou,
        mean_ms=mean_ms,
        worst_ms=worst_ms,
        dropped=dropped,
        about={"target_fps": target_fps, "feasible": "no_drops", "classes": 2},
    )


def _quality(network: Network) -> float:
    width, px = network.depth_multiplier, network.input_height
    sharp = 0.01 if network.logit_stride == 4 else 0.0
    return 0.75 - 0.1 * (1 - width) ** 2 - 20 / px * 0.5 + _OF_DETAIL[network.detail] + sharp


def _lost(network: Network, policy: Policy) -> float:
    age = (policy.keyframe_interval - 1) / 2
    a_frame = _LOST_A_FRAME[network.detail] if policy.propagates else _REUSED
    if policy.reuse_below is not None:
        a_frame = (a_frame + _REUSED) / 2
    if policy.refresh_above is not None:
        a_frame *= 0.8
    return a_frame * age
