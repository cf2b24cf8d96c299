"""Report: the files that people and programs read of a study.

The last stage: it draws on what `search` recorded, trains and measures nothing, and can be written
again at any time. One history gives the same files, byte by byte.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.front import draw_front
from jejunet_nas.files import write_whole
from jejunet_nas.records import StudyHistory
from jejunet_nas.reporting.baseline import answer
from jejunet_nas.reporting.markdown import page
from jejunet_nas.reporting.site.content import Beside, content
from jejunet_nas.reporting.site.render import render
from jejunet_nas.scoring.ranking import front_of, nearest_to_target
from jejunet_nas.study.tables import front_table, summary, trials_table

__all__ = ["Report", "nearest_to_target", "plain_report", "write_report"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The files that were written, and how many trials are on the front."""

    folder: Path
    files: tuple[Path, ...]
    front_size: int


def write_report(history: StudyHistory, folder: Path, beside: Beside | None = None) -> Report:
    """Write a study's page, `index.html`, and the files named below beside it, to `folder`.

    beside: what the page shows that is no part of the history. The folder is made where it is
    missing; files of these names are replaced, each in one step.
    """
    beside = beside or Beside()
    baseline = beside.baseline
    asked = answer(history, baseline) if baseline else None
    writers: dict[str, Callable[[Path], object]] = {
        "summary.json": _text(_json(plain_report(history, baseline))),
        "front.csv": _text(front_table(history).to_csv(index=False, lineterminator="\n")),
        "trials.csv": _text(trials_table(history).to_csv(index=False, lineterminator="\n")),
        "front.png": lambda file: draw_front(history, file),
        "report.md": _text(page(history, figure="front.png", against=asked)),
        "index.html": _text(render("index.html.j2", content(history, beside))),
    }
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(write_whole(folder / name, write) for name, write in writers.items())
    return Report(folder=folder, files=files, front_size=len(front_of(history)))


def plain_report(history: StudyHistory, baseline: StudyHistory | None = None) -> dict[str, Any]:
    """Return the content of `summary.json`, plain JSON values; how it stands to a baseline too."""
    told = summary(history)
    if baseline is not None:
        told["baseline"] = dataclasses.asdict(answer(history, baseline))
    return told


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _text(text: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(text, encoding="utf-8", newline="\n")
