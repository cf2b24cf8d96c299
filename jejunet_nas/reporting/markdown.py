"""Page: a study's report in Markdown, for people, from one `StudyHistory`.

It answers in this order: what is on the front, what the video policies gain, how it stands to a
baseline, how masks behave over time, what int8 cost, where the time went, and what was not
finished and why.

Units: mIoU in per cent, latency in ms a frame, stages in s.
"""

import shlex
from collections import defaultdict

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import escaped, latency_words, one_line, per_cent
from jejunet_nas.reporting.baseline import CAVEAT, BaselineAnswer, sentences
from jejunet_nas.reporting.compression import front_compression_markdown
from jejunet_nas.reporting.tables import class_notes, front_markdown, temporal_markdown
from jejunet_nas.scoring.ranking import best_feasible, deadline_ms, front_of, nearest_to_target
from jejunet_nas.study.tables import stage_names, summary


def page(history: StudyHistory, figure: str, against: BaselineAnswer | None = None) -> str:
    """Return the report; `figure` is the file of the front's chart, beside the page.

    against: how the front stands to a baseline, where there is one.
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
        f"{_count(complete, 'trial')} complete, {refused} refused before training as too slow, "
        f"{failed} failed; {_count(history.duplicates, 'draw')} repeated "
        "a known architecture."
    )


def _front_section(history: StudyHistory, figure: str) -> list[str]:
    nearest = nearest_to_target(history)
    answer = escaped(nearest) if nearest else _gain_of_video(history)
    table = [front_markdown(history).rstrip()] if front_of(history) else []
    chart = f"![mIoU against mean latency of every trial, the front as a line]({figure})"
    notes = [note for note in (_ious(history), class_notes(history)) if note]
    return ["## Front", *table, chart, answer, *notes]


def _gain_of_video(history: StudyHistory) -> str:
    if not front_of(history):
        return "No trial has been scored yet."
    plain = best_feasible(history, video=False)
    video = best_feasible(history, video=True)
    words = (
        f"At {history.target_fps:g} fps, with keyframe interval 1 the best is "
        f"{_best(plain)}; with video policies it is {_best(video)}."
    )
    if plain is None or video is None:
        return words
    gain = 100 * (video.score.miou - plain.score.miou)
    verb = "gain" if gain >= 0 else "lose"
    return f"{words} Video policies {verb} {abs(gain):.1f} points of mIoU."


def _best(trial: TrialResult | None) -> str:
    if trial is None:
        return "none that meets the target"
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
    """Return how the front stands to the baseline, trial by trial of that."""
    if against is None:
        return []
    first, *others = map(escaped, sentences(against))
    lines = "\n".join(f"- {line}" for line in others)
    return [f"## Against {escaped(against.baseline)}", first, *([lines, CAVEAT] if lines else [])]


def _over_time_section(history: StudyHistory) -> list[str]:
    if not front_of(history):
        return []
    words = (
        "Consistent: pixels that keep their class from one annotated frame to the next where the "
        "annotation keeps its. J and F: DAVIS' region and boundary scores. Ages in frames: how old "
        "the keyframe is that a frame makes do with, on average, and the longest run of frames "
        "without one. Gate: how far its scores are from the truth on pairs of validation frames, "
        "and whether it orders them rightly (1: always)."
    )
    return ["## Over time", temporal_markdown(history).rstrip(), words]


def _compression_section(history: StudyHistory) -> list[str]:
    front = front_of(history)
    if not front:
        return []
    words = (
        "Float and int8 on the same validation frames, each a keyframe: their difference is what "
        "int8 costs. Alike: class map pixels as in float, on training frames. Pruned channels "
        "make the graphs smaller and faster, and the latency above is that of what is left; "
        "weights that are only zero, or clustered (`jejunet-nas compress`), make the zipped files "
        "smaller and nothing faster."
    )
    return ["## Compression", front_compression_markdown(front), words]


def _measured_section(history: StudyHistory) -> list[str]:
    """Return the front's measured latencies beside their predictions, and what is doubtful."""
    measured = [trial for trial in front_of(history) if trial.measured is not None]
    if not measured:
        return []
    ratios = [trial.latency.mean_ms / trial.predicted.mean_ms for trial in measured]
    rows = [
        f"| {trial.number} | {trial.latency.mean_ms:.1f} | {trial.predicted.mean_ms:.1f} "
        f"| {ratio:.2f} | {escaped('; '.join(trial.latency.doubts)) or 'stable'} |"
        for trial, ratio in zip(measured, ratios, strict=True)
    ]
    words = (
        f"{len(measured)} of the front's {_count(len(front_of(history)), 'trial')} measured on "
        f"{escaped(history.phone or history.device)}; they took {min(ratios):.2f} to "
        f"{max(ratios):.2f} of the time that was predicted for {escaped(history.device)}."
    )
    header = "| trial | measured ms | predicted ms | ratio | measurement |"
    return ["## Measured", words, "\n".join([header, "| ---: |" + " ---: |" * 3 + " --- |", *rows])]


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
    words = (
        f"Mean over {_count(count, 'complete trial')}, {reused} of which found their network "
        "trained already:"
    )
    return ["## Time", words, "\n".join(["| stage | s a trial |", "| --- | ---: |", *rows])]


def _failed_section(history: StudyHistory) -> list[str]:
    numbers: dict[str, list[str]] = defaultdict(list)
    for trial in history.failed:
        numbers[trial.reason].append(str(trial.number))
    lines = [
        f"- trial{'s' if len(same) > 1 else ''} {', '.join(same)}: {escaped(reason)}"
        for reason, same in numbers.items()
    ]
    return ["## Failed", "\n".join(lines)] if lines else []


def _commands(history: StudyHistory, against: BaselineAnswer | None) -> str:
    study = shlex.quote(one_line(history.study))
    beside = f" --baseline {shlex.quote(one_line(against.baseline))}" if against else ""
    return (
        "## Made by\n\n```sh\n"
        f"jejunet-nas search {study}   # more trials, from where the study stands\n"
        f"jejunet-nas report {study}{beside}   # this page\n```"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
