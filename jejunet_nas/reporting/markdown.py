"""Markdown: a study's report as one Markdown page.

Its order: the front and its best trials, the validation clips, the comparison with a baseline,
published results, the masks over time, the cost of int8, measured latencies, the time spent, and
failed trials.

Units: mIoU in per cent, latency in ms a frame, ages in frames, stages in s.
"""

import shlex
from collections.abc import Sequence

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import (
    asked_words,
    complete_words,
    counted,
    escaped,
    latency_words,
    markdown_table,
    network_words,
    one_line,
    per_cent,
    source_words,
    trial_policy_words,
)
from jejunet_nas.reporting.baseline import BaselineAnswer
from jejunet_nas.reporting.baseline_words import caveat, sentences
from jejunet_nas.reporting.compression import front_compression_markdown
from jejunet_nas.reporting.glossary import legend
from jejunet_nas.reporting.held_out import held_out_note, seeds_note, selection_note
from jejunet_nas.reporting.notes import reasons
from jejunet_nas.reporting.published_section import published_section
from jejunet_nas.reporting.validation import validation_section
from jejunet_nas.scoring.ranking import (
    deadline_ms,
    front_of,
    nearest_to_target,
    rule_words,
    searched_words,
)
from jejunet_nas.study.tables import failures, stage_names


def page(
    history: StudyHistory, figure: str, against: BaselineAnswer | None = None, *, name: str = ""
) -> str:
    """Return the report; `figure` is the file of the front's chart in the page's folder.

    against: the comparison with a baseline, where there is one. name: the study's on the command
    line, if that is not its name in `history`.
    """
    front = front_of(history)
    again = searched_words(history)
    sections = [
        f"# {escaped(history.study)}",
        _opening(history),
        *([escaped(again)] if again else []),
    ]
    sections += _front_section(history, figure)
    sections += validation_section(history)
    if against:
        sections += _against_section(against)
    sections += published_section(history)
    if front:
        sections += [*_over_time_section(front), *_compression_section(front)]
    if any(trial.measured for trial in front):
        sections += _measured_section(history)
    if history.complete:
        sections += _time_section(history)
    if failures(history):
        sections += _failed_section(history)
    return "\n\n".join([*sections, _commands(history, against, name or history.study)]) + "\n"


def front_markdown(history: StudyHistory) -> str:
    """Return the front as a Markdown table for a README, best mIoU first."""
    columns = (
        *("trial", "mIoU %", "own-frame mIoU %", "ms a frame", "sustained fps"),
        *("worst ms", "dropped %"),
    )
    words = ("network", "policy", "latency")
    rows = (
        (
            f"{trial.number}",
            per_cent(trial.score.miou),
            per_cent(trial.own_frame_score.miou),
            f"{trial.latency.mean_ms:.1f}",
            f"{trial.latency.sustained_fps:.1f}",
            f"{trial.latency.worst_ms:.1f}",
            per_cent(trial.latency.dropped_frames),
            escaped(network_words(trial.architecture.network)),
            escaped(trial_policy_words(trial)),
            source_words(trial),
        )
        for trial in front_of(history)
    )
    return markdown_table((*columns, *words), rows, text=words)


def class_notes(history: StudyHistory) -> str | None:
    """Return a sentence on the classes without a pixel in the val split; None if there is none."""
    absent = [
        escaped(name)
        for index, name in enumerate(history.class_names)
        if any(trial.score.class_iou[index] is None for trial in history.complete)
    ]
    if not absent:
        return None
    names = ", ".join(absent)
    return f"Classes without annotation in the val split are left out of the mean: {names}."


def _opening(history: StudyHistory) -> str:
    repeated = ""
    if history.duplicates:
        repeated = f"; {counted(history.duplicates, 'sample')} repeated a known architecture"
    return (
        f"{escaped(history.dataset)}, target {history.target_fps:g} fps {rule_words(history)} "
        f"({deadline_ms(history):.1f} ms a frame), latency {escaped(latency_words(history))}. "
        f"{complete_words(history)}, {len(history.refused)} refused "
        f"before training, {len(history.failed)} failed{repeated}."
    )


def _front_section(history: StudyHistory, figure: str) -> list[str]:
    front, nearest = front_of(history), nearest_to_target(history)
    answer = " ".join(reasons(history)) or nearest or "No trial is complete yet."
    chart = f"![mIoU against mean latency of all trials, the front as a line]({figure})"
    notes = class_notes(history)
    shown = [chart, escaped(answer), *([notes] if notes else [])]
    if not front:
        return ["## Front", *shown]
    trust = [
        *([escaped(note)] if (note := held_out_note(history)) else []),
        f"{selection_note(history)} {seeds_note(history)}",
    ]
    ious = _ious(history, front[0])
    return ["## Front", front_markdown(history), *shown, *trust, ious, legend()]


