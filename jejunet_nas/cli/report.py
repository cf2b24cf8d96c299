"""The command `report`: the report of a study, or a comparison of several."""

import dataclasses
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    Storage,
    complete_study,
    require_feasible,
    show_front,
)
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import open_named
from jejunet_nas.errors import SettingError
from jejunet_nas.files import project_folder

if TYPE_CHECKING:
    from jejunet_nas.records import StudyHistory
    from jejunet_nas.study.opened import Study

Studies = Annotated[
    list[str],
    typer.Argument(
        metavar="STUDY...",
        help="Name or YAML file of a study; several are compared.",
        autocompletion=complete_study,
    ),
]


def report(
    studies: Studies,
    baseline: Annotated[
        str | None,
        typer.Option(help="A study to compare the front with.", autocompletion=complete_study),
    ] = None,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to [default: reports/NAME].")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a study: HTML page, Markdown, tables, summary and chart of the front.

    Several studies are compared on one page.
    """
    if baseline and len(studies) > 1:
        raise SettingError(
            f"--baseline is {baseline} with {len(studies)} studies; it needs exactly one. Name the "
            "baseline among the studies to compare them all."
        )

    from jejunet_nas.study.history import without_garbage_collection

    with without_garbage_collection():  # with 10,000 trials it takes as long as the rest
        if len(studies) > 1:
            page, history = _compare(studies, out, storage, as_json), None
        else:
            page, history = _report(studies[0], baseline, data_root, out, storage, as_json)
    if open_page:
        webbrowser.open(page.absolute().as_uri())
    if history is not None:
        require_feasible(history)


def _report(
    name: str,
    baseline: str | None,
    data_root: Path | None,
    out: Path | None,
    storage: str | None,
    as_json: bool,
) -> "tuple[Path, StudyHistory]":
    from jejunet_nas.reporting.report import plain_report, write_report
    from jejunet_nas.reporting.site.gather import gather
    from jejunet_nas.study.kept_measurements import ignored_measurements

    study = open_named(name, storage, data_root)
    history, printer = study.history, Printer(as_json=as_json)
    against = open_named(baseline, storage).history if baseline else None
    with printer.status("reading the study") as say:
        extras = gather(
            study.settings,
            history,
            study.folder,
            lambda what, done, total: say(f"{what}: {done} of {total}"),
            name=study.word,
            baseline=against,
        )
        say("writing the report")
        page = write_report(history, out or _reports(study) / study.name, extras)
    show_front(history, printer)
    for line in ignored_measurements(history, study.networks):
        printer.say(line)
    if extras.damage:
        printer.say(f"{extras.damage}. Its figures are those of the graph that was scored.")
    if extras.no_pictures:
        printer.say(f"some pictures of masks are missing: {extras.no_pictures}")
    printer.result(f"report: {page}")
    if as_json:
        printer.json(plain_report(history, against))
    return page, history


def _compare(names: list[str], out: Path | None, storage: str | None, as_json: bool) -> Path:
    from jejunet_nas.reporting.attainment import compare
    from jejunet_nas.reporting.site.compare import write_comparison

    opened = [open_named(name, storage) for name in names]
    folder = out or _reports(opened[0]) / "-vs-".join(study.name for study in opened)
    histories = [study.history for study in opened]
    page = write_comparison(histories, folder)
    printer = Printer(as_json=as_json)
    printer.result(f"comparison: {page}")
    if as_json:
        printer.json(dataclasses.asdict(compare(histories)))
    return page


def _reports(study: "Study") -> Path:
    return project_folder(study.file) / "reports"
