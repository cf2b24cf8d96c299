"""The commands of data: check a data set before anything else, clean the cache of its pictures."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jejunet_nas.cli.arguments import AsJson, existing_folder, print_json, sayer
from jejunet_nas.errors import DataError, SettingError

if TYPE_CHECKING:
    from jejunet_nas.datasets.check import DataCheck, Fault, SplitCheck
    from jejunet_nas.datasets.cleaning import Cached
    from jejunet_nas.progress import Tell

SHEET = "contact_sheet.png"
_MOST_SHOWN = 20  # of the faults; with --json all are there
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"M": 1e6, "G": 1e9, "T": 1e12}

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def common(context: typer.Context) -> None:
    """Check a data set, and clean the cache of its pictures."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def check(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="davis, voc2012, youtube_vos, camvid, folder.")
    ],
    data_root: Annotated[Path, typer.Option(help="Folder of the data set.")],
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the data set, as in a study."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to [default: reports/data_DATASET].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a data set holds and what is broken.

    Looks at every file, and draws a contact sheet of frames with their masks laid over.

    A layout that does not hold together (a list, a folder, a frame or a mask is missing) is told in
    one line. Files that are broken (cut short, of another size, a value without a class) are told
    one by one at the end. In either case the exit code is 2.
    """
    options = _options(option or [])
    root = existing_folder(data_root)

    from jejunet_nas.datasets.check import check_data
    from jejunet_nas.drawing.contact_sheet import draw_contact_sheet

    console = Console(stderr=True)
    with _progress(console) as progress:
        found = check_data(dataset, root, options, progress)
    folder = out or Path("reports") / f"data_{dataset}"
    sheet: Path | None = folder / SHEET
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sheet = sheet if draw_contact_sheet(found, folder / SHEET) else None
    except OSError as error:
        raise SettingError(
            f"{folder} cannot be written ({error.strerror or error}); allowed: a folder of yours. "
            "Give --out another one."
        ) from error
    _show(found, sheet, console)
    if as_json:
        print_json(_check_json(found, sheet))
    if found.faults:
        count = len(found.faults)
        files = "1 file" if count == 1 else f"{count} files"
        raise DataError(
            f"{files} of {root} cannot be used, as named above; expected: none. Mend what is "
            "named, then check again."
        )


@app.command()
def clean(
    older_than: Annotated[
        str | None, typer.Option(help="Remove what was not used for so long: 12h, 30d, 8w.")
    ] = None,
    keep_below: Annotated[
        str | None,
        typer.Option(help="Remove what was not used for longest until the rest takes less: 20G."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bound the cache of decoded pictures.

    Without an option: --older-than 30d --keep-below 20G.

    Training frames are kept once more for each resolution that was tried, in folders of their own.

    Pictures that are needed again are made again. What is being written stays; what a running
    study reads does not, and the study stops: clean while none runs.
    """
    if older_than is None and keep_below is None:
        older_than, keep_below = "30d", "20G"
    older_than_s = _amount(older_than, _SECONDS, "--older-than", "30d")
    keep_below_bytes = _amount(keep_below, _BYTES, "--keep-below", "20G")

    import time

    from jejunet_nas.datasets.cache import default_cache_dir
    from jejunet_nas.datasets.cleaning import clean_cache

    cache = default_cache_dir()
    done = clean_cache(
        cache,
        now_s=time.time(),
        older_than_s=older_than_s,
        keep_below_bytes=keep_below_bytes,
        dry_run=dry_run,
    )
    say = sayer(Console(stderr=True))
    for entry in done.removed:
        say(f"  {entry.folder.name}: {_size(entry.size_bytes)}")
    for entry in done.busy:
        say(f"  {entry.folder.name} is being written, and stays")
    verb = "would free" if dry_run else "freed"
    kept = (*done.kept, *done.busy)
    say(f"{verb} {_total(done.removed)}; {_total(kept)} stay in {cache}")
    if as_json:
        print_json(
            {
                "cache": str(cache),
                "dry_run": dry_run,
                "freed_bytes": sum(entry.size_bytes for entry in done.removed),
                "kept_bytes": sum(entry.size_bytes for entry in kept),
                "removed": [entry.folder.name for entry in done.removed],
                "busy": [entry.folder.name for entry in done.busy],
            }
        )


