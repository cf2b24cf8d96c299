"""What several commands take, and how a word of the command line becomes a value."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jejunet_nas.errors import NothingFeasibleError, SettingError
from jejunet_nas.files import project_folder as project_folder
from jejunet_nas.files import state_folder as state_folder
from jejunet_nas.files import study_file as study_file

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's YAML file, or its name.")
]
DeviceName = Annotated[
    str,
    typer.Option("--device", help="adb, adb:SERIAL, host, predicted, or predicted:PROFILE."),
]
PhoneName = Annotated[str, typer.Option("--device", help="adb or adb:SERIAL.")]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Folder of the data set.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result alone, as JSON.")]
Storage = Annotated[
    str | None, typer.Option(help="Optuna storage [default: SQLite in the study's folder].")
]

Program = Annotated[
    Path | None,
    typer.Option(
        "--benchmark-binary",
        help="TensorFlow Lite's benchmark_model for the phone; `doctor` says where to get it.",
    ),
]


def report_file(study_file: Path, name: str, page: str, out: Path | None) -> Path:
    """Return the Markdown file for `page` of a study: `out`, or one in its report's folder.

    Raises `SettingError` where it is a folder.
    """
    file = out or project_folder(study_file) / "reports" / name / page
    if file.is_dir():
        raise SettingError(f"--out is {file}, a folder; allowed: a Markdown file. Name one in it.")
    return file


def existing_folder(folder: Path) -> Path:
    """Return `folder`. Raises `SettingError` where it is none."""
    if not folder.is_dir():
        raise SettingError(
            f"--data-root is {folder}, which is no folder; allowed: the data set's root. Check "
            "the path."
        )
    return folder


def data_root_override(data_root: Path | None) -> dict[str, Any]:
    """Return the override of a study's settings for `--data-root`. Raises `SettingError`."""
    return {"data.root": str(existing_folder(data_root))} if data_root else {}


def seconds_of(text: str | None, option: str) -> float | None:
    """Return the seconds of, say, `30m`; None where nothing was given. Raises `SettingError`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match:
        raise SettingError(
            f"{option} is {text}; allowed: a number with s, m or h, such as 30m. Write it so."
        )
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def find_study(target: str) -> Path | None:
    """Return the file of the study that `target` names, or None where it is a graph or a folder."""
    if target.endswith((".yaml", ".yml")):
        return study_file(target)
    if target.endswith(".tflite") or Path(target).exists():
        return None
    try:
        return study_file(target)
    except SettingError as error:
        raise SettingError(f"{error} A graph is named by its .tflite file or its folder.") from None


def show_front(history: Any, console: Console) -> None:
    """Print a line a trial of the front."""
    from jejunet_nas.records.words import architecture_words
    from jejunet_nas.scoring.ranking import front_of

    for trial in front_of(history):
        console.print(
            f"  trial {trial.number}: {100 * trial.score.miou:.1f} mIoU, "
            f"{trial.latency.sustained_fps:.1f} fps ({trial.latency.source}): "
            f"{architecture_words(trial.architecture)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def require_feasible(history: Any) -> None:
    """Raise `NothingFeasibleError` where no trial meets the target."""
    from jejunet_nas.scoring.ranking import front_of, nearest_to_target

    if not front_of(history):
        last = history.failed[-1] if history.failed else None
        failed = f"; trial {last.number} failed: {last.reason}" if last else ". Search on."
        raise NothingFeasibleError(
            nearest_to_target(history) or f"{history.study} has no complete trial{failed}"
        )


def sayer(console: Console) -> Callable[[str], None]:
    """Return what prints a line on `console` as it is."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return say


def print_json(plain: Any) -> None:
    """Print the result alone, on standard output."""
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
