"""Notes: a study and each of its trials in a few lines of Markdown, for a dashboard.

What a trial is, in words; its figures, each with its source; and of what was not finished, why.

Units: mIoU in per cent, latency in ms a frame of a stream or a run of a graph.
"""

from collections.abc import Mapping

from jejunet_nas.records import (
    GRAPH_NAMES,
    FailedTrial,
    PathLatencies,
    RefusedTrial,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.words import (
    escaped,
    latency_words,
    network_words,
    per_cent,
    policy_words,
    source_words,
)
from jejunet_nas.scoring.ranking import State, deadline_ms, front_of, nearest_to_target, states

Figures = Mapping[str, float | str]

_OPENINGS: dict[State, str] = {
    "front": "On the front.",
    "dominated": "Another trial is at least as good in mIoU and in latency.",
    "over target": "Over the target: it takes longer than a frame has.",
}


def study_note(history: StudyHistory) -> str:
    """Return what the study is, how it stands, and what its names mean."""
    front = front_of(history)
    best = f"; the best mIoU is trial {front[0].number}'s" if front else ""
    lines = [
        f"# {escaped(history.study)}",
        f"{escaped(history.dataset)}, target {history.target_fps:g} fps "
        f"({deadline_ms(history):.1f} ms a frame), latency {escaped(latency_words(history))}.",
        f"Trials: {len(history.complete)} complete, {len(history.refused)} refused before "
        f"training, {len(history.failed)} failed; {len(front)} on the front{best}.",
        escaped(nearest_to_target(history) or ""),
        f"Classes: {', '.join(map(escaped, history.class_names))}.",
        "A trial is feasible where its mean latency is within the time of a frame; the front is "
        "the unbeaten among the feasible. Refused trials are pruned, and infeasible.",
    ]
    return "\n\n".join(line for line in lines if line)


def trial_notes(history: StudyHistory) -> dict[int, str]:
    """Return a note on each trial that has ended, by its number."""
    state = states(history)
    notes = {t.number: _complete_note(t, state[t.number], history) for t in history.complete}
    notes |= {trial.number: _refused_note(trial, history) for trial in history.refused}
    return notes | {trial.number: _failed_note(trial) for trial in history.failed}


def trial_figures(history: StudyHistory) -> dict[int, Figures]:
    """Return what a table of trials shows of each that has ended, by its number."""
    state = states(history)
    figures: dict[int, Figures] = {number: {"state": word} for number, word in state.items()}
    return figures | {
        trial.number: {
            "state": state[trial.number],
            "mIoU %": round(100 * trial.score.miou, 2),
            "ms a frame": round(trial.latency.mean_ms, 2),
            "worst ms": round(trial.latency.worst_ms, 2),
            "dropped %": round(100 * trial.latency.dropped_frames, 2),
            "latency": source_words(trial),
            "network": trial.network_id,
        }
        for trial in history.complete
    }


def _complete_note(trial: TrialResult, state: State, history: StudyHistory) -> str:
    rows = [*_score_rows(trial), *_latency_rows(trial, history), *_network_rows(trial)]
    table = [f"| {name} | {words} |" for name, words in rows]
    architecture = trial.architecture
    return "\n\n".join(
        (
            f"**Trial {trial.number}.** {_OPENINGS[state]}",
            f"Network: {escaped(network_words(architecture.network))}",
            f"Policy: {escaped(policy_words(architecture.policy))}",
            "\n".join(["| figure | value |", "| --- | --- |", *table]),
            f"IoU by class, in per cent: {_ious(trial)}.",
        )
    )


def _score_rows(trial: TrialResult) -> list[tuple[str, str]]:
    shares = [f"{path} {per_cent(share, 0)} %" for path, share in trial.paths.items() if share]
    consistency = trial.temporal.consistency
    return [
        ("mIoU", f"{per_cent(trial.score.miou)} %, int8 graphs over whole validation clips"),
        (
            "mIoU, each frame a keyframe",
            f"{per_cent(trial.float_miou)} % float, {per_cent(trial.int8_miou)} % int8",
        ),
        ("consistent over time", "-" if consistency is None else f"{per_cent(consistency)} %"),
        ("frames by path", ", ".join(shares)),
    ]


def _latency_rows(trial: TrialResult, history: StudyHistory) -> list[tuple[str, str]]:
    latency, device = trial.latency, escaped(history.device)
    source = f"{latency.source} for {device}"
    if trial.measured is not None:
        source = (
            f"measured on {escaped(history.phone or history.device)}; "
            f"{trial.predicted.mean_ms:.1f} predicted for {device}"
        )
    rows = [
        ("ms a frame", f"{latency.mean_ms:.1f}, {source}"),
        ("sustained fps", f"{latency.sustained_fps:.1f}"),
        ("worst frame", f"{latency.worst_ms:.1f} ms"),
        ("dropped frames", f"{per_cent(latency.dropped_frames)} %"),
        ("graphs", f"{_graph_ms(trial.graph_latencies)} ({trial.graph_latencies.source})"),
    ]
    doubts = [("unstable", escaped("; ".join(latency.doubts)))] if latency.doubts else []
    return rows + doubts


def _graph_ms(latencies: PathLatencies) -> str:
    return ", ".join(f"{n} {getattr(latencies, n).median_ms:.1f} ms" for n in GRAPH_NAMES)


def _network_rows(trial: TrialResult) -> list[tuple[str, str]]:
    found = "found trained already" if trial.network_reused else "trained for this trial"
    seconds = sum(trial.stage_s.values())
    return [("network", f"`{trial.network_id}`, {found}"), ("time it took", f"{seconds:.0f} s")]


def _ious(trial: TrialResult) -> str:
    pairs = zip(trial.network.class_names, trial.score.class_iou, strict=False)
    words = [f"{escaped(name)} {per_cent(iou)}" for name, iou in pairs if iou is not None]
    return ", ".join(words) or "none is annotated"


def _refused_note(trial: RefusedTrial, history: StudyHistory) -> str:
    return (
        f"**Trial {trial.number}.** Refused before training: {escaped(trial.reason)}.\n\n"
        f"Network: {escaped(network_words(trial.architecture.network))}\n\n"
        f"Policy: {escaped(policy_words(trial.architecture.policy))}\n\n"
        f"It takes at least {trial.mean_ms:.1f} ms a frame ({trial.source} for "
        f"{escaped(history.device)}); a frame has {deadline_ms(history):.1f} ms."
    )


def _failed_note(trial: FailedTrial) -> str:
    lines = [f"**Trial {trial.number}.** Failed: {escaped(trial.reason)}"]
    if trial.architecture is not None:
        lines += [
            f"Network: {escaped(network_words(trial.architecture.network))}",
            f"Policy: {escaped(policy_words(trial.architecture.policy))}",
        ]
    return "\n\n".join(lines)
