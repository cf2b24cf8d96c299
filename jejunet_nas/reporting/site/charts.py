"""Charts: the page's smaller figures for plotly, without colours.

`meta.role` of a trace names its colour in the light and the dark theme of the page's script.
`customdata` holds the trial numbers of points, for the tooltip and the card.

Units: hours and minutes of work; shares in per cent.
"""

from collections import defaultdict
from collections.abc import Mapping

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import per_cent
from jejunet_nas.reporting.progress import progress
from jejunet_nas.reporting.site.plot import Chart, bar, chart, scatter


def progress_chart(history: StudyHistory) -> Chart:
    """Return the hypervolume after each trial; `customdata` holds the hours of work."""
    made = progress(history)
    hours = [seconds / 3600 for seconds in made.spent_s] if made.spent_s else None
    trace = scatter(
        x=list(made.trials),
        y=list(made.hypervolumes),
        customdata=hours,
        mode="lines",
        line={"shape": "hv", "width": 2},
        meta={"role": "front"},
        hovertemplate="after trial %{x}: %{y:.2f}<extra></extra>",
    )
    return chart(
        [trace],
        xaxis={"title": {"text": "trial"}},
        yaxis={"title": {"text": "hypervolume (mIoU x ms)"}, "rangemode": "tozero"},
    )


def importance_chart(importances: Mapping[str, Mapping[str, float]]) -> Chart | None:
    """Return the importance of each dimension for each objective; None where unknown."""
    known = {name: shares for name, shares in importances.items() if shares}
    if not known:
        return None
    total: dict[str, float] = defaultdict(float)
    for shares in known.values():
        for dimension, share in shares.items():
            total[dimension] += share
    order = sorted(total, key=lambda dimension: total[dimension])
    traces = [
        bar(
            orientation="h",
            name=objective,
            x=[100 * shares.get(dimension, 0.0) for dimension in order],
            y=[dimension.replace("_", " ") for dimension in order],
            meta={"role": role},
            hovertemplate="%{y}: %{x:.0f} % of " + objective + "<extra></extra>",
        )
        for (objective, shares), role in zip(known.items(), ("front", "video"), strict=False)
    ]
    return chart(traces, barmode="group", xaxis={"title": {"text": "share (%)"}})


def stages_chart(history: StudyHistory) -> Chart:
    """Return the seconds spent on each stage, over all complete trials."""
    spent: dict[str, float] = defaultdict(float)
    for trial in history.complete:
        for stage, seconds in trial.stage_s.items():
            spent[stage] += seconds
    order = sorted(spent, key=lambda stage: spent[stage])
    whole = sum(spent.values()) or 1.0
    trace = bar(
        orientation="h",
        x=[spent[stage] / 60 for stage in order],
        y=order,
        text=[f"{per_cent(spent[stage] / whole, 0)} %" for stage in order],
        textposition="outside",
        cliponaxis=False,
        meta={"role": "front"},
        hovertemplate="%{y}: %{x:.1f} min<extra></extra>",
    )
    return chart(
        [trace], xaxis={"title": {"text": "minutes, sum over all trials"}}, showlegend=False
    )
