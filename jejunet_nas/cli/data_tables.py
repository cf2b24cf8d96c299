"""The output of `data check`: tables for people, or plain values for JSON."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jejunet_nas.cli.printer import Printer

if TYPE_CHECKING:
    from jejunet_nas.datasets.check import DataCheck, SplitCheck

MOST_SHOWN = 20  # broken files; --json lists all


def show_check(check: "DataCheck", sheet: Path | None, printer: Printer) -> None:
    """Print the tables, the broken files and where the contact sheet is."""
    say = printer.result
    say(_facts_table(check))
    say()
    say(_class_table(check))
    for warning in (*check.warnings, *_notes(check)):  # a search says the same
        say(f"warning: {warning.rstrip('.')}")
    say()
    for fault in list(check.faults.values())[:MOST_SHOWN]:
        say(f"bad: {fault}")
    if len(check.faults) > MOST_SHOWN:
        say(f"and {len(check.faults) - MOST_SHOWN} other files; --json lists all")
    for refusal in check.refusals:
        say(f"bad: {refusal}")
    say(f"read {sum(split.frames for split in check.splits)} frames in {check.seconds:.1f} s")
    if sheet:
        say(f"contact sheet: {sheet}")


def _notes(check: "DataCheck") -> list[str]:
    return [*dict.fromkeys(note for files in check.files for note in files.notes)]


def _facts_table(check: "DataCheck") -> Table:
    """Return the facts of each split, a column for each."""
    from jejunet_nas.datasets.camera import FPS
    from jejunet_nas.drawing.contact_sheet import clip_words, fps_words, size_words
    from jejunet_nas.records.words import per_cent

    def rate(split: "SplitCheck") -> str:
        moved = f"photos moved at {FPS:g} fps" if split.photos else ""
        return ", ".join(words for words in (fps_words(split), moved) if words)

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(check.dataset)
    for split in check.splits:
        table.add_column(split.split)
    rows = (
        ("clips", clip_words),
        ("frames", lambda split: str(split.frames)),
        ("annotated", lambda split: str(split.annotated_frames)),
        ("size, height x width", size_words),
        ("frame rate", rate),
        ("ignored", lambda split: f"{per_cent(split.void_share)} % of the masks"),
        ("broken files", lambda split: str(len(split.faults) or "none")),
    )
    for name, words in rows:
        table.add_row(name, *(words(split) for split in check.splits))
    return table


def _class_table(check: "DataCheck") -> Table:
    """Return each class's share of the labelled pixels, and the number of frames with it."""
    from jejunet_nas.records.words import per_cent

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("class")
    for split in check.splits:
        table.add_column(f"{split.split} % of pixels", justify="right")
        table.add_column("frames", justify="right")
    for row in zip(*(split.classes for split in check.splits), strict=True):
        cells = [(per_cent(each.share, 2), str(each.frames)) for each in row]
        table.add_row(row[0].name, *(cell for pair in cells for cell in pair))
    return table


def check_json(check: "DataCheck", sheet: Path | None) -> dict[str, Any]:
    """Return the check as plain values; `sheet` is the contact sheet's file."""
    return {
        "dataset": check.dataset,
        "root": str(check.root),
        "seconds": round(check.seconds, 3),
        "contact_sheet": str(sheet) if sheet else None,
        "notes": _notes(check),
        "warnings": list(check.warnings),
        "refusals": list(check.refusals),
        "splits": [_split_json(split) for split in check.splits],
    }


def _split_json(split: "SplitCheck") -> dict[str, Any]:
    plain = ("split", "clips", "photos", "frames", "annotated_frames", "fps", "void_share")
    return {
        **{name: getattr(split, name) for name in plain},
        "never": list(split.labels.absent),
        "sizes": [
            {"width": width, "height": height, "frames": frames}
            for (height, width), frames in split.sizes.items()
        ],
        "classes": [dataclasses.asdict(each) for each in split.classes],
        "faults": [{"file": str(file), "sentence": fault} for file, fault in split.faults.items()],
    }
