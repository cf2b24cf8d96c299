"""Comparison: the page that sets studies beside each other, the first as what the others meet.

Units: mIoU in per cent; ms a frame; hypervolume in mIoU x ms; shares in per cent.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.files import write_whole
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import architecture_words, latency_words, one_line, per_cent, points
from jejunet_nas.reporting.attainment import Comparison, Lead, compare
from jejunet_nas.reporting.site.plot import (
    LEGEND_ABOVE,
    Chart,
    chart,
    latency_axis,
    scatter,
    target_line,
)
from jejunet_nas.reporting.site.render import render

ROLES = ("front", "video", "knee", "published", "prediction", "dominated")  # colours, in this order
PAGE = "index.html"


def write_comparison(histories: Sequence[StudyHistory], folder: Path) -> Path:
    """Write the page that compares studies into `folder` and return it.

    Raises `SettingError` where they are not to be compared.
    """
    text = render("compare.html.j2", _content(histories))
    folder.mkdir(parents=True, exist_ok=True)
    return write_whole(
        folder / PAGE, lambda file: file.write_text(text, encoding="utf-8", newline="\n")
    )


def comparison_plain(histories: Sequence[StudyHistory]) -> dict[str, Any]:
    """Return the comparison as JSON values."""
    return dataclasses.asdict(compare(histories))


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
                "trials": len(history.complete),
                "hypervolume": hypervolume,
                "best": _best(history, number),
            }
            for name, history, hypervolume, number in zip(
                names, histories, found.hypervolumes, found.best, strict=True
            )
        ],
        "within": [
            (each.mean_ms, [None if m is None else 100 * m for m in each.mious])
            for each in found.within
        ],
        "leads": [_lead_words(lead, names[0]) for lead in found.leads],
        "charts": {"front": _chart(histories, names, found)},
        "trials": {},
        "baseline_trials": None,
    }


def _best(history: StudyHistory, number: int | None) -> dict[str, Any] | None:
    trial = next((trial for trial in history.complete if trial.number == number), None)
    if trial is None:
        return None
    return {
        "number": trial.number,
        "miou": 100 * trial.score.miou,
        "ms": trial.latency.mean_ms,
        "words": architecture_words(trial.architecture),
    }


def _lead_words(lead: Lead, first: str) -> str:
    """Return how a study stands to the first one, in a sentence or two."""
    words = (
        f"{one_line(lead.study)} attains more than {first} over {per_cent(lead.ahead, 0)} % of the "
        f"latency range, and less over {per_cent(lead.behind, 0)} %"
    )
    if lead.mean_miou is not None:
        words += f"; where both attain anything it is {points(lead.mean_miou)} points"
    words += "."
    if lead.best is not None:
        words += f" Its best trial is {points(lead.best.miou)} points against theirs"
        if lead.best.interval is not None:
            low, high = lead.best.interval.low, lead.best.interval.high
            words += f" ({points(low)} to {points(high)} in 95 of 100 redraws of the clips)"
        words += "."
    return words


def _chart(histories: Sequence[StudyHistory], names: Sequence[str], found: Comparison) -> Chart:
    """Return the stairs of all studies, over their trials."""
    traces = []
    for place, (history, name, steps) in enumerate(
        zip(histories, names, found.staircases, strict=True)
    ):
        role = ROLES[place % len(ROLES)]
        traces.append(
            scatter(
                x=[trial.latency.mean_ms for trial in history.complete],
                y=[100 * trial.score.miou for trial in history.complete],
                mode="markers",
                marker={"size": 6},
                opacity=0.4,
                meta={"role": role},
                showlegend=False,
                hoverinfo="skip",
            )
        )
        traces.append(
            scatter(
                x=[*(ms for ms, _ in steps), found.reference[1]],
                y=[100 * miou for _, miou in (*steps, *steps[-1:])],
                mode="lines+markers",
                line={"shape": "hv", "width": 2.5},
                name=_escaped(name),
                meta={"role": role},
                hovertemplate="%{y:.1f} mIoU in %{x:.1f} ms<extra></extra>",
            )
        )
    known = [trial.latency.mean_ms for history in histories for trial in history.complete]
    return chart(
        traces,
        xaxis=latency_axis([*known, found.reference[1]]),
        yaxis={"title": {"text": "mIoU (%)"}},
        legend=LEGEND_ABOVE,
        hovermode="closest",
        **target_line(found.reference[1], 1000 / found.reference[1], known),
    )


def _escaped(text: str) -> str:
    """Return `text` so that plotly, which knows a few tags of HTML, shows it as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
