"""Arguments that several commands share, and the values of their words."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from jejunet_nas.cli.printer import Printer
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import NothingFeasibleError, SettingError
from jejunet_nas.files import project_folder, study_file, study_names

MOST_LINES = 12  # of a long front on a terminal


def complete_study(incomplete: str) -> Iterator[str]:
    """Yield the names of studies that a shell may complete `incomplete` to."""
    yield from (name for name in study_names() if name.startswith(incomplete))


def complete_device(incomplete: str) -> Iterator[str]:
    """Yield the kinds of devices that a shell may complete `incomplete` to."""
    yield from (kind for kind in ("adb", "host", "predicted") if kind.startswith(incomplete))


StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A study's YAML file, or its name.", autocompletion=complete_study
    ),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device",
        help="adb, adb:SERIAL, host, predicted, or predicted:PROFILE.",
        autocompletion=complete_device,
    ),
]
PhoneName = Annotated[str, typer.Option("--device", help="adb or adb:SERIAL.")]
TrialNumber = Annotated[
    int | None, typer.Option("--trial", help="Trial [default: the front's best mIoU].")
]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the data set.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="One of a study's data.options. Repeatable."),
]
TargetFps = Annotated[
    float | None,
    typer.Option(
        "--target-fps", help="Score the trained networks for another fps, without training."
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--device", help="Score them for another device: a profile's name or .json file."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result alone, as JSON.")]
Storage = Annotated[
    str | None,
    typer.Option(help="Optuna storage's URL [default: SQLite in the study's folder]."),
]

Program = Annotated[
    Path | None,
    typer.Option(
        "--benchmark-binary",
        help="LiteRT's or TensorFlow Lite's benchmark_model; `doctor` says where to get one.",
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


def data_options(given: Sequence[str]) -> dict[str, Any]:
    """Return the options of a data set in words such as `clips=10`; values are YAML.

    Raises `SettingError`.
    """
    import yaml

    from jejunet_nas.documents.yaml_file import parse_yaml

    options: dict[str, Any] = {}
    for words in given:
        name, equals, value = words.partition("=")
        try:
            if not (name and equals):
                raise ValueError
            options[name.strip()] = parse_yaml(value)
        except (ValueError, yaml.YAMLError):
            raise SettingError(
                f"--option is {shortened(words)}; allowed: NAME=VALUE, such as clips=10."
            ) from None
    return options


def seconds_of(text: str | None, option: str) -> float | None:
    """Return the seconds of a duration such as `1h30m`, None of None. Raises `SettingError`."""
    return amount_of(text, {"s": 1.0, "m": 60.0, "h": 3600.0}, option, "30m")


def amount_of(text: str | None, units: dict[str, float], option: str, example: str) -> float | None:
    """Return the sum of numbers with one of `units` each, None of None. Raises `SettingError`."""
    if text is None:
        return None
    part = rf"([0-9]{{1,12}}(?:\.[0-9]{{1,12}})?)\s*([{''.join(units)}])\s*"
    if re.fullmatch(f"(?:{part})+", text.strip()):
        return math.fsum(float(number) * units[unit] for number, unit in re.findall(part, text))
    *most, last = units
    fix = f"such as {example}"
    if re.fullmatch(r"[0-9]{1,6}", text.strip()):  # the commonest mistake: no unit
        fix = " or ".join(f"{text.strip()}{unit}" for unit in units)
        fix = f"say {fix}"
    raise SettingError(
        f"{option} is {shortened(text)}; allowed: a number with {', '.join(most)} or {last}, {fix}."
    )


def find_study(target: str, otherwise: str) -> Path | None:
    """Return the file of the study `target`, or None if `target` is a graph, a bundle or a folder.

    Raises `SettingError` if it is neither, with the advice `otherwise`, or both a study and a
    folder with graphs.
    """
    path = Path(target)
    if target.lower().endswith((".tflite", ".zip")):
        return None
    try:
        file = study_file(target)
    except SettingError as error:
        if path.exists():
            return None
        raise SettingError(f"{error} {otherwise}") from None
    if path.is_dir() and any(path.glob("*.tflite")):
        raise SettingError(
            f"{target} is a study and a folder of graphs. Write ./{target} "
            f"for the folder, or {file} for the study."
        )
    return file


def show_front(history: Any, printer: Printer) -> None:
    """Print one line per trial of the Pareto front, best mIoU first; of a long front some."""
    from jejunet_nas.records.words import drop_words, miou_words, trial_architecture_words
    from jejunet_nas.scoring.ranking import front_of, shown_of_front

    front, shown = front_of(history), shown_of_front(history, MOST_LINES)
    if len(shown) < len(front):
        printer.result(
            f"{len(shown)} of {len(front)} trials on the front; a report's front.csv has all:"
        )
    for trial in shown:
        printer.result(
            f"  trial {trial.number}: {miou_words(trial)}, "
            f"{trial.latency.sustained_fps:.1f} fps ({trial.latency.source}), "
            f"{drop_words(trial.latency)}: {trial_architecture_words(trial)}"
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
