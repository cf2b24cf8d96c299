"""Tables: the front and all trials of a study, for programs, spreadsheets and people.

A trial is feasible where its mean latency is within the time of a frame at the target; the front is
the unbeaten among the feasible. All tables are drawn from one `StudyHistory` and nothing else.

Units: mIoU and shares of frames in [0, 1] (per cent in `_pct` and in Markdown); times in ms a
frame, stages in s; hypervolume in mIoU x ms.
"""

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import escaped, network_words, per_cent, policy_words, source_words
from jejunet_nas.scoring.ranking import front_of

# A table with a failed trial has holes, which pandas' own whole numbers cannot hold.


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
    """Return how the front's masks behave over time as a Markdown table, best mIoU first.

    The gate's figures are those of the trial's network, whether or not its policy asks the gate.
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
