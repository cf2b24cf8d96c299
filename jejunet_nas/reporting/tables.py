"""Tables: the front of a study as Markdown.

Units: per cent; times in ms a frame; ages in frames.
"""

from collections import defaultdict

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import (
    escaped,
    network_words,
    one_line,
    per_cent,
    policy_words,
    source_words,
)
from jejunet_nas.reporting.markdown_table import markdown_table
from jejunet_nas.scoring.ranking import front_of


def front_markdown(history: StudyHistory) -> str:
    """Return the front as a Markdown table for a README, best mIoU first."""
    columns = ("trial", "mIoU %", "ms a frame", "sustained fps", "worst ms", "dropped %")
    rows = (
        (
            f"{trial.number}",
            per_cent(trial.score.miou),
            f"{trial.latency.mean_ms:.1f}",
            f"{trial.latency.sustained_fps:.1f}",
            f"{trial.latency.worst_ms:.1f}",
            per_cent(trial.latency.dropped_frames),
            escaped(network_words(trial.architecture.network)),
            escaped(policy_words(trial.architecture.policy)),
            source_words(trial),
        )
        for trial in front_of(history)
    )
    return markdown_table((*columns, "network", "policy", "latency"), rows, left=3)


def temporal_markdown(history: StudyHistory) -> str:
    """Return the scores over time of the front as a Markdown table, best mIoU first.

    The gate's figures are those of the network, whether or not the policy uses the gate.
    """
    columns = ("trial", "consistent %", "J %", "F %", "mean age", "longest stale", "gate error")
    rows = []
    for trial in front_of(history):
        temporal, gate = trial.temporal, trial.network.gate
        row = (
            f"{trial.number}",
            *map(per_cent, (temporal.consistency, temporal.region, temporal.boundary)),
            f"{temporal.mean_age_frames:.1f}",
            f"{temporal.longest_stale_frames}",
            "-" if gate.mean_error is None else f"{gate.mean_error:.3f}",
            "-" if gate.rank_correlation is None else f"{gate.rank_correlation:.2f}",
        )
        rows.append(row)
    return markdown_table((*columns, "gate rank correlation"), rows)


def failures(history: StudyHistory) -> list[tuple[str, list[int]]]:
    """Return the reasons of failed trials with the numbers of their trials, most frequent first."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for trial in history.failed:
        numbers[one_line(trial.reason)].append(trial.number)
    return sorted(numbers.items(), key=lambda item: -len(item[1]))


def class_notes(history: StudyHistory) -> str | None:
    """Return a sentence on the classes without a pixel in the val split; None if there is none."""
    absent = [
        name
        for index, name in enumerate(history.class_names)
        if any(trial.score.class_iou[index] is None for trial in history.complete)
    ]
    if not absent:
        return None
    names = ", ".join(map(escaped, absent))
    return f"Classes without annotation in the val split are left out of the mean: {names}."
