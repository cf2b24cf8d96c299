"""The commands `studies list`, `show`, `copy`, `remove` and `schema`."""

import sys
from typing import Annotated, Any

import typer

from jejunet_nas.cli.arguments import AsJson, StudyName
from jejunet_nas.cli.printer import Printer, print_json
from jejunet_nas.errors import SettingError

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def common(context: typer.Context) -> None:
    """List, show, copy and remove studies."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_studies(as_json: AsJson = False) -> None:
    """List the studies of this folder and those that come with the package."""
    from jejunet_nas.study.shelf import shelf

    rows, printer = shelf(), Printer(as_json=as_json)
    from rich.table import Table

    table = Table(*("study", "from", "trials", "best mIoU %", "data"), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*_list_cells(row))
    printer.result(table)
    printer.json(rows)


@app.command()
def show(study: StudyName, as_json: AsJson = False) -> None:
    """Show a study's settings as a search uses them, and its state."""
    from jejunet_nas.study.shelf import described

    found, printer = described(study), Printer(as_json=as_json)
    from jejunet_nas.documents.yaml_file import yaml_text

    printer.result(yaml_text(found, sort_keys=False, allow_unicode=True).rstrip())
    printer.json(found)


@app.command()
def copy(
    study: StudyName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Name of the copy.")],
) -> None:
    """Copy a study's file to studies/NEW.yaml, with its comments, to change it there."""
    from jejunet_nas.study.shelf import copy_study

    file, command = copy_study(study, new)
    Printer().result(f"written: {file}. Change it, then search it:\n  {command}")


@app.command()
def remove(
    study: StudyName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a study's trials and trained networks. Its file and its report stay."""
    from jejunet_nas.study.shelf import remove_state, state_to_remove

    folder, size_bytes = state_to_remove(study)
    if not yes:
        if not sys.stdin.isatty():
            raise SettingError(f"{folder} is removed only when asked. Add --yes.")
        question = f"Remove {folder}, {size_bytes / 1e6:.1f} MB, with all its trials?"
        if not typer.confirm(question, err=True):
            Printer().say("nothing was removed")
            return
    remove_state(folder)
    Printer().result(f"removed: {folder}, {size_bytes / 1e6:.1f} MB")


@app.command()
def schema() -> None:
    """Print the JSON schema of study files, for editors."""
    from jejunet_nas.study.schema import study_schema

    print_json(study_schema())


def _list_cells(row: dict[str, Any]) -> tuple[str, ...]:
    from jejunet_nas.records.words import per_cent

    if row["problem"]:
        return row["study"], row["from"], "", "", row["problem"]
    data = row["dataset"] + (f" in {row['data_root']}" if row["data_root"] else "")
    complete, wanted = row["complete"], row["trials"]
    trials = "-" if complete is None else f"{complete} of {max(complete, wanted)}"
    return row["study"], row["from"], trials, per_cent(row["best_miou"]), data
