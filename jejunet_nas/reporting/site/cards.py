"""Cards: one trial of the front as the values that a template prints.

Units: mIoU and shares in [0, 1]; latency in ms a frame, or a run of a graph; sizes in kB of 1000
bytes; MACs in millions.
"""

import base64
import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.pictures import TrialPictures
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import GRAPH_NAMES, Latency, PathLatencies, StudyHistory, TrialResult
from jejunet_nas.records.words import network_words, per_cent, policy_words
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.front import knee
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.figures import trial_figures

Card = dict[str, Any]

_TITLES = {
    "early": "{}, early",
    "midway": "{}, midway",
    "late": "{}, late",
    "worst": "worst clip: {}",
    "best": "best clip: {}",
}


def roles(history: StudyHistory) -> dict[int, list[str]]:
    """Return the roles of each trial of the front, by number: best, knee, fastest."""
    front = front_of(history)
    if not front:
        return {}
    bend = front[knee([(trial.score.miou, trial.latency.mean_ms) for trial in front])]
    picked = {"best": front[0], "knee": bend, "fastest": front[-1]}
    return {
        trial.number: [role for role, pick in picked.items() if pick is trial] for trial in front
    }


def card(
    trial: TrialResult,
    history: StudyHistory,
    *,
    interval: Interval | None,
    pictures: TrialPictures | None,
    roles: list[str],
    study: str,
) -> Card:
    """Return the card of a complete trial; `study` is the study's name on the command line."""
    network = trial.network
    low_ms, high_ms = _mean_interval(trial, history.target_fps)
    return trial_figures(trial) | {
        "number": trial.number,
        "roles": roles,
        "network": network_words(network.network),
        "policy": policy_words(trial.architecture.policy),
        "interval": interval,
        "low_ms": low_ms,
        "high_ms": high_ms,
        "measured": trial.measured is not None,
        "doubts": trial.latency.doubts,
        "paths": list(trial.paths.items()),
        "graphs": list(_graphs(trial)),
        "classes": list(zip(history.class_names, trial.score.class_iou, strict=True)),
        "checked_frames": network.checked_frames,
        "parameters": network.training.parameters,
        "size_kb": sum(graph.size_bytes for graph in network.graphs.values()) / 1000,
        "pictures": _pictures(pictures),
        "export": export_command(study, trial.number),
    }


def export_command(study: str, number: int) -> str:
    """Return the command that exports a trial without fine-tuning."""
    out = shlex.quote(f"{Path(study).stem}-{number}")
    return f"jejunet-nas export {shlex.quote(study)} --trial {number} --out {out}"


def _mean_interval(trial: TrialResult, target_fps: float) -> tuple[float, float]:
    """Return the interval of the mean latency that follows from the intervals of the graphs."""
    low, high = (
        stream_latency(trial.walks, _all_at(trial.graph_latencies, end), target_fps=target_fps)
        for end in ("low_ms", "high_ms")
    )
    return low.mean_ms, high.mean_ms


def _all_at(latencies: PathLatencies, end: str) -> PathLatencies:
    def at(latency: Latency) -> Latency:
        value = getattr(latency, end)
        return dataclasses.replace(latency, median_ms=value, low_ms=value, high_ms=value)

    return PathLatencies(**{name: at(getattr(latencies, name)) for name in GRAPH_NAMES})


def _graphs(trial: TrialResult) -> Iterator[Mapping[str, Any]]:
    for name in GRAPH_NAMES:
        graph = trial.network.graphs[name]
        yield {
            "name": name,
            "latency": getattr(trial.graph_latencies, name),
            "macs": graph.macs / 1e6,
            "kb": graph.size_bytes / 1000,
        }


def _pictures(pictures: TrialPictures | None) -> list[Mapping[str, str]]:
    if pictures is None:
        return []
    return [
        {
            "title": _TITLES[frame.role].format(frame.clip),
            "note": f"frame {frame.frame}, {frame.path}; clip {per_cent(frame.clip_miou)} mIoU",
            "data": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
        }
        for frame, jpeg in zip(pictures.frames, pictures.jpegs, strict=True)
    ]
