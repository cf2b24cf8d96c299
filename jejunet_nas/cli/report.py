"""The command `report`: the report of a study, or a comparison of several."""

import dataclasses
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    ProfileName,
    Storage,
    TargetFps,
    complete_study,
    require_feasible,
    show_front,
)
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import Wanted, open_wanted
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
    target_fps: TargetFps = None,
    device: ProfileName = None,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to [default: reports/NAME, or reports/NAME_30fps]."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a study: HTML page, Markdown, tables, summary and chart of the front.

    Several studies are compared on one page. With --target-fps or --device, the trained networks
    are scored for it; architectures that the search refused stay untrained.
    """
    if baseline and len(studies) > 1:
        raise SettingError(
            f"--baseline is {baseline} with {len(studies)} studies; it needs exactly one. Name the "
            "baseline among the studies to compare them all."
        )

    if data_root is not None and len(studies) > 1:
        raise SettingError(
            f"--data-root is {data_root} with {len(studies)} studies; it needs exactly one. Leave "
            "it out: each study uses the data of its search."
        )

    from jejunet_nas.study.history import without_garbage_collection

    with without_garbage_collection():  # with 10,000 trials it takes as long as the rest
        wanted = Wanted(storage=storage, data_root=data_root, target_fps=target_fps, device=device)
        if len(studies) > 1:
            page, history = _compare(studies, wanted, out, as_json), None
        else:
            page, history = _report(studies[0], baseline, wanted, out, as_json)
    if open_page:
        webbrowser.open(page.absolute().as_uri())
    if history is not None:
        require_feasible(history)


def _report(
    name: str,
    baseline: str | None,
    wanted: Wanted,
    out: Path | None,
    as_json: bool,
) -> "tuple[Path, StudyHistory]":
    from jejunet_nas.reporting.held_out import held_out_note
    from jejunet_nas.reporting.report import plain_report, write_report
    from jejunet_nas.reporting.site.gather import gather
    from jejunet_nas.scoring.ranking import searched_words
    from jejunet_nas.study.kept_measurements import ignored_measurements

    printer = Printer(as_json=as_json)
    study = open_wanted(name, wanted, printer)
    history, against = study.history, None
    if baseline:
        other = dataclasses.replace(wanted, data_root=None)
        against = open_wanted(baseline, other, printer).history
        if against.target_fps != history.target_fps:  # one camera for both
            other = dataclasses.replace(other, target_fps=history.target_fps)
            against = open_wanted(baseline, other, printer).history
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
        page = write_report(history, out or _reports(study) / _folder(study), extras)
    show_front(history, printer)
    if note := held_out_note(history):
        printer.say(note)
    if again := searched_words(history):
        printer.say(again)
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


def _compare(names: list[str], wanted: Wanted, out: Path | None, as_json: bool) -> Path:
    from jejunet_nas.reporting.attainment import compare
    from jejunet_nas.reporting.site.compare import write_comparison

    printer = Printer(as_json=as_json)
    opened = [
        open_wanted(name, dataclasses.replace(wanted, data_root=None), printer) for name in names
    ]
    folder = out or _reports(opened[0]) / "-vs-".join(map(_folder, opened))
    histories = [study.history for study in opened]
    page = write_comparison(histories, folder)
    printer.result(f"comparison: {page}")
    if as_json:
        printer.json(dataclasses.asdict(compare(histories)))
    return page


def _reports(study: "Study") -> Path:
    return project_folder(study.file) / "reports"


def _folder(study: "Study") -> str:
    """Return the name of the report's folder, say `davis_30fps` or `davis_30fps_my_phone`."""
    words, again = [study.name], study.rescored_history
    asked = again.searched_for.asked if again and again.searched_for else ()
    if "--target-fps" in asked:
        words.append(f"{study.settings.target_fps:g}fps")
    if "--device" in asked:
        words.append(Path(study.settings.latency.device).stem)
    return "_".join(words)
