"""The bundle of a trial: its network's graphs in the study's folder, and its policy."""

from pathlib import Path

from jejunet_nas.latency.stream import background_lag
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.video.bundle import Bundle, BundleSource
from jejunet_nas.video.graphs import graph_files


def bundle_of(trial: TrialResult, history: StudyHistory, networks: Path) -> Bundle:
    """Return the bundle of `trial`; `networks` is the folder of its study's networks.

    If keyframes ran in the background when it was scored, the bundle has the lag of the score.
    """
    network = trial.network.network
    scored = trial.walks[0].lag
    lag = background_lag(trial.network.latencies, target_fps=history.target_fps)
    return Bundle(
        graphs=graph_files(trial.network, networks),
        class_names=trial.network.class_names,
        policy=trial.architecture.policy,
        input_height=network.input_height,
        input_width=network.input_width,
        keyframe_lag=lag if scored is None else scored,
        target_fps=history.target_fps,
        source=BundleSource(study=history.study, trial=trial.number, network_id=trial.network_id),
    )
