"""The command line: parses, calls, prints.

With `--json` the result alone goes to standard output; all that is for people goes to standard
error. What a command needs is
imported inside it, so that `--help` answers at once. Exit codes: 0 done, 1 a fault of ours, 2 bad
input, 3 nothing feasible, 4 the device failed, 130 interrupted.
"""

import json
import re
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jejunet_nas import __version__
from jejunet_nas.errors import JejunetError, NothingFeasibleError, SettingError

INTERRUPTED = 130

app = typer.Typer(
    name="jejunet-nas",
    help="Search for int8 video segmentation networks that keep up with a phone's camera.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Study = Annotated[str, typer.Argument(metavar="STUDY", help="A study's YAML file, or its name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary alone, as JSON.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write to [default: reports/NAME].")]


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of errors.")] = False,
) -> None:
    """Search for int8 video segmentation networks that keep up with a phone's camera."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@app.command()
def search(
    study: Study,
    trials: Annotated[int | None, typer.Option(help="Complete trials in all.")] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Start no trial after this time: 90s, 30m, 2h.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    init: Annotated[
        str | None, typer.Option(help="Backbone weights (.npz) to start from, or scratch.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage [default: SQLite in the study's folder].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampler and training.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a search study, or go on with it."""
    overrides: dict[str, Any] = {}
    if data_root is not None:
        overrides["data.root"] = str(_existing_folder(data_root))
    if init is not None:
        overrides["training.init"] = init
    if seed is not None:
        overrides |= {"training.seed": seed, "sampler.seed": seed}
    if trials is not None:
        overrides["trials"] = trials
    seconds = _seconds(time_budget)

    from jejunet_nas.search.settings import read_study

    file = _study_file(study)
    settings = read_study(file, overrides)
    folder = _state_folder(file, settings.name)

    from jejunet_nas.search.native_log import console_of_its_own, native_log

    console = console_of_its_own()
    with native_log(folder / "tensorflow.log"):
        from jejunet_nas.reporting.tables import summary
        from jejunet_nas.search.search import Budget, search
        from jejunet_nas.search.view import make_view

        budget = Budget(trials=settings.trials, seconds=seconds)
        history = search(settings, folder, budget, make_view(console), storage=storage)
    _print_front(history, console)
    if as_json:
        typer.echo(json.dumps(summary(history), indent=2, ensure_ascii=False))
    _require_feasible(history)


@app.command()
def report(
    study: Study,
    out: Out = None,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage [default: SQLite in the study's folder].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a study: tables, summary and the front as a figure."""
    from jejunet_nas.reporting.report import write_report
    from jejunet_nas.reporting.tables import summary
    from jejunet_nas.search.ledger import Ledger, storage_url
    from jejunet_nas.search.settings import read_study

    file = _study_file(study)
    settings = read_study(file)
    folder = _state_folder(file, settings.name)
    ledger = Ledger.find(settings, storage or storage_url(folder))
    if ledger is None:
        raise SettingError(
            f"{settings.name} has no trials yet; allowed: a study that was searched. Run "
            f"`jejunet-nas search {study}` first."
        )
    history = ledger.history()
    written = write_report(history, out or _project_folder(file) / "reports" / settings.name)
    console = Console(stderr=True)
    _print_front(history, console)
    console.print(f"report: {written.folder / 'report.md'}", highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(summary(history), indent=2, ensure_ascii=False))
    _require_feasible(history)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors of ours become one line and their exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:  # --debug is taken wherever it stands
        code = app(
            args=[word for word in given if word != "--debug"],
            prog_name="jejunet-nas",
            standalone_mode=False,
        )
    except JejunetError as error:
        sys.exit(_fail(str(error), error.exit_code, given))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(_fail("interrupted; the same command goes on from here", INTERRUPTED, []))
    except Exception as error:
        if hasattr(error, "format_message"):  # of the parser: an option that does not exist
            sys.exit(_fail(error.format_message(), SettingError.exit_code, given))
        sys.exit(_fail(f"a fault of ours: {error!r}. Add --debug to see where.", 1, given))
    sys.exit(code if isinstance(code, int) else 0)


def _fail(line: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
    print(f"jejunet-nas: {line}", file=sys.stderr)
    return code


def _study_file(study: str) -> Path:
    if study.endswith((".yaml", ".yml")):
        # A bare name says nothing of the folder that it lies in.
        return Path(study) if Path(study).parent.name else Path(study).absolute()
    file = Path("studies") / f"{study}.yaml"
    if not file.is_file():
        known = sorted(found.stem for found in Path("studies").glob("*.yaml"))
        raise SettingError(
            f"{study} is no study here; allowed: {', '.join(known) or 'a YAML file'}. Give the "
            "path of its YAML file."
        )
    return file


def _project_folder(study_file: Path) -> Path:
    """Return the folder in which studies/ and reports/ lie."""
    folder = study_file.parent
    return folder.parent if folder.name == "studies" else folder


def _state_folder(study_file: Path, name: str) -> Path:
    return _project_folder(study_file) / "studies" / name


def _existing_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise SettingError(
            f"--data-root is {folder}, which is no folder; allowed: the data set's root. Check "
            "the path."
        )
    return folder


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match:
        raise SettingError(
            f"--time-budget is {text}; allowed: a number with s, m or h, such as 30m. Write it so."
        )
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _print_front(history: Any, console: Console) -> None:
    from jejunet_nas.reporting.tables import front_of
    from jejunet_nas.reporting.words import architecture_words

    for trial in front_of(history):
        console.print(
            f"  trial {trial.number}: {100 * trial.score.miou:.1f} mIoU, "
            f"{trial.latency.sustained_fps:.1f} fps ({trial.latency.source}): "
            f"{architecture_words(trial.architecture)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _require_feasible(history: Any) -> None:
    from jejunet_nas.reporting.report import nearest_to_target
    from jejunet_nas.reporting.tables import front_of

    if not front_of(history):
        last = history.failed[-1] if history.failed else None
        failed = f"; trial {last.number} failed: {last.reason}" if last else ". Search on."
        raise NothingFeasibleError(
            nearest_to_target(history) or f"{history.study} has no complete trial{failed}"
        )


if __name__ == "__main__":
    main()
