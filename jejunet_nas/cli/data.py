"""The commands `data check` and `data clean`: check a data set, and clean the cache of frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataOption,
    amount_of,
    data_options,
    existing_folder,
)
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.progress_bar import progress_bar
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.faults import disk_fault

if TYPE_CHECKING:
    from jejunet_nas.datasets.cleaning import Cached

SHEET = "contact_sheet.png"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"M": 1e6, "G": 1e9, "T": 1e12}

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def common(context: typer.Context) -> None:
    """Check a data set, and clean the cache of its frames."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def check(
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="davis, voc2012, youtube_vos, camvid, folder."),
    ],
    data_root: Annotated[Path, typer.Option(help="Folder of the data set.")],
    option: DataOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to [default: reports/data_DATASET].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report what a data set contains and which files are broken.

    Reads every file, and draws a contact sheet of frames with their masks.

    If a list, folder, frame or mask is missing, the check stops and names them. Broken files
    (truncated, of another size, or with a mask value that is no class), and masks that a network
    cannot learn from, are listed at the end. In these cases the exit code is 2.
    """
    options = data_options(option or [])
    root = existing_folder(data_root)

    from jejunet_nas.cli.data_tables import check_json, show_check
    from jejunet_nas.datasets.check import check_data
    from jejunet_nas.drawing.contact_sheet import draw_contact_sheet

    printer = Printer(as_json=as_json)
    try:
        with progress_bar(printer.messages) as progress:
            found = check_data(dataset, root, options, progress)
    except DataError as error:
        raise _listed(error, root, printer) from error
    folder = out or Path("reports") / f"data_{dataset}"
    sheet: Path | None = folder / SHEET
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sheet = sheet if draw_contact_sheet(found, folder / SHEET) else None
    except OSError as error:
        raise disk_fault(folder, error) or SettingError(
            f"{folder} cannot be written: {error.strerror or error}. Use --out with another folder."
        ) from error
    show_check(found, sheet, printer)
    printer.json(check_json(found, sheet))
    if found.faults:
        count = len(found.faults)
        files = "1 file" if count == 1 else f"{count} files"
        raise DataError(
            f"{files} of {root} cannot be used, as listed above. Fix or remove them, then check "
            "again."
        )
    if found.refusals:
        raise DataError(f"{root} cannot be learnt from, as listed above.")


def _listed(error: DataError, root: Path, printer: Printer) -> DataError:
    """Print each of the faults that `error` has; return the error to end with."""
    from jejunet_nas.cli.data_tables import MOST_SHOWN

    faults = (str(error), *error.others)
    if len(faults) == 1:
        return error
    for fault in faults[:MOST_SHOWN]:
        printer.say(f"bad: {fault}")
    shown = f"the first {MOST_SHOWN} of them" if faults[MOST_SHOWN:] else "all"
    return DataError(
        f"{root} has {len(faults)} faults, {shown} listed above. Fix them, then check again."
    )


@app.command()
def clean(
    older_than: Annotated[
        str | None, typer.Option(help="Remove entries unused for longer than this: 12h, 30d, 8w.")
    ] = None,
    keep_below: Annotated[
        str | None,
        typer.Option(help="Remove the entries unused for longest until the rest is smaller: 20G."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be removed; remove nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Limit the size of the cache of decoded frames.

    Without options it applies --older-than 30d --keep-below 20G.

    The cache has a folder of training frames for each resolution that was tried. A search decodes
    removed frames again when it needs them.

    Clean while no search runs: a running search fails if its frames are removed. Folders that are
    being written stay.
    """
    if older_than is None and keep_below is None:
        older_than, keep_below = "30d", "20G"
    older_than_s = amount_of(older_than, _SECONDS, "--older-than", "30d")
    keep_below_bytes = amount_of(keep_below, _BYTES, "--keep-below", "20G")

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
    printer = Printer(as_json=as_json)
    for entry in done.removed:
        printer.result(f"  {entry.folder.name}: {_size(entry.size_bytes)}")
    for entry in done.busy:
        printer.result(f"  {entry.folder.name} is being written and stays")
    verb = "would free" if dry_run else "freed"
    kept = (*done.kept, *done.busy)
    printer.result(f"{verb} {_total(done.removed)}; {_total(kept)} stay in {cache}")
    printer.json(
        {
            "cache": str(cache),
            "dry_run": dry_run,
            "freed_bytes": sum(entry.size_bytes for entry in done.removed),
            "kept_bytes": sum(entry.size_bytes for entry in kept),
            "removed": [entry.folder.name for entry in done.removed],
            "busy": [entry.folder.name for entry in done.busy],
        }
    )


def _total(entries: Sequence["Cached"]) -> str:
    many = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    return f"{_size(sum(entry.size_bytes for entry in entries))} ({many})"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
