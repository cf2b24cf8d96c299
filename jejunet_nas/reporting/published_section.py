"""Published section: a study beside published results, for the Markdown report and the page.

Units: mIoU in per cent; GMACs, 10^9 multiply-accumulate operations a frame; ms a frame.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import counted, escaped, markdown_table, one_line, per_cent
from jejunet_nas.reporting.beside_published import ComparedRow, compared_rows
from jejunet_nas.scoring.ranking import picks

COLUMNS = ("model", "mIoU %", "GMACs", "ms a frame", "latency", "scored with", "unlike")
_TEXT = ("model", "latency", "scored with", "unlike")


def published_section(history: StudyHistory) -> list[str]:
    """Return the Markdown section; empty where there is nothing to compare."""
    rows = compared_rows(history)
    if not rows:
        return []
    columns = _columns(history)
    table = markdown_table(
        columns,
        ([_marked(escaped(cell), row) for cell in cells(row)] for row in rows),
        text=(*_TEXT[:-1], columns[-1]),
    )
    said = [escaped(note) for note in (*_notes(history), *_sources(rows))]
    return ["## Beside published results", escaped(_lead(history)), table, " ".join(said)]


def published_content(history: StudyHistory) -> Mapping[str, Any] | None:
    """Return the values of the page's section; None where there is nothing to compare."""
    rows = compared_rows(history)
    if not rows:
        return None
    return {
        "lead": _lead(history),
        "columns": [(name, name not in COLUMNS or name in _TEXT) for name in _columns(history)],
        "rows": [(row.trial, cells(row)) for row in rows],
        "notes": [*_notes(history), *_sources(rows)],
    }


def cells(row: ComparedRow) -> tuple[str, ...]:
    """Return the texts of a row, in the order of `COLUMNS`."""
    return (
        row.name,
        per_cent(row.miou),
        "-" if row.gmacs is None else f"{row.gmacs:.3g}",
        "-" if row.latency_ms is None else f"{row.latency_ms:.1f}",
        row.latency,
        row.scored_with,
        row.unlike,
    )


def _columns(history: StudyHistory) -> tuple[str, ...]:
    return (*COLUMNS[:-1], f"unlike trial {picks(history)['best'].number}")


def _lead(history: StudyHistory) -> str:
    return (
        f"Results that others published on {one_line(history.dataset)}, beside this study's. They "
        "are not like with like: the last column says in what each differs."
    )


def _notes(history: StudyHistory) -> list[str]:
    pick = picks(history)["best"]
    return [
        "mIoU here is own-frame mIoU, which published tables hold too: each mask compared with its "
        "own frame. Streaming mIoU, which ranks trials, is not comparable. GMACs: 10^9 "
        f"multiply-accumulate operations a frame. Trial {pick.number} was picked on these val "
        f"clips, which flatters it, and trained for {counted(pick.network.training.steps, 'step')};"
        " how long the others were trained is not known here."
    ]


def _sources(rows: Sequence[ComparedRow]) -> list[str]:
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.citation is not None:
            names.setdefault(row.citation, []).append(row.name)
    if len(names) == 1:
        return [f"Source: {citation}." for citation in names]
    return [f"Source of {', '.join(same)}: {citation}." for citation, same in names.items()]


def _marked(text: str, row: ComparedRow) -> str:
    return f"**{text}**" if text and row.trial is not None else text
