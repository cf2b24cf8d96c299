"""Tables: the front and all trials of a study, in plain values and as DataFrames.

A trial becomes a dict of figures here; reports, notebooks and `--json` print these.

Units: mIoU and shares of frames in [0, 1], per cent in names with `_pct`; times in ms a frame,
stages in s; hypervolume in mIoU x ms.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from jejunet_nas.records import PATHS, StudyHistory, TrialResult
from jejunet_nas.records.words import one_line
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.ranking import best_feasible, front_of, point_of, states
from jejunet_nas.space.architecture import Architecture, Network, Policy

_CHOICES = (*dataclasses.fields(Network), *dataclasses.fields(Policy))
_NETWORK_CHOICES = tuple(field.name for field in dataclasses.fields(Network))
_POLICY_CHOICES = tuple(field.name for field in dataclasses.fields(Policy))
_FIGURES = (
    *("miou", "float_miou", "int8_miou", "mean_ms", "worst_ms", "sustained_fps"),
    *("every_frame", "dropped_frames_pct", "latency_source", "predicted_ms", "unstable"),
    *(f"{path}_share" for path in PATHS),
    *("startup_ms", "consistency", "region_j", "boundary_f", "mean_age_frames"),
    *("longest_stale_frames", "gate_mean_error", "gate_rank_correlation"),
)
_WHOLE = {field.name: "Int64" for field in _CHOICES if field.type is int} | {
    "longest_stale_frames": "Int64"
}


def summary(history: StudyHistory) -> dict[str, Any]:
    """Return the content of `summary.json`, plain JSON values."""
    front = front_of(history)
    reference = reference_point(history.target_fps)
    return {
        "study": history.study,
        "dataset": history.dataset,
        "device": history.device,
        "threads": history.threads,
        "target_fps": history.target_fps,
        "trials": {
            "complete": len(history.complete),
            "refused": len(history.refused),
            "failed": len(history.failed),
        },
        "reference_point": list(reference),
        "hypervolume": hypervolume([point_of(trial) for trial in front], reference),
        "best_without_video": _in_short(best_feasible(history, video=False)),
        "best_with_video": _in_short(best_feasible(history, video=True)),
        "front": [_front_entry(trial) for trial in front],
    }


def front_table(history: StudyHistory) -> pd.DataFrame:
    """Return the front, one row a trial, best mIoU first."""
    rows = [
        {"trial": trial.number, "network_id": trial.network_id}
        | _figures(trial)
        | _choices(trial.architecture)
        for trial in front_of(history)
    ]
    return _frame(rows, ["trial", "network_id", *_FIGURES, *_choice_names()])


def trials_table(history: StudyHistory) -> pd.DataFrame:
    """Return every trial, one row each, by number; a cell is empty where nothing is known.

    A refused trial's `mean_ms` is the least that it can take.
    """
    rows: list[dict[str, Any]] = [
        {"trial": trial.number, "network_id": trial.network_id}
        | _figures(trial)
        | _choices(trial.architecture)
        | {"network_reused": trial.network_reused}
        | {f"{stage}_s": seconds for stage, seconds in trial.stage_s.items()}
        for trial in history.complete
    ]
    rows += [
        {"trial": trial.number, "mean_ms": trial.mean_ms, "latency_source": trial.source}
        | _choices(trial.architecture)
        | {"reason": one_line(trial.reason)}
        for trial in history.refused
    ]
    rows += [
        {"trial": trial.number, "reason": one_line(trial.reason)} | _choices(trial.architecture)
        for trial in history.failed
    ]
    state = states(history)
    rows = [row | {"state": state[row["trial"]]} for row in rows]
    stages = [f"{stage}_s" for stage in stage_names(history)]
    names = ["trial", "state", "network_id", *_choice_names(), *_FIGURES, "network_reused"]
    return _frame(sorted(rows, key=lambda row: row["trial"]), [*names, *stages, "reason"])


def stage_names(history: StudyHistory) -> list[str]:
    """Return the stages that any complete trial timed, in the order of a trial."""
    return list(dict.fromkeys(stage for trial in history.complete for stage in trial.stage_s))


def _in_short(trial: TrialResult | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {"trial": trial.number, "miou": trial.score.miou, "mean_ms": trial.latency.mean_ms}


def _front_entry(trial: TrialResult) -> dict[str, Any]:
    figures = {key: value for key, value in _figures(trial).items() if not key.endswith("_share")}
    return (
        {"trial": trial.number, "network_id": trial.network_id}
        | figures
        | {"paths": trial.paths}
        | {"architecture": dataclasses.asdict(trial.architecture)}
    )


def _figures(trial: TrialResult) -> dict[str, Any]:
    latency, temporal, gate, paths = trial.latency, trial.temporal, trial.network.gate, trial.paths
    values = (
        *(trial.score.miou, trial.float_miou, trial.int8_miou),
        *(latency.mean_ms, latency.worst_ms, latency.sustained_fps),
        *(latency.every_frame, 100 * latency.dropped_frames, latency.source),
        *(trial.predicted.mean_ms, "; ".join(latency.doubts) or None),
        *(paths[path] for path in PATHS),
        *(latency.startup_ms, temporal.consistency, temporal.region, temporal.boundary),
        *(temporal.mean_age_frames, temporal.longest_stale_frames),
        *(gate.mean_error, gate.rank_correlation),
    )
    return dict(zip(_FIGURES, values, strict=True))


def _choices(architecture: Architecture | None) -> dict[str, Any]:
    if architecture is None:
        return {}
    # Not `dataclasses.asdict`, which copies every value: ten thousand trials take seconds.
    network = {name: getattr(architecture.network, name) for name in _NETWORK_CHOICES}
    return network | {name: getattr(architecture.policy, name) for name in _POLICY_CHOICES}


def _choice_names() -> list[str]:
    return [field.name for field in _CHOICES]


def _frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns)).astype(_WHOLE)
