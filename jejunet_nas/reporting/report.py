"""Report: the files of a study for people and programs.

A report only reads what a search recorded, so it can be written again at any time. Equal histories
give equal files, byte for byte.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.front import draw_front
from jejunet_nas.files import write_text_whole, write_whole
from jejunet_nas.records import StudyHistory
from jejunet_nas.reporting.baseline import answer
from jejunet_nas.reporting.beside_published import published_json
from jejunet_nas.reporting.held_out import held_out_note
from jejunet_nas.reporting.markdown import page
from jejunet_nas.reporting.site.content import Extras, content
from jejunet_nas.reporting.site.render import render
from jejunet_nas.study.tables import front_table, summary, trials_table


def write_report(history: StudyHistory, folder: Path, extras: Extras | None = None) -> Path:
    """Write a study's page and the files named below to `folder`; return the page, `index.html`.

    extras: content of the page that is not in the history. The folder is created where missing;
    existing files are replaced.
    """
    extras = extras or Extras()
    baseline = extras.baseline
    compared = answer(history, baseline) if baseline else None
    plain = plain_report(history, baseline)
    summary_text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    texts = {
        "summary.json": f"{summary_text}\n",
        "front.csv": front_table(history).to_csv(index=False, lineterminator="\n"),
        "trials.csv": trials_table(history).to_csv(index=False, lineterminator="\n"),
        "report.md": page(history, figure="front.png", against=compared, name=extras.name),
        "index.html": render("index.html.j2", content(history, extras)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "front.png", lambda file: draw_front(history, file))
    for name, text in texts.items():
        write_text_whole(folder / name, text)
    return folder / "index.html"


def plain_report(history: StudyHistory, baseline: StudyHistory | None = None) -> dict[str, Any]:
    """Return the content of `summary.json` as plain JSON values, with a baseline's comparison."""
    plain = summary(history) | {"published": published_json(history)}
    if plain["held_out"] is not None:
        plain["held_out"]["words"] = held_out_note(history)
    if baseline is not None:
        plain["baseline"] = dataclasses.asdict(answer(history, baseline))
    return plain
