"""Arguments that several commands share, and the values of their words."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import NothingFeasibleError, SettingError
from jejunet_nas.files import project_folder, study_file
from jejunet_nas.progress import Say

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's YAML file, or its name.")
]
DeviceName = Annotated[
    str,
    typer.Option("--device", help="adb, adb:SERIAL, host, predicted, or predicted:PROFILE."),
]
PhoneName = Annotated[str, typer.Option("--device", help="adb or adb:SERIAL.")]
TrialNumber = Annotated[
    int | None, typer.Option("--trial", help="Trial [default: the front's best mIoU].")
]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the data set.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result alone, as JSON.")]
Storage = Annotated[
    str | None,
    typer.Option(help="Optuna storage's URL [default: SQLite in the study's folder]."),
]

Program = Annotated[
    Path | None,
    typer.Option(
        "--benchmark-binary",
        help="TensorFlow Lite's benchmark_model for the phone; `doctor` says where to get it.",
    ),
]


def report_file(study_file: Path, name: str, page: str, out: Path | None) -> Path:
    """Return the Markdown file of a page: `out`, or `page` in the folder of the study's report.

    Raises `SettingError` if it is a folder.
    """
    file = out or project_folder(study_file) / "reports" / name / page
    if file.is_dir():
        raise SettingError(f"--out is {file}, which is a folder. Name a Markdown file.")
    return file


def existing_folder(folder: Path) -> Path:
    """Return `folder`. Raises `SettingError` if it is not a folder."""
    if not folder.is_dir():
        raise SettingError(f"--data-root is {folder}, which is not a folder. Check the path.")
    return folder


def data_root_override(data_root: Path | None) -> dict[str, Any]:
    """Return the override of a study's settings for `--data-root`. Raises `SettingError`."""
    return {"data.root": str(existing_folder(data_root))} if data_root else {}


def seconds_of(text: str | None, option: str) -> float | None:
    """Return the seconds of a duration such as `30m`, None of None. Raises `SettingError`."""
    return amount_of(text, {"s": 1.0, "m": 60.0, "h": 3600.0}, option, "30m")


def amount_of(text: str | None, units: dict[str, float], option: str, example: str) -> float | None:
    """Return the value of a number with one of `units`, None of None. Raises `SettingError`."""
    if text is None:
        return None
    match = re.fullmatch(rf"([0-9]{{1,15}}(?:\.[0-9]{{1,15}})?)([{''.join(units)}])", text.strip())
    if not match:
        *most, last = units
        raise SettingError(
            f"{option} is {shortened(text)}; allowed: a number with {', '.join(most)} or {last}, "
            f"such as {example}."
        )
    return float(match[1]) * units[match[2]]


def find_study(target: str) -> Path | None:
    """Return the file of the study `target`, or None if `target` is a graph or a folder."""
    if target.endswith((".yaml", ".yml")):
        return study_file(target)
    if target.endswith(".tflite") or Path(target).exists():
        return None
    try:
        return study_file(target)
    except SettingError as error:
        raise SettingError(f"{error} For a graph, give its .tflite file or its folder.") from None


def show_front(history: Any, console: Console) -> None:
    """Print one line per trial of the Pareto front, best mIoU first."""
    from jejunet_nas.records.words import architecture_words, per_cent
    from jejunet_nas.scoring.ranking import front_of

    say = sayer(console)
    for trial in front_of(history):
        say(
            f"  trial {trial.number}: {per_cent(trial.score.miou)} mIoU, "
            f"{trial.latency.sustained_fps:.1f} fps ({trial.latency.source}): "
            f"{architecture_words(trial.architecture)}"
        )


def require_feasible(history: Any) -> None:
    """Raise `NothingFeasibleError` if no trial meets the target."""
    from jejunet_nas.scoring.ranking import front_of, nearest_to_target

    if not front_of(history):
        last = history.failed[-1] if history.failed else None
        failed = f"; trial {last.number} failed: {last.reason}" if last else ". Resume the search."
        raise NothingFeasibleError(
            nearest_to_target(history) or f"{history.study} has no complete trial{failed}"
        )


def sayer(console: Console) -> Say:
    """Return a function that prints a line on `console` without markup."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return say


def print_json(plain: Any) -> None:
    """Print the result as JSON on standard output."""
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
