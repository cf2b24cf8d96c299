"""Tables: the front and all trials of a study, in plain values and as DataFrames.

Units: mIoU and shares of frames in [0, 1], per cent in names with `_pct`; times in ms a frame;
stages in s; hypervolume in mIoU x ms.
"""

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from jejunet_nas.errors import SettingError
from jejunet_nas.records import PATHS, DataFacts, StudyHistory, TrialResult, to_json
from jejunet_nas.records.words import one_line
from jejunet_nas.scoring.every_frame import best_every_frame
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.held_out import held_out
from jejunet_nas.scoring.origins import scores_by_origin
from jejunet_nas.scoring.ranking import best_feasible, front_of, point_of, searched_words, states
from jejunet_nas.space.architecture import Architecture, Network, Policy

_NETWORK = dataclasses.fields(Network)
_POLICY = dataclasses.fields(Policy)

_CHOICES = tuple(field.name for field in (*_NETWORK, *_POLICY))
_FIGURES = (
    *("miou", "own_frame_miou", "float_miou", "int8_miou"),
    *("mean_ms", "worst_ms", "sustained_fps"),
    *("every_frame", "dropped_frames_pct", "latency_source", "predicted_ms", "unstable"),
    *("all_keyframes_miou", "all_keyframes_dropped_pct"),
    *(f"{path}_share" for path in PATHS),
    *("startup_ms", "consistency", "region_j", "boundary_f", "mean_age_frames"),
    *("longest_stale_frames", "gate_mean_error", "gate_rank_correlation"),
)
_INTEGERS = (
    *(field.name for field in (*_NETWORK, *_POLICY) if field.type is int),
    "longest_stale_frames",
)


def summary(history: StudyHistory) -> dict[str, Any]:
    """Return the content of `summary.json` as plain JSON values."""
    front = front_of(history)
    reference = reference_point(history.target_fps)
    return {
        "study": history.study,
        "dataset": history.dataset,
        "device": history.device,
        "threads": history.threads,
        "target_fps": history.target_fps,
        "feasible": history.feasible_rule,
        **({"searched_for": _searched_for(history)} if history.searched_for else {}),
        "trials": {
            "complete": len(history.drawn),
            "added": len(history.complete) - len(history.drawn),
            "refused": len(history.refused),
            "failed": len(history.failed),
        },
        "measured_but_not_scored": list(history.unscored),
        "reference_point": list(reference),
        "hypervolume": hypervolume([point_of(trial) for trial in front], reference),
        "best_without_video": _without_video(history),
        "best_with_video": _in_short(best_feasible(history, video=True)),
        "held_out": _held_out(history),
        "data": json.loads(to_json(history.data)),
        "front": [_front_entry(trial) | _by_origin(trial, history.data) for trial in front],
    }


def _held_out(history: StudyHistory) -> dict[str, Any] | None:
    """Return the held-out figure of the pick, or why there is none; None where it is off."""
    try:
        found = held_out(history)
    except SettingError as error:
        return {"missing": str(error)}
    return dataclasses.asdict(found) if found else None


def _searched_for(history: StudyHistory) -> dict[str, Any]:
    assert history.searched_for is not None
    return {
        "target_fps": history.searched_for.target_fps,
        "device": history.searched_for.device,
        "words": searched_words(history),
    }


def front_table(history: StudyHistory) -> pd.DataFrame:
    """Return the front, one row a trial, best mIoU first."""
    rows = [_row(trial) for trial in front_of(history)]
    return _frame(rows, ["trial", "network_id", *_FIGURES, *_CHOICES])


def trials_table(history: StudyHistory) -> pd.DataFrame:
    """Return every trial, one row each, by number; unknown cells are empty.

    `mean_ms`, `worst_ms` and `dropped_frames_pct` of a refused trial are lower bounds.
    """
    rows: list[dict[str, Any]] = [
        _row(trial)
        | {"network_reused": trial.network_reused, "added": trial.added}
        | {_stage_column(stage): seconds for stage, seconds in trial.stage_s.items()}
        for trial in history.complete
    ]
    rows += [
        {"trial": trial.number, "mean_ms": trial.mean_ms, "latency_source": trial.source}
        | {"worst_ms": trial.worst_ms, "dropped_frames_pct": 100 * trial.dropped_frames}
        | {"reason": one_line(trial.reason), **_choice_values(trial.architecture)}
        for trial in history.refused
    ]
    rows += [
        {"trial": trial.number, "reason": one_line(trial.reason)}
        | _choice_values(trial.architecture)
        for trial in history.failed
    ]
    state = states(history)
    rows = [row | {"state": state[row["trial"]]} for row in rows]
    stages = [_stage_column(stage) for stage in stage_names(history)]
    names = ["trial", "state", "network_id", *_CHOICES, *_FIGURES, "network_reused", "added"]
    return _frame(sorted(rows, key=lambda row: row["trial"]), [*names, *stages, "reason"])


