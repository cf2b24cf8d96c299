"""The command `show`: draws a validation clip frame by frame, as a trial segments it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import Storage, Study, existing_folder, project_folder, sayer
from jejunet_nas.cli.targets import choose_trial
from jejunet_nas.errors import SettingError


def show(
    study: Study,
    trial: Annotated[
        int | None, typer.Option(help="Trial [default: the front's best mIoU].")
    ] = None,
    clip: Annotated[str | None, typer.Option(help="Clip [default: the longest].")] = None,
    first: Annotated[int, typer.Option("--from", min=0, help="First frame.")] = 0,
    every: Annotated[int, typer.Option(min=1, help="Frames between those shown.")] = 1,
    frames: Annotated[int, typer.Option(min=1, max=64, help="Frames to show.")] = 8,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    out: Annotated[Path | None, typer.Option(help="PNG [default: reports/NAME/film.png].")] = None,
    storage: Storage = None,
) -> None:
    """Draw a validation clip frame by frame, with the masks of a trial's int8 graphs."""
    overrides = {"data.root": str(existing_folder(data_root))} if data_root else {}

    from jejunet_nas.datasets.catalog import open_split
    from jejunet_nas.drawing.film import draw_film
    from jejunet_nas.evaluation.film import choose_clip, film_frames

    chosen = choose_trial(study, trial, storage, overrides)
    settings = chosen.settings
    chosen.graphs()
    root = Path(settings.data.root) if settings.data.root else None
    split = open_split(settings.data.dataset, "val", root=root, options=settings.data.options)
    shown = choose_clip(split, clip)
    times = [t for t in range(first, first + every * frames, every) if t < len(shown)]
    if not times:
        raise SettingError(
            f"--from is {first}; allowed: 0 to {len(shown) - 1}, the frames of {shown.name}."
        )
    film = film_frames(chosen.trial, shown, chosen.networks, times, len(split.class_names))
    target = out or project_folder(chosen.file) / "reports" / settings.name / "film.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    draw_film(film, target, clip=shown.name, class_names=split.class_names, trial=chosen.trial)
    sayer(Console(stderr=True))(f"film: {target}")
