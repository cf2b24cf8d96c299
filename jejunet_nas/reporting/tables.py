"""Tables: the front of a study as Markdown.

Units: per cent; times in ms a frame; ages in frames.
"""

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import escaped, network_words, per_cent, policy_words, source_words
from jejunet_nas.scoring.ranking import front_of


def front_markdown(history: StudyHistory) -> str:
    """Return the front as a Markdown table for a README, best mIoU first."""
    header = "| trial | mIoU % | ms a frame | sustained fps | worst ms | dropped % | network "
    lines = [f"{header}| policy | latency |", "|" + " ---: |" * 6 + " --- |" * 3]
    for trial in front_of(history):
        latency = trial.latency
        cells = (
            f"{trial.number}",
            per_cent(trial.score.miou),
            f"{latency.mean_ms:.1f}",
            f"{latency.sustained_fps:.1f}",
            f"{latency.worst_ms:.1f}",
            per_cent(latency.dropped_frames),
            escaped(network_words(trial.architecture.network)),
            escaped(policy_words(trial.architecture.policy)),
            source_words(trial),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def temporal_markdown(history: StudyHistory) -> str:
    """Return the scores over time of the front as a Markdown table, best mIoU first.

    The gate's figures are those of the network, whether or not the policy uses the gate.
    """
    header = "| trial | consistent % | J % | F % | mean age | longest stale | gate error "
    lines = [f"{header}| gate rank correlation |", "|" + " ---: |" * 8]
    for trial in front_of(history):
        temporal, gate = trial.temporal, trial.network.gate
        cells = (
            f"{trial.number}",
            *map(per_cent, (temporal.consistency, temporal.region, temporal.boundary)),
            f"{temporal.mean_age_frames:.1f}",
            f"{temporal.longest_stale_frames}",
            "-" if gate.mean_error is None else f"{gate.mean_error:.3f}",
            "-" if gate.rank_correlation is None else f"{gate.rank_correlation:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


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
