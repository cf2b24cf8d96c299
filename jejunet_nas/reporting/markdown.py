"""Markdown: a study's report as one Markdown page.

Its order: the front, the gain of video policies, the comparison with a baseline, the masks over
time, the cost of int8, measured latencies, the time spent, and failed trials.

Units: mIoU in per cent, latency in ms a frame, stages in s.
"""

import shlex

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import counted, escaped, latency_words, one_line, per_cent
from jejunet_nas.reporting.baseline import CAVEAT, BaselineAnswer, sentences
from jejunet_nas.reporting.compression import front_compression_markdown
from jejunet_nas.reporting.glossary import legend
from jejunet_nas.reporting.markdown_table import markdown_table
from jejunet_nas.reporting.tables import class_notes, failures, front_markdown, temporal_markdown
from jejunet_nas.scoring.ranking import best_feasible, deadline_ms, front_of, nearest_to_target
from jejunet_nas.study.tables import stage_names, summary


def page(history: StudyHistory, figure: str, against: BaselineAnswer | None = None) -> str:
    """Return the report; `figure` is the file of the front's chart in the page's folder.

    against: the comparison with a baseline, where there is one.
    """
    sections = [
        f"# {escaped(history.study)}",
        _opening(history),
        *_front_section(history, figure),
        *_against_section(against),
        *_over_time_section(history),
        *_compression_section(history),
        *_measured_section(history),
        *_time_section(history),
        *_failed_section(history),
        _commands(history, against),
    ]
    return "\n\n".join(sections) + "\n"


def _opening(history: StudyHistory) -> str:
    complete, refused, failed = summary(history)["trials"].values()
    return (
        f"{escaped(history.dataset)}, target {history.target_fps:g} fps "
        f"({deadline_ms(history):.1f} ms a frame), latency {escaped(latency_words(history))}. "
        f"{counted(complete, 'trial')} complete, {refused} refused before training, "
        f"{failed} failed; {counted(history.duplicates, 'sample')} repeated a known architecture."
    )


def _front_section(history: StudyHistory, figure: str) -> list[str]:
    nearest = nearest_to_target(history)
    answer = escaped(nearest) if nearest else _gain_of_video(history)
    table = [front_markdown(history)] if front_of(history) else []
    chart = f"![mIoU against mean latency of all trials, the front as a line]({figure})"
    notes = [note for note in (_ious(history), class_notes(history)) if note]
    return ["## Front", *table, chart, answer, *notes, *([legend()] if table else [])]


def _gain_of_video(history: StudyHistory) -> str:
    if not front_of(history):
        return "No trial is complete yet."
    plain = best_feasible(history, video=False)
    video = best_feasible(history, video=True)
    words = (
        f"At {history.target_fps:g} fps, the best trial with every frame a keyframe is "
        f"{_best(plain)}; the best with a video policy is {_best(video)}."
    )
    if plain is None or video is None:
        return words
    gain = video.score.miou - plain.score.miou
    verb = "gain" if gain >= 0 else "lose"
    return f"{words} Video policies {verb} {per_cent(abs(gain))} points of mIoU."


def _best(trial: TrialResult | None) -> str:
    if trial is None:
        return "missing (no such trial meets the target)"
    return (
        f"trial {trial.number} with {per_cent(trial.score.miou)} % in "
        f"{trial.latency.mean_ms:.1f} ms"
    )


def _ious(history: StudyHistory) -> str | None:
    front = front_of(history)
    if not front:
        return None
    ious = zip(history.class_names, front[0].score.class_iou, strict=True)
    words = [f"{escaped(name)} {per_cent(iou)}" for name, iou in ious if iou is not None]
    return f"IoU of trial {front[0].number} by class, in per cent: {', '.join(words)}."


def _against_section(against: BaselineAnswer | None) -> list[str]:
    if against is None:
        return []
    first, *others = map(escaped, sentences(against))
    lines = "\n".join(f"- {line}" for line in others)
    heading = f"## Compared with {escaped(against.baseline)}"
    return [heading, first, *([lines, CAVEAT] if lines else [])]


def _over_time_section(history: StudyHistory) -> list[str]:
    if not front_of(history):
        return []
    words = (
        "Consistent: pixels that keep their class from one annotated frame to the next where the "
        "annotation does. J and F: DAVIS' region and boundary scores. Mean age: frames since the "
        "last keyframe; longest stale: the longest run of frames without one. Gate: the mean error "
        "of its score on pairs of validation frames, and the rank correlation with the true change."
    )
    return ["## Over time", temporal_markdown(history), words]


def _compression_section(history: StudyHistory) -> list[str]:
    front = front_of(history)
    if not front:
        return []
    words = (
        "Float and int8 mIoU are scored on the same validation frames, each a keyframe. Alike: "
        "pixels of the class map that agree with float, on training frames. Pruned channels make "
        "graphs smaller and faster; the latencies above include that. Zero or clustered weights "
        "(`jejunet-nas compress`) make only the zipped files smaller."
    )
    return ["## Compression", front_compression_markdown(front), words]


def _measured_section(history: StudyHistory) -> list[str]:
    measured = [trial for trial in front_of(history) if trial.measured is not None]
    if not measured:
        return []
    ratios = [trial.latency.mean_ms / trial.predicted.mean_ms for trial in measured]
    rows = (
        (
            f"{trial.number}",
            f"{trial.latency.mean_ms:.1f}",
            f"{trial.predicted.mean_ms:.1f}",
            f"{ratio:.2f}",
            escaped("; ".join(trial.latency.doubts)) or "stable",
        )
        for trial, ratio in zip(measured, ratios, strict=True)
    )
    words = (
        f"{len(measured)} of the front's {counted(len(front_of(history)), 'trial')} were measured "
        f"on {escaped(history.phone or history.device)}. Measured / predicted latency: "
        f"{min(ratios):.2f} to {max(ratios):.2f}."
    )
    columns = ("trial", "measured ms", "predicted ms", "ratio", "measurement")
    return ["## Measured", words, markdown_table(columns, rows, left=1)]


def _time_section(history: StudyHistory) -> list[str]:
    count = len(history.complete)
    if not count:
        return []
    means = {
        stage: sum(trial.stage_s.get(stage, 0.0) for trial in history.complete) / count
        for stage in stage_names(history)
    }
    rows = [f"| {escaped(stage)} | {seconds:.1f} |" for stage, seconds in means.items()]
    rows += [f"| all stages | {sum(means.values()):.1f} |"]
    reused = sum(trial.network_reused for trial in history.complete)
    words = f"Mean over {counted(count, 'complete trial')}; {reused} reused a trained network:"
    return ["## Time", words, "\n".join(["| stage | s a trial |", "| --- | ---: |", *rows])]


def _failed_section(history: StudyHistory) -> list[str]:
    lines = [
        f"- {'trial' if len(same) == 1 else 'trials'} {', '.join(map(str, same))}: "
        f"{escaped(reason)}"
        for reason, same in failures(history)
    ]
    return ["## Failed", "\n".join(lines)] if lines else []


def _commands(history: StudyHistory, against: BaselineAnswer | None) -> str:
    study = shlex.quote(one_line(history.study))
    beside = f" --baseline {shlex.quote(one_line(against.baseline))}" if against else ""
    return (
        "## Made by\n\n```sh\n"
        f"jejunet-nas search {study}   # resume, with more trials\n"
        f"jejunet-nas report {study}{beside}   # this page\n```"
    )