def stage_names(history: StudyHistory) -> list[str]:
    """Return the names of all timed stages, in the order of a trial."""
    return list(dict.fromkeys(stage for trial in history.complete for stage in trial.stage_s))


def _stage_column(stage: str) -> str:
    """Return the column of a stage, such as `judge_the_gate_s`, in letters of identifiers."""
    return f"{re.sub('[^a-z0-9]+', '_', stage.lower())}_s"


def failures(history: StudyHistory) -> list[tuple[str, list[str]]]:
    """Return the reasons of failures with the trials that failed, most frequent first.

    A further training is, say, `4 with seed 2`.
    """
    failed: dict[str, list[str]] = defaultdict(list)
    for trial in history.failed:
        failed[one_line(trial.reason)].append(f"{trial.number}")
    for (number, seed), reason in history.failed_repeats.items():
        failed[one_line(reason)].append(f"{number} with seed {seed}")
    return sorted(failed.items(), key=lambda item: -len(item[1]))


def trial_figures(trial: TrialResult) -> dict[str, Any]:
    """Return the figures of a complete trial by the names of the tables' columns.

    miou: of what the screen shows; own_frame_miou: of each mask against its own frame. unstable:
    why its measurement is unstable; None where it is stable or nothing was measured. all_keyframes:
    the same network with every frame a keyframe, on the screen.
    """
    latency, temporal, gate, paths = trial.latency, trial.temporal, trial.network.gate, trial.paths
    streamed, whole_dropped = trial.streamed, trial.streamed.every_frame_dropped
    values = (
        *(trial.score.miou, trial.own_frame_score.miou, trial.float_miou, trial.int8_miou),
        *(latency.mean_ms, latency.worst_ms, latency.sustained_fps),
        *(latency.every_frame, 100 * latency.dropped_frames, latency.source),
        *(trial.predicted.mean_ms, "; ".join(latency.doubts) or None),
        *(streamed.every_frame_miou, None if whole_dropped is None else 100 * whole_dropped),
        *(paths[path] for path in PATHS),
        *(latency.startup_ms, temporal.consistency, temporal.region, temporal.boundary),
        *(temporal.mean_age_frames, temporal.longest_stale_frames),
        *(gate.mean_error, gate.rank_correlation),
    )
    return dict(zip(_FIGURES, values, strict=True))


def _choice_values(architecture: Architecture | None) -> dict[str, Any]:
    if architecture is None:
        return {}
    # `dataclasses.asdict` copies every value; 10,000 trials would take seconds.
    network = {field.name: getattr(architecture.network, field.name) for field in _NETWORK}
    return network | {field.name: getattr(architecture.policy, field.name) for field in _POLICY}


def _in_short(trial: TrialResult | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {
        "trial": trial.number,
        "miou": trial.score.miou,
        "mean_ms": trial.latency.mean_ms,
        "dropped_frames_pct": 100 * trial.latency.dropped_frames,
        "all_keyframes_miou": trial.streamed.every_frame_miou,
    }


def _without_video(history: StudyHistory) -> dict[str, Any] | None:
    """Return the best with every frame a keyframe; `trial` may run its network otherwise."""
    found = best_every_frame(history)
    if found is None:
        return None
    return {
        "trial": found.trial.number,
        "miou": found.miou,
        "mean_ms": found.latency.mean_ms,
        "dropped_frames_pct": 100 * found.latency.dropped_frames,
        "all_keyframes_miou": found.trial.streamed.every_frame_miou,
    }


def _front_entry(trial: TrialResult) -> dict[str, Any]:
    figures = trial_figures(trial).items()
    return {
        "trial": trial.number,
        "network_id": trial.network_id,
        **{name: value for name, value in figures if not name.endswith("_share")},
        "paths": trial.paths,
        "architecture": dataclasses.asdict(trial.architecture),
    }


def _by_origin(trial: TrialResult, data: DataFacts) -> dict[str, Any]:
    """Return the scores of videos and of simulated pans, where val has both."""
    if not (data.videos and data.photos):
        return {}
    return {"by_origin": [dataclasses.asdict(score) for score in scores_by_origin(trial, data)]}


def _row(trial: TrialResult) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "network_id": trial.network_id,
        **trial_figures(trial),
        **_choice_values(trial.architecture),
    }


def _frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict.fromkeys(_INTEGERS, "Int64"))
