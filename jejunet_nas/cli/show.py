"""The command `show`: draws a validation clip frame by frame, as a trial segments it."""

from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, DataRoot, Storage, StudyName, TrialNumber
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import choose_trial
from jejunet_nas.errors import SettingError
from jejunet_nas.files import project_folder


def show(
    study: StudyName,
    trial: TrialNumber = None,
    clip: Annotated[str | None, typer.Option(help="Clip [default: the longest].")] = None,
    first: Annotated[int, typer.Option("--from", min=0, help="First frame.")] = 0,
    every: Annotated[int, typer.Option(min=1, help="Frames between those shown.")] = 1,
    frames: Annotated[int, typer.Option(min=1, max=64, help="Frames to show.")] = 8,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="PNG [default: reports/NAME/film.png].")] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Draw a validation clip frame by frame, with the masks of a trial's int8 graphs."""
    from jejunet_nas.drawing.film import draw_film
    from jejunet_nas.evaluation.film import choose_clip, film_frames

    chosen = choose_trial(study, trial, storage, data_root)
    name, networks = chosen.study.name, chosen.study.networks
    chosen.graphs  # noqa: B018 (raises where one is missing)
    split = chosen.study.settings.data.open_split("val")
    shown = choose_clip(split, clip)
    times = [t for t in range(first, first + every * frames, every) if t < len(shown)]
    if not times:
        raise SettingError(
            f"--from is {first}; allowed: 0 to {len(shown) - 1}, the frames of {shown.name}."
        )
    film = film_frames(chosen.result, shown, networks, times, len(split.class_names))
    target = out or project_folder(chosen.study.file) / "reports" / name / "film.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    draw_film(film, target, clip=shown.name, class_names=split.class_names, trial=chosen.result)
    printer = Printer(as_json=as_json)
    printer.result(f"film: {target}")
    printer.json(
        {
            "file": str(target),
            "trial": chosen.result.number,
            "clip": shown.name,
            "frames": [
                {"frame": each.time, "path": each.path, "gated": each.gated, "miou": each.miou}
                for each in film
            ],
        }
    )
