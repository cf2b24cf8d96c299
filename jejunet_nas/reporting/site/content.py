"""Content: all of a study's page, as plain values for its template.

Units: as in `cards`; hypervolume in mIoU x ms.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jejunet_nas.drawing.pictures import TrialPictures
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import asked_words, complete_words, latency_words, one_line
from jejunet_nas.reporting.baseline import BaselineAnswer, answer
from jejunet_nas.reporting.baseline_words import caveat, difference_words, sentences, times_as_fast
from jejunet_nas.reporting.glossary import NETWORK_EXAMPLE, NOTATION, POLICY_EXAMPLE, TERMS
from jejunet_nas.reporting.held_out import (
    held_out_note,
    held_out_short,
    plain,
    seeds_note,
    selection_note,
)
from jejunet_nas.reporting.notes import reasons
from jejunet_nas.reporting.published_section import published_content
from jejunet_nas.reporting.site.cards import (
    TRIAL,
    Card,
    card,
    colours_of,
    export_command,
    jpeg_url,
)
from jejunet_nas.reporting.site.charts import importance_chart, progress_chart, stages_chart
from jejunet_nas.reporting.site.front_chart import front_chart
from jejunet_nas.reporting.site.trials import slice_dimensions, trial_columns
from jejunet_nas.reporting.validation import data_notes
from jejunet_nas.scoring.bootstrap import Interval, miou_difference, miou_interval
from jejunet_nas.scoring.ranking import (
    deadline_ms,
    front_of,
    nearest_to_target,
    picks,
    rule_words,
    searched_words,
    shown_of_front,
)
from jejunet_nas.study.tables import failures, summary

MOST_CARDS = 24  # of a long front: both ends and evenly between
MOST_REASONS = 12  # of failed trials, the most frequent first


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """The content of a page that is not in the history.

    name: the study's name on the command line; by default the name in the history. importances: of
    each objective, by dimension. pictures: by trial. baseline: a study to compare the front with.
    seeds: a sentence on the random seeds. no_pictures: why some are missing. damage: a graph on the
    front that is missing or was changed since it was scored.
    """

    name: str = ""
    importances: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    pictures: Mapping[int, TrialPictures] = dataclasses.field(default_factory=dict)
    baseline: StudyHistory | None = None
    seeds: str = ""
    no_pictures: str | None = None
    damage: str | None = None


def content(history: StudyHistory, extras: Extras) -> dict[str, Any]:
    """Return the values that the template prints and the script draws."""
    front = shown_front(history)
    intervals = {trial.number: miou_interval(trial.score.clips) for trial in front}
    name, annotations = extras.name or history.study, _annotations(front, extras.pictures)
    cards = [
        card(
            trial,
            history,
            interval=intervals[trial.number],
            pictures=extras.pictures.get(trial.number),
            study=name,
            annotations=annotations,
        )
        for trial in front
    ]
    found, trials, theirs = summary(history), trial_columns(history), extras.baseline
    return {
        "study": one_line(history.study),
        "dataset": one_line(history.dataset),
        "target_fps": history.target_fps,
        "rule": rule_words(history),
        "deadline_ms": deadline_ms(history),
        "latency": latency_words(history),
        "complete": complete_words(history),
        "refused": len(history.refused),
        "failed": len(history.failed),
        "hypervolume": found["hypervolume"],
        "front_size": len(front_of(history)),
        "cards": cards,
        "picks": _picks(cards, front),
        "classes": list(zip(history.class_names, colours_of(history.class_names), strict=True)),
        "annotations": {style: jpeg_url(jpeg) for jpeg, style in annotations.items()},
        "reasons": reasons(history),
        "nothing": nearest_to_target(history),
        "searched": searched_words(history),
        "data_notes": data_notes(history),
        **_validation(history, extras),
        "no_pictures": extras.no_pictures,
        "damage": extras.damage,
        "baseline": _baseline(history, theirs),
        "published": published_content(history),
        "failures": failures(history)[:MOST_REASONS],
        "refused_ms": [trial.mean_ms for trial in history.refused],
        "charts": _charts(history, extras, intervals),
        "over_time": bool(history.spent_s),
        "network_example": NETWORK_EXAMPLE,
        "policy_example": POLICY_EXAMPLE,
        "notation": NOTATION,
        "terms": TERMS,
        "trials": trials,
        "baseline_trials": trial_columns(theirs) if theirs else None,
        "commands": [
            export_command(name, TRIAL, asked_words(history)),
            *([export_command(theirs.study, TRIAL)] if theirs else []),
        ],
        "names": [one_line(each.study) for each in (history, theirs) if each],
        "slices": slice_dimensions(trials),
    }


def _selection(history: StudyHistory) -> dict[str, Any]:
    return {
        "selection": plain(selection_note(history)),
        "held_out": held_out_note(history),
        "held_out_short": held_out_short(history),
    }


def _charts(
    history: StudyHistory, extras: Extras, intervals: Mapping[int, Interval | None]
) -> dict[str, Any]:
    return {
        "front": front_chart(history, intervals, extras.baseline),
        "progress": progress_chart(history) if history.complete else None,
        "importance": importance_chart(extras.importances),
        "stages": stages_chart(history) if history.complete else None,
    }


def _validation(history: StudyHistory, extras: Extras) -> dict[str, Any]:
    clips = history.complete[0].score.clips if history.complete else ()
    return {
        "val": {"clips": len(clips), "frames": sum(clip.frames for clip in clips)},
        "seeds": f"{extras.seeds} {plain(seeds_note(history))}".lstrip(),
        **_selection(history),
    }


def shown_front(history: StudyHistory) -> list[TrialResult]:
    """Return the trials of the front that get a card, best mIoU first.

    The best by the mean of several trainings may lie behind the front; then it comes first.
    """
    front, best = shown_of_front(history, MOST_CARDS), picks(history).get("best")
    return front if best is None or best in front else [best, *front]


def _annotations(
    front: Sequence[TrialResult], pictures: Mapping[int, TrialPictures]
) -> dict[bytes, str]:
    """Return the style of each picture of an annotation, which many trials have in common."""
    found: dict[bytes, str] = {}
    for trial in front:
        for jpeg in pictures[trial.number].annotations if trial.number in pictures else ():
            found.setdefault(jpeg, f"annotation-{len(found)}")
    return found


def _picks(cards: Sequence[Card], front: Sequence[TrialResult]) -> list[Card]:
    """Return the cards of the picks, each with its difference from the best in words."""
    return [
        each | {"beside_best": _beside_best(trial, front[0])}
        for each, trial in zip(cards, front, strict=True)
        if each["roles"]
    ]


def _beside_best(trial: TrialResult, best: TrialResult) -> str:
    if trial is best:
        return ""
    difference = miou_difference(trial.score.clips, best.score.clips)
    words = f"Against trial {best.number}: {difference_words(difference)}"
    if trial.latency.source == best.latency.source and trial.latency.mean_ms:
        words += f"; {best.latency.mean_ms / trial.latency.mean_ms:.1f} times as fast"
    return f"{words}."


def _baseline(history: StudyHistory, baseline: StudyHistory | None) -> Mapping[str, Any] | None:
    if baseline is None:
        return None
    found = answer(history, baseline)
    ours, theirs = _training_steps(history), _training_steps(baseline)
    alike = f"as long as this study, {ours} steps"
    trained = alike if ours == theirs else f"for {theirs} steps, this study for {ours}"
    return {
        "study": one_line(baseline.study),
        "lead": sentences(found)[0],
        "best": found.best,
        "rows": _baseline_rows(found),
        "trained": f"The baseline was trained {trained}.",
        "caveat": plain(caveat(found)),
    }


def _baseline_rows(found: BaselineAnswer) -> list[Mapping[str, Any]]:
    """Return a row for each trial of the baseline, and how the front does against it."""
    if found.best is None:
        return []
    rows: list[Mapping[str, Any]] = []
    how = "held out: " if found.held_out else ""
    for each in found.against:
        assert each.best is not None, "the front has a best trial"
        as_good = each.as_good
        rows.append(
            {
                "theirs": each.baseline,
                "difference": f"{how}{difference_words(each.best)}",
                "as_good": as_good,
                "speed": times_as_fast(as_good, each.baseline) if as_good else "",
            }
        )
    return rows


def _training_steps(history: StudyHistory) -> str:
    steps = sorted({trial.network.training.steps for trial in history.complete})
    return " or ".join(map(str, steps)) or "no"
