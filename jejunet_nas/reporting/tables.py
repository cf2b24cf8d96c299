"""Tables: the front and all trials of a study, for programs, spreadsheets and people.

A trial is feasible where its mean latency is within the time of a frame at the target; the front is
the unbeaten among the feasible. All tables are drawn from one `StudyHistory` and nothing else.

Units: mIoU and shares of frames in [0, 1] (per cent in `_pct` and in Markdown); times in ms a
frame, stages in s; hypervolume in mIoU x ms.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from jejunet_nas.records import PATHS, StudyHistory, TrialResult
from jejunet_nas.reporting.words import (
    escaped,
    network_words,
    one_line,
    policy_words,
    source_words,
)
from jejunet_nas.scoring.front import hypervolume, pareto_front, reference_point
from jejunet_nas.space.architecture import Architecture, Network, Policy

State = Literal["front", "dominated", "over target", "refused", "failed"]

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
# A table with a failed trial has holes, which pandas' own whole numbers cannot hold.
_WHOLE = {field.name: "Int64" for field in _CHOICES if field.type is int} | {
    "longest_stale_frames": "Int64"
}


def deadline_ms(history: StudyHistory) -> float:
    """Return the time of one frame at the target."""
    return reference_point(history.target_fps)[1]


def feasible(history: StudyHistory) -> list[TrialResult]:
    """Return the complete trials whose mean latency meets the target, by number."""
    return [*_ranked(history)[0]]


def front_of(history: StudyHistory) -> list[TrialResult]:
    """Return the feasible trials that no feasible trial beats, best mIoU first."""
    return [*_ranked(history)[1]]


@functools.lru_cache(maxsize=2)  # a report asks for it some forty times
def _ranked(history: StudyHistory) -> tuple[tuple[TrialResult, ...], tuple[TrialResult, ...]]:
    """Return the feasible trials, and those on the front."""
    deadline = deadline_ms(history)
    trials = tuple(trial for trial in history.complete if trial.latency.mean_ms <= deadline)
    front = pareto_front([_point(trial) for trial in trials])
    return trials, tuple(trials[index] for index in front)


def states(history: StudyHistory) -> dict[int, State]:
    """Return what became of each trial, by its number."""
    found: dict[int, State] = {trial.number: "over target" for trial in history.complete}
    found |= {trial.number: "dominated" for trial in feasible(history)}
    found |= {trial.number: "front" for trial in front_of(history)}
    found |= {trial.number: "refused" for trial in history.refused}
    found |= {trial.number: "failed" for trial in history.failed}
    return dict(sorted(found.items()))


def best_feasible(history: StudyHistory, *, video: bool) -> TrialResult | None:
    """Return the best mIoU at the target, with or without frames between keyframes.

    Of equal mIoUs the faster is returned; None where no such trial meets the target.
    """
    trials = [
        trial for trial in feasible(history) if trial.architecture.policy.spares_frames == video
    ]
    return max(trials, key=lambda t: (t.score.miou, -t.latency.mean_ms), default=None)


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
        "hypervolume": hypervolume([_point(trial) for trial in front], reference),
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


def front_markdown(history: StudyHistory) -> str:
    """Return the front as a Markdown table for a README, best mIoU first."""
    header = "| trial | mIoU % | ms a frame | sustained fps | worst ms | dropped % | network "
    lines = [f"{header}| policy | latency |", "|" + " ---: |" * 6 + " --- |" * 3]
    for trial in front_of(history):
        latency = trial.latency
        cells = (
            f"{trial.number}",
            f"{100 * trial.score.miou:.1f}",
            f"{latency.mean_ms:.1f}",
            f"{latency.sustained_fps:.1f}",
            f"{latency.worst_ms:.1f}",
            f"{100 * latency.dropped_frames:.1f}",
            escaped(network_words(trial.architecture.network)),
            escaped(policy_words(trial.architecture.policy)),
            source_words(trial),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def temporal_markdown(history: StudyHistory) -> str:
    """Return how the front's masks behave over time as a Markdown table, best mIoU first.

    The gate's figures are those of the trial's network, whether or not its policy asks the gate.
    """
    header = "| trial | consistent % | J % | F % | mean age | longest stale | gate error "
    lines = [f"{header}| gate rank correlation |", "|" + " ---: |" * 8]
    for trial in front_of(history):
        temporal, gate = trial.temporal, trial.network.gate
        cells = (
            f"{trial.number}",
            *map(_per_cent, (temporal.consistency, temporal.region, temporal.boundary)),
            f"{temporal.mean_age_frames:.1f}",
            f"{temporal.longest_stale_frames}",
            "-" if gate.mean_error is None else f"{gate.mean_error:.3f}",
            "-" if gate.rank_correlation is None else f"{gate.rank_correlation:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def class_notes(history: StudyHistory) -> str | None:
    """Return one line that names the classes without one pixel in the val split, or None."""
    absent = [
        name
        for index, name in enumerate(history.class_names)
        if any(trial.score.class_iou[index] is None for trial in history.complete)
    ]
    if not absent:
        return None
    names = ", ".join(map(escaped, absent))
    return f"Never annotated in the val split, so left out of the mean: {names}."


def stage_names(history: StudyHistory) -> list[str]:
    """Return the stages that any complete trial timed, in the order of a trial."""
    return list(dict.fromkeys(stage for trial in history.complete for stage in trial.stage_s))


def _point(trial: TrialResult) -> tuple[float, float]:
    return (trial.score.miou, trial.latency.mean_ms)


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
