"""Cards: one trial of the front as the values that a template prints.

Units: mIoU and shares in [0, 1]; latency in ms a frame, or a run of a graph; sizes in kB of 1000
bytes; MACs in millions.
"""

import base64
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.pictures import TrialPictures
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import (
    GRAPH_NAMES,
    GraphName,
    Latency,
    PathLatencies,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.words import asked_words, network_words, per_cent, policy_words
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.ranking import picks
from jejunet_nas.study.tables import trial_figures

Card = dict[str, Any]


def card(
    trial: TrialResult,
    history: StudyHistory,
    *,
    interval: Interval | None,
    pictures: TrialPictures | None,
    study: str,
) -> Card:
    """Return the card of a complete trial; `study` is the study's name on the command line."""
    network = trial.network
    # The interval of the mean latency follows from the intervals of the graphs.
    low, high = (
        stream_latency(
            trial.walks, _all_at(trial.graph_latencies, end), target_fps=history.target_fps
        )
        for end in ("low_ms", "high_ms")
    )
    return trial_figures(trial) | {
        "number": trial.number,
        "roles": [role for role, pick in picks(history).items() if pick is trial],
        "network": network_words(network.network),
        "policy": policy_words(trial.architecture.policy),
        "interval": interval,
        "low_ms": low.mean_ms,
        "high_ms": high.mean_ms,
        "measured": trial.measured is not None,
        "doubts": trial.latency.doubts,
        "paths": list(trial.paths.items()),
        "graphs": [_graph(trial, name) for name in GRAPH_NAMES],
        "classes": list(zip(history.class_names, trial.score.class_iou, strict=True)),
        "checked_frames": network.checked_frames,
        "parameters": network.training.parameters,
        "size_kb": sum(graph.size_bytes for graph in network.graphs.values()) / 1000,
        "pictures": _pictures(pictures),
        "export": export_command(study, trial.number, asked_words(history)),
    }


def export_command(study: str, number: int, asked: Sequence[str] = ()) -> str:
    """Return the command that exports a trial without fine-tuning; `asked`: its other options."""
    out = shlex.quote(f"{Path(study).stem}-{number}")
    words = ["jejunet-nas export", shlex.quote(study), f"--trial {number}", *asked, f"--out {out}"]
    return " ".join(words)


def _all_at(latencies: PathLatencies, end: str) -> PathLatencies:
    def at(latency: Latency) -> Latency:
        value = getattr(latency, end)
        return dataclasses.replace(latency, median_ms=value, low_ms=value, high_ms=value)

    return PathLatencies(**{name: at(getattr(latencies, name)) for name in GRAPH_NAMES})


def _graph(trial: TrialResult, name: GraphName) -> Mapping[str, Any]:
    graph, latency = trial.network.graphs[name], getattr(trial.graph_latencies, name)
    macs, kb = graph.macs / 1e6, graph.size_bytes / 1000
    return {"name": name, "latency": latency, "macs": macs, "kb": kb}


def _pictures(pictures: TrialPictures | None) -> list[Mapping[str, str]]:
    if pictures is None:
        return []
    return [
        {
            "title": f"{frame.role} clip: {frame.clip}"
            if frame.role in ("worst", "best")
            else f"{frame.clip}, {frame.role}",
            "note": f"frame {frame.frame}, {frame.path}; clip {per_cent(frame.clip_miou)} mIoU",
            "data": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
        }
        for frame, jpeg in zip(pictures.frames, pictures.jpegs, strict=True)
    ]
