"""Content: what a study's page says, as plain values for its template.

Units: as in `cards`; hypervolume in mIoU x ms.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

from jejunet_nas.drawing.pictures import TrialPictures
from jejunet_nas.errors import DataError
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import latency_words, one_line, per_cent
from jejunet_nas.reporting.baseline import CAVEAT, BaselineAnswer, answer, sentences
from jejunet_nas.reporting.site.cards import card, roles
from jejunet_nas.reporting.site.charts import (
    importance_chart,
    progress_chart,
    stages_chart,
)
from jejunet_nas.reporting.site.front_chart import front_chart
from jejunet_nas.reporting.site.plot import Chart
from jejunet_nas.reporting.site.trials import slice_dimensions, trial_columns
from jejunet_nas.scoring.bootstrap import Interval, miou_interval
from jejunet_nas.scoring.ranking import (
    best_feasible,
    deadline_ms,
    feasible,
    front_of,
    nearest_to_target,
)
from jejunet_nas.study.tables import summary

MOST_CARDS = 24  # of a long front: its ends and what lies evenly between
MOST_REASONS = 12  # rows of what failed, the most frequent first


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a page shows that is no part of the history.

    name: what one types for the study; its own name where nothing is said. importances: of each
    objective, by dimension. pictures: by trial. baseline: a study to hold the front against. seeds:
    words on what was drawn at random. no_pictures: why some are missing.
    """

    name: str = ""
    importances: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    pictures: Mapping[int, TrialPictures] = dataclasses.field(default_factory=dict)
    baseline: StudyHistory | None = None
    seeds: str = ""
    no_pictures: str | None = None


def content(history: StudyHistory, beside: Beside) -> dict[str, Any]:
    """Return all that the template prints, and what the script draws."""
    front = shown_front(history)
    intervals = {trial.number: _interval(trial) for trial in front}
    known = {number: interval for number, interval in intervals.items() if interval}
    picked = roles(history)
    cards = [
        card(
            trial,
            history,
            interval=known.get(trial.number),
            pictures=beside.pictures.get(trial.number),
            roles=picked[trial.number],
            study=beside.name or history.study,
        )
        for trial in front
    ]
    asked = answer(history, beside.baseline) if beside.baseline else None
    charts, told = _charts(history, known, beside), summary(history)
    trials = trial_columns(history)
    return {
        "study": one_line(history.study),
        "dataset": one_line(history.dataset),
        "target_fps": history.target_fps,
        "deadline_ms": deadline_ms(history),
        "latency": latency_words(history),
        "counts": told["trials"],
        "hypervolume": told["hypervolume"],
        "front_size": len(front_of(history)),
        "cards": cards,
        "picks": [each for each in cards if each["roles"]],
        "reasons": _reasons(history),
        "nothing": nearest_to_target(history),
        "val": _val(history),
        "seeds": beside.seeds,
        "no_pictures": beside.no_pictures,
        "baseline": _baseline(history, beside.baseline, asked),
        "failures": _failures(history),
        "refusals": _refusals(history),
        "charts": charts,
        "charts_there": {name: chart is not None for name, chart in charts.items()},
        "over_time": bool(history.spent_s),
        "trials": trials,
        "baseline_trials": trial_columns(beside.baseline) if beside.baseline else None,
        "slices": slice_dimensions(trials),
    }


def _interval(trial: TrialResult) -> Interval | None:
    """Return the interval of a trial's mIoU; None where its clips do not tell."""
    try:
        return miou_interval(trial.score.clips)
    except DataError:  # a record without clips
        return None


def _why(history: StudyHistory) -> list[str]:
    """Return sentences on what the best trial gains over the obvious alternatives."""
    video, whole = (best_feasible(history, video=video) for video in (True, False))
    if video is None or whole is None:
        return []
    points = 100 * (video.score.miou - whole.score.miou)
    share = 1 - video.latency.mean_ms / whole.latency.mean_ms
    return [
        f"The best that runs the whole network on every frame is trial {whole.number}: "
        f"{per_cent(whole.score.miou)} mIoU in {whole.latency.mean_ms:.1f} ms.",
        f"With a video policy trial {video.number} comes to {per_cent(video.score.miou)} in "
        f"{video.latency.mean_ms:.1f} ms: {points:+.1f} points, "
        f"{per_cent(abs(share), 0)} % {'less' if share >= 0 else 'more'} time a frame.",
    ]


def shown_front(history: StudyHistory) -> list[TrialResult]:
    """Return the trials of the front that have a card, best mIoU first."""
    front = front_of(history)
    if len(front) <= MOST_CARDS:
        return list(front)
    picked = {number for number, named in roles(history).items() if named}
    step = (len(front) - 1) / (MOST_CARDS - 1)
    spread = {front[round(step * place)].number for place in range(MOST_CARDS)}
    return [trial for trial in front if trial.number in spread | picked]


def _reasons(history: StudyHistory) -> list[str]:
    """Return why the best is the pick, and what its rivals give up."""
    front = front_of(history)
    if not front:
        return []
    best, fastest = front[0], front[-1]
    told = [
        f"Of {len(feasible(history))} architectures that meet {history.target_fps:g} fps, trial "
        f"{best.number} has the best mIoU, {per_cent(best.score.miou)} %, at "
        f"{best.latency.mean_ms:.1f} ms a frame ({best.latency.source}).",
        *_why(history),
    ]
    if fastest is not best:
        told.append(
            f"The fastest of the front, trial {fastest.number}, takes "
            f"{fastest.latency.mean_ms:.1f} ms and gives up "
            f"{per_cent(best.score.miou - fastest.score.miou)} points."
        )
    return told


def _val(history: StudyHistory) -> dict[str, int]:
    """Return how much the masks were scored on."""
    clips = history.complete[0].score.clips if history.complete else ()
    return {"clips": len(clips), "frames": sum(clip.frames for clip in clips)}


def _baseline(
    history: StudyHistory, baseline: StudyHistory | None, asked: BaselineAnswer | None
) -> Mapping[str, Any] | None:
    if asked is None or baseline is None:
        return None
    ours, theirs = training_steps(history), training_steps(baseline)
    alike = f"as long as ours, {ours} steps" if ours == theirs else f"{theirs} steps, ours {ours}"
    return {
        "study": one_line(asked.baseline),
        "sentences": sentences(asked),
        "trained": f"The baseline was trained {alike}.",
        "caveat": CAVEAT,
    }


def training_steps(history: StudyHistory) -> str:
    """Return how many steps the networks of a study were trained, in words."""
    steps = sorted({trial.network.training.steps for trial in history.complete})
    return " or ".join(map(str, steps)) or "no"


def _failures(history: StudyHistory) -> list[tuple[str, int, list[int]]]:
    """Return the reasons of failed trials, how often each, and the first trials it happened to."""
    counts = Counter(one_line(trial.reason) for trial in history.failed)
    return [
        (reason, count, [t.number for t in history.failed if one_line(t.reason) == reason][:5])
        for reason, count in counts.most_common(MOST_REASONS)
    ]


def _refusals(history: StudyHistory) -> dict[str, Any] | None:
    if not history.refused:
        return None
    latencies = [trial.mean_ms for trial in history.refused]
    return {"count": len(latencies), "least_ms": min(latencies), "most_ms": max(latencies)}


def _charts(
    history: StudyHistory, intervals: Mapping[int, Interval], beside: Beside
) -> dict[str, Chart | None]:
    return {
        "front": front_chart(history, intervals, beside.baseline),
        "progress": progress_chart(history) if history.complete else None,
        "importance": importance_chart(beside.importances),
        "stages": stages_chart(history) if history.complete else None,
    }
