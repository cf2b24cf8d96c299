"""Comparison: the page that compares studies with the first of them.

Units: mIoU in per cent within charts, else in [0, 1]; ms a frame; hypervolume in mIoU x ms.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.front_points import points_of
from jejunet_nas.files import write_text_whole
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import architecture_words, latency_words, one_line, per_cent, points
from jejunet_nas.reporting.attainment import Comparison, Lead, compare
from jejunet_nas.reporting.baseline_words import difference_words
from jejunet_nas.reporting.held_out import TURN_ON, plain
from jejunet_nas.reporting.site.plot import Chart, against_latency, chart, scatter
from jejunet_nas.reporting.site.render import render

ROLES = ("front", "video", "knee", "published", "prediction", "dominated")  # colours, in this order
_TESTED = (
    "Differences are tested with a paired bootstrap over the validation clips (95 % confidence "
    "intervals)"
)
_CAVEAT = (
    f"{_TESTED}. The best trials were picked on the same clips: the intervals do not account for "
    f"this selection bias, nor for other training seeds. With {plain(TURN_ON)} in the files of "
    "both studies, each half of the clips is scored with the pick of the other."
)
_HELD_OUT = (
    f"{_TESTED}, and over training seeds where contenders were trained several times. What is held "
    "out was picked by other clips or trainings than it is scored on."
)


def write_comparison(histories: Sequence[StudyHistory], folder: Path) -> Path:
    """Write the page that compares studies into `folder` and return it.

    Raises `SettingError` where they cannot be compared.
    """
    text = render("compare.html.j2", _content(histories))
    folder.mkdir(parents=True, exist_ok=True)
    return write_text_whole(folder / "index.html", text)


def _content(histories: Sequence[StudyHistory]) -> dict[str, Any]:
    found = compare(histories)
    names = [one_line(history.study) for history in histories]
    return {
        "names": names,
        "dataset": one_line(histories[0].dataset),
        "latency": latency_words(histories[0]),
        "reference_ms": found.reference[1],
        "studies": [
            {
                "name": name,
                "trials": len(history.drawn),
                "hypervolume": hypervolume,
                "best": _best(history, number),
            }
            for name, history, hypervolume, number in zip(
                names, histories, found.hypervolumes, found.best, strict=True
            )
        ],
        "within": [(each.mean_ms, each.mious) for each in found.within],
        "range_ms": found.range_ms,
        "leads": [_lead_words(lead, names[0], found.range_ms) for lead in found.leads],
        "caveat": _HELD_OUT if all(lead.held_out for lead in found.leads) else _CAVEAT,
        "charts": {"front": _chart(histories, names, found)},
    }


def _best(history: StudyHistory, number: int | None) -> dict[str, Any] | None:
    trial = next((trial for trial in history.complete if trial.number == number), None)
    if trial is None:
        return None
    return {
        "number": trial.number,
        "miou": trial.score.miou,
        "ms": trial.latency.mean_ms,
        "words": architecture_words(trial.architecture),
    }


def _lead_words(lead: Lead, first: str, range_ms: tuple[float, float]) -> list[str]:
    """Return which study is ahead, then the sentences that say by how much."""
    study, (low, high) = one_line(lead.study), range_ms
    if lead.ahead == lead.behind:
        verdict = f"{study} and {first} are level."
    else:
        ahead, behind = (study, first) if lead.ahead > lead.behind else (first, study)
        verdict = f"{ahead} is ahead of {behind} at most latencies."
    words = [
        f"{verdict} From {low:.1f} to {high:.1f} ms a frame, the best trial of {study} within a "
        f"latency has a higher mIoU than that of {first} over {per_cent(lead.ahead, 0)} % of the "
        f"range, and a lower mIoU over {per_cent(lead.behind, 0)} %."
    ]
    if lead.mean_miou is not None:
        words.append(
            f"Mean difference of {study} from {first} at equal latency, where both have trials: "
            f"{points(lead.mean_miou)} points of mIoU."
        )
    if lead.best is not None:
        words.append(
            f"Difference of its best trial from the best of {first}"
            f"{', held out' if lead.held_out else ''}: {difference_words(lead.best)}."
        )
    return words


def _chart(histories: Sequence[StudyHistory], names: Sequence[str], found: Comparison) -> Chart:
    """Return the chart: the stairs of each study over its trials."""
    traces = []
    for history, name, steps, role in zip(
        histories, names, found.staircases, itertools.cycle(ROLES), strict=False
    ):
        trials = points_of(history.complete)
        dots = scatter(role, trials.ms, trials.miou_pct, mode="markers", showlegend=False)
        stairs = scatter(
            role,
            [*(ms for ms, _ in steps), found.reference[1]],
            [100 * miou for _, miou in (*steps, *steps[-1:])],
            mode="lines+markers",
            line={"shape": "hv", "width": 2.5},
            marker={"size": 7},
            name=name,
            hovertemplate="%{y:.1f} mIoU in %{x:.1f} ms<extra></extra>",
        )
        traces += [dots | {"marker": {"size": 6}, "opacity": 0.4}, stairs]
    known = [trial.latency.mean_ms for history in histories for trial in history.complete]
    return chart(traces, **against_latency(known, found.reference[1]))
