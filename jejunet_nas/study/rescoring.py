"""Rescoring: the trials of a study at another target, or with the latencies of another device.

Nothing is trained. The graphs run only where the camera's rate or the device lets the processor
take frames that no earlier evaluation saw; what they give is kept beside them.
"""

import dataclasses
import itertools
from pathlib import Path

from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, PathLatencies, StudyHistory, TrialResult
from jejunet_nas.video.graphs import graphs_of


def rescored(
    history: StudyHistory,
    networks: Path,
    val: DataSplit,
    *,
    target_fps: float | None = None,
    meter: LatencyMeter | None = None,
    device: str | None = None,
    tell: Tell = lambda what, done, total: None,
) -> StudyHistory:
    """Return `history` with every complete trial scored again.

    networks: the folder of the study's networks. val: its validation clips. target_fps: the new
    target; by default the study's. meter: gives the latencies of another device, named `device`;
    the measured ones then no longer count. tell: receives the number of networks done. Refused
    trials stay refused: they have no graphs.

    Raises `SettingError` where a graph is missing.
    """
    fps = target_fps or history.target_fps
    done: dict[int, TrialResult] = {}
    trials = sorted(history.complete, key=lambda trial: trial.network_id)
    groups = [[*same] for _, same in itertools.groupby(trials, key=lambda t: t.network_id)]
    for count, same in enumerate(groups):
        tell("score again", count, len(groups))
        files = graphs_of(same[0].network, networks)
        evaluation, latencies = Evaluation(val, files), same[0].network.latencies
        if meter is not None:
            latencies = PathLatencies(**{name: meter.measure(f) for name, f in files.items()})
        done |= {t.number: _rescored(t, evaluation, latencies, fps, meter is None) for t in same}
    return dataclasses.replace(
        history,
        target_fps=fps,
        device=device or history.device,
        complete=tuple(done[trial.number] for trial in history.complete),
        phone=history.phone if meter is None else None,
        unscored=history.unscored if meter is None else (),
    )


def _rescored(
    trial: TrialResult,
    evaluation: Evaluation,
    latencies: PathLatencies,
    target_fps: float,
    as_measured: bool,
) -> TrialResult:
    policy, graphs = trial.architecture.policy, trial.measured_graphs if as_measured else None
    (found,) = evaluation.score([policy], latencies, target_fps=target_fps)
    doubts = trial.measured.doubts if trial.measured else ()
    measured = None
    if graphs is not None:
        measured = evaluation.stream(policy, graphs, target_fps=target_fps, doubts=doubts)
    return dataclasses.replace(
        trial,
        network=dataclasses.replace(trial.network, latencies=latencies),
        own_frame_score=found.own_frame,
        temporal=found.temporal,
        on_prediction=found.streamed,
        on_measurement=measured,
        measured_graphs=graphs,
    )