def _ious(history: StudyHistory, trial: TrialResult) -> str:
    ious = zip(history.class_names, trial.score.class_iou, strict=True)
    words = [f"{escaped(name)} {per_cent(iou)}" for name, iou in ious if iou is not None]
    return f"IoU of trial {trial.number} by class, in per cent: {', '.join(words)}."


def _against_section(against: BaselineAnswer) -> list[str]:
    first, *others = map(escaped, sentences(against))
    lines = "\n".join(f"- {line}" for line in others)
    heading = f"## Compared with {escaped(against.baseline)}"
    return [heading, first, *([lines, caveat(against)] if lines else [])]


def _over_time_section(front: Sequence[TrialResult]) -> list[str]:
    words = (
        "Each mask is compared with its own frame, none dropped. Consistent: pixels that keep "
        "their class from one annotated frame to the next where the annotation does. J and F: "
        "DAVIS' region and boundary scores. Mean age: of the keyframe that a frame uses, in "
        "frames; oldest: the highest. Gate: the mean error of its score on pairs of validation "
        "frames, and the rank correlation with the true change, whether or not the policy uses "
        "the gate."
    )
    columns = ("trial", "consistent %", "J %", "F %", "mean age", "oldest", "gate error")
    rows = []
    for trial in front:
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
    return ["## Over time", markdown_table((*columns, "gate rank correlation"), rows), words]


def _compression_section(front: Sequence[TrialResult]) -> list[str]:
    words = (
        "Float and int8 mIoU are scored on the same validation frames, each a keyframe. Alike: "
        "pixels of the class map that agree with float, on training frames. Pruned channels make "
        "graphs smaller and faster; the latencies above include that. Zero or clustered weights "
        "(`jejunet-nas compress`) make only the zipped files smaller."
    )
    return ["## Compression", front_compression_markdown(front), words]


def _measured_section(history: StudyHistory) -> list[str]:
    front = front_of(history)
    measured = [trial for trial in front if trial.measured]
    ratios = [trial.latency.mean_ms / trial.predicted.mean_ms for trial in measured]
    rows = (
        (
            f"{trial.number}",
            f"{trial.latency.mean_ms:.1f}",
            f"{trial.predicted.mean_ms:.1f}",
            f"{ratio:.2f}",
            escaped("; ".join(_remarks_on(trial))) or "stable",
        )
        for trial, ratio in zip(measured, ratios, strict=True)
    )
    words = (
        f"{len(measured)} of the front's {counted(len(front), 'trial')} were measured "
        f"on {escaped(history.phone or history.device)}. Measured / predicted latency: "
        f"{min(ratios):.2f} to {max(ratios):.2f}."
    )
    columns = ("trial", "measured ms", "predicted ms", "ratio", "measurement")
    return ["## Measured", words, markdown_table(columns, rows, text=columns[-1:])]


def _remarks_on(trial: TrialResult) -> list[str]:
    return [*(["motion predicted"] if trial.motion_predicted else []), *trial.latency.doubts]


def _time_section(history: StudyHistory) -> list[str]:
    count = len(history.drawn)
    means = {
        stage: sum(trial.stage_s.get(stage, 0.0) for trial in history.drawn) / count
        for stage in stage_names(history)
    }
    means["all stages"] = sum(means.values())
    reused = sum(trial.network_reused for trial in history.drawn)
    words = f"Mean over {counted(count, 'complete trial')}; {reused} reused a trained network:"
    rows = [f"| {escaped(stage)} | {seconds:.1f} |" for stage, seconds in means.items()]
    return ["## Time", words, "\n".join(["| stage | s a trial |", "| --- | ---: |", *rows])]


def _failed_section(history: StudyHistory) -> list[str]:
    lines = [
        f"- {'trial' if len(same) == 1 else 'trials'} {', '.join(same)}: {escaped(reason)}"
        for reason, same in failures(history)
    ]
    return ["## Failed", "\n".join(lines)]


def _commands(history: StudyHistory, against: BaselineAnswer | None, name: str) -> str:
    study = shlex.quote(one_line(name))
    asked = "".join(f" {word}" for word in asked_words(history))
    beside = f" --baseline {shlex.quote(one_line(against.baseline))}" if against else ""
    complete, wanted = len(history.drawn), history.wanted
    search = f" --trials {2 * complete or 10}   # add trials"
    if complete < wanted:
        search = f"   # resume: {complete} of {wanted} trials are complete"
    return (
        "## Made by\n\n```sh\n"
        f"jejunet-nas search {study}{search}\n"
        f"jejunet-nas report {study}{asked}{beside}   # this report\n```"
    )