def _options(given: Sequence[str]) -> dict[str, Any]:
    """Return the data set's options from words such as `clips=10`; values are YAML."""
    import yaml

    options: dict[str, Any] = {}
    for words in given:
        name, equals, value = words.partition("=")
        try:
            if not (name and equals):
                raise ValueError
            options[name.strip()] = yaml.safe_load(value)
        except (ValueError, yaml.YAMLError):
            raise SettingError(
                f"--option is {words}; allowed: NAME=VALUE, such as clips=10. Write it so."
            ) from None
    return options


def _amount(text: str | None, units: dict[str, float], option: str, example: str) -> float | None:
    """Return what, say, `30d` is in the units' measure; None where nothing was given."""
    if text is None:
        return None
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)([{''.join(units)}])", text.strip())
    if not match:
        *most, last = units
        raise SettingError(
            f"{option} is {text}; allowed: a number with {', '.join(most)} or {last}, such as "
            f"{example}. Write it so."
        )
    return float(match[1]) * units[match[2]]


@contextlib.contextmanager
def _progress(console: Console) -> Iterator["Tell"]:
    """Show a bar while files are read; on a terminal alone."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown:
        task = shown.add_task("", total=None)

        def tell(what: str, done: int, total: int) -> None:
            shown.update(task, description=what, completed=done, total=total)

        yield tell


def _show(check: "DataCheck", sheet: Path | None, console: Console) -> None:
    """Print all for people."""
    say = sayer(console)
    console.print(_facts_table(check))
    console.print()
    console.print(_class_table(check))
    for split in check.splits:
        if split.never:
            say(f"never in {split.split}: {', '.join(split.never)}")
    say("")
    for line in _fault_lines(check.faults):
        say(line)
    say(f"read {sum(split.frames for split in check.splits)} frames in {check.seconds:.1f} s")
    if sheet:
        say(f"contact sheet: {sheet}")


def _fault_lines(faults: Sequence["Fault"]) -> Iterator[str]:
    for fault in faults[:_MOST_SHOWN]:
        yield f"bad: {fault.sentence}"
    if len(faults) > _MOST_SHOWN:
        yield f"and {len(faults) - _MOST_SHOWN} other files; --json names all"


def _facts_table(check: "DataCheck") -> Table:
    """Return what each split holds, a column a split."""
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
        ("size, width x height", size_words),
        ("frame rate", rate),
        ("void", lambda split: f"{per_cent(split.void_share)} % of the masks"),
        ("broken files", lambda split: str(len(split.faults) or "none")),
    )
    for name, words in rows:
        table.add_row(name, *(words(split) for split in check.splits))
    return table


def _class_table(check: "DataCheck") -> Table:
    """Return each class's share of the pixels that have one, and in how many frames it is."""
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


def _check_json(check: "DataCheck", sheet: Path | None) -> dict[str, Any]:
    return {
        "dataset": check.dataset,
        "root": str(check.root),
        "seconds": round(check.seconds, 3),
        "contact_sheet": str(sheet) if sheet else None,
        "splits": [_split_json(split) for split in check.splits],
    }


def _split_json(split: "SplitCheck") -> dict[str, Any]:
    return {
        "split": split.split,
        "clips": split.clips,
        "photos": split.photos,
        "frames": split.frames,
        "annotated_frames": split.annotated_frames,
        "sizes": [
            {"width": width, "height": height, "frames": frames}
            for (height, width), frames in split.sizes.items()
        ],
        "fps": list(split.fps),
        "void_share": split.void_share,
        "classes": [
            {"name": each.name, "share": each.share, "frames": each.frames}
            for each in split.classes
        ],
        "never": list(split.never),
        "faults": [{"file": str(fault.path), "sentence": fault.sentence} for fault in split.faults],
    }


def _total(entries: Sequence["Cached"]) -> str:
    many = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    return f"{_size(sum(entry.size_bytes for entry in entries))} ({many})"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
