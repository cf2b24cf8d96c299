"""Cards: all that is known of one trial of the front, as the values that a template prints.

Units: mIoU and shares in per cent; latency in ms a frame, or a run of a graph; sizes in kB of 1000
bytes; MACs in millions.
"""

import base64
import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.pictures import TrialPictures
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import (
    GRAPH_NAMES,
    PATHS,
    Latency,
    PathLatencies,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.words import network_words, per_cent, policy_words
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.front import knee
from jejunet_nas.scoring.ranking import front_of

Card = dict[str, Any]

_TITLES = {
    "early": "{}, early",
    "midway": "{}, midway",
    "late": "{}, late",
    "worst": "worst clip: {}",
    "best": "best clip: {}",
}


def roles(history: StudyHistory) -> dict[int, list[str]]:
    """Return what each trial of the front may be picked for: best, knee, fastest; by number."""
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
    """Return the card of a complete trial; `study` is what one types for its study."""
    latency, network = trial.latency, trial.network
    low_ms, high_ms = _mean_interval(trial, history.target_fps)
    return {
        "number": trial.number,
        "roles": roles,
        "network": network_words(network.network),
        "network_id": network.network_id,
        "policy": policy_words(trial.architecture.policy),
        "miou": 100 * trial.score.miou,
        "interval": (100 * interval.low, 100 * interval.high) if interval else None,
        "mean_ms": latency.mean_ms,
        "low_ms": low_ms,
        "high_ms": high_ms,
        "source": latency.source,
        "doubts": latency.doubts,
        "predicted_ms": trial.predicted.mean_ms if trial.measured else None,
        "fps": latency.sustained_fps,
        "worst_ms": latency.worst_ms,
        "every_frame": latency.every_frame,
        "dropped": 100 * latency.dropped_frames,
        "startup_ms": latency.startup_ms,
        "paths": [(path, 100 * trial.paths.get(path, 0.0)) for path in PATHS],
        "graphs": list(_graphs(trial)),
        "classes": _classes(trial, history.class_names),
        "float_miou": 100 * trial.float_miou,
        "int8_miou": 100 * trial.int8_miou,
        "checked_frames": network.checked_frames,
        "parameters": network.training.parameters,
        "size_kb": sum(graph.size_bytes for graph in network.graphs.values()) / 1000,
        "alike": 100 * network.agreement.key,
        "consistency": _per_cent(trial.temporal.consistency),
        "region": _per_cent(trial.temporal.region),
        "boundary": _per_cent(trial.temporal.boundary),
        "mean_age": trial.temporal.mean_age_frames,
        "longest_stale": trial.temporal.longest_stale_frames,
        "pictures": _pictures(pictures),
        "export": export_command(study, trial.number),
    }


def export_command(study: str, number: int) -> str:
    """Return the command that exports a trial, its weights as they are."""
    out = shlex.quote(f"{Path(study).stem}-{number}")
    return f"jejunet-nas export {shlex.quote(study)} --trial {number} --out {out}"


def _mean_interval(trial: TrialResult, target_fps: float) -> tuple[float, float]:
    """Return how little and how much a frame may take, by the intervals of the graphs."""
    low, high = (
        stream_latency(trial.walks, _all_at(trial.graph_latencies, end), target_fps=target_fps)
        for end in ("low_ms", "high_ms")
    )
    return low.mean_ms, high.mean_ms


def _all_at(latencies: PathLatencies, end: str) -> PathLatencies:
    return PathLatencies(**{name: _at(getattr(latencies, name), end) for name in GRAPH_NAMES})


def _at(latency: Latency, end: str) -> Latency:
    value = getattr(latency, end)
    return dataclasses.replace(latency, median_ms=value, low_ms=value, high_ms=value)


def _graphs(trial: TrialResult) -> Iterator[Mapping[str, Any]]:
    for name in GRAPH_NAMES:
        latency, graph = getattr(trial.graph_latencies, name), trial.network.graphs[name]
        yield {
            "name": name,
            "ms": latency.median_ms,
            "low_ms": latency.low_ms,
            "high_ms": latency.high_ms,
            "source": latency.source,
            "macs": graph.macs / 1e6,
            "kb": graph.size_bytes / 1000,
        }


def _classes(trial: TrialResult, names: Sequence[str]) -> list[tuple[str, float | None]]:
    pairs = zip(names, trial.score.class_iou, strict=True)
    return [(name, _per_cent(iou)) for name, iou in pairs]


def _per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share


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
