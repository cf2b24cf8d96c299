"""The command `segment`: a video, a folder of frames or a camera, as a trial's graphs see it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import AsJson, Storage, print_json, sayer
from jejunet_nas.cli.targets import find_bundle
from jejunet_nas.errors import StoppedError

if TYPE_CHECKING:
    from rich.table import Table

    from jejunet_nas.drawing.segment import Outputs, Tally


def segment(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A bundle (folder or .zip), or a study.")
    ],
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="A video, a folder of frames, or a camera's number."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Video to write, masks laid over: .mp4, .webm, .avi.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder for masks as PNGs of class indices.")
    ] = None,
    trial: Annotated[
        int | None, typer.Option(help="Trial of the study [default: the front's best mIoU].")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each graph.")] = 1,
    full_size: Annotated[
        bool, typer.Option("--full-size/--graph-size", help="Size of the masks.")
    ] = True,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames at most.")] = None,
    fps: Annotated[float, typer.Option(help="Frame rate of a folder.")] = 24.0,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Segment a video with a trial's int8 graphs, under its policy, on this computer.

    Below each frame: its path, how old its context is, and what it took here, which says nothing
    of a phone. Sound is kept. Keyframes in the background arrive when they did in the study's
    score; of a camera, when they are done.

    A video that breaks off gives what can be read of it, a line that says so, and exit code 0.
    Ctrl-C keeps what is done, and exits with 130.
    """
    from jejunet_nas.cli.native_log import console_of_its_own, native_log
    from jejunet_nas.drawing.segment import Outputs, segment_video, summary
    from jejunet_nas.media.source import open_source
    from jejunet_nas.video.runtime import Pace, VideoSegmenter

    outputs = Outputs(video=out, masks=masks, full_size=full_size)
    console = console_of_its_own()
    with closing(console.file), native_log(Path(os.devnull)):  # LiteRT tells of its delegate
        bundle = find_bundle(target, trial, storage)
        given = Path(video)
        path = given if given.is_file() or given.is_dir() else None  # as `open_source` decides
        pace: Pace = "scored" if path is not None else "live"
        with (
            VideoSegmenter(bundle, threads=threads, pace=pace) as segmenter,
            open_source(video, fps=fps) as source,
            _progress(console, _total(source.frame_count, frames)) as tell,
        ):
            tally = segment_video(source, segmenter, outputs, path=path, most=frames, tell=tell)
        _show(tally, outputs, console)
        if as_json:
            print_json(summary(tally, bundle=bundle, pace=pace, video=source.name, outputs=outputs))
    if tally.interrupted:
        raise StoppedError(_kept(tally, outputs))


def _total(known: int | None, most: int | None) -> int | None:
    return min(known, most) if known and most else known or most


@contextlib.contextmanager
def _progress(console: Console, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show frames, frames a second and the time left; on a terminal alone."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    fps = TextColumn("{task.fields[fps]}")
    columns = (TextColumn("segmenting"), BarColumn(), MofNCompleteColumn(), fps, TimeLeft())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown:
        task = shown.add_task("", total=total, fps="")

        def tell(frames: int) -> None:
            speed = shown.tasks[0].speed
            words = f"{speed:.1f} fps" if speed else ""
            shown.update(task, completed=frames, fps=words)

        yield tell


def _show(tally: "Tally", outputs: "Outputs", console: Console) -> None:
    """Print all for people."""
    say = sayer(console)
    say(f"{tally.frames} frames in {tally.seconds:.1f} s: {tally.fps:.1f} fps on this computer")
    console.print(_table(tally))
    if tally.began:
        say(f"{tally.began} keyframes began in the background")
    for line in (*tally.notes, *([tally.trouble] if tally.trouble else [])):
        say(line)
    if not tally.interrupted:
        say(f"segmented: {_places(outputs)}")


def _table(tally: "Tally") -> "Table":
    from rich.table import Table

    from jejunet_nas.records import PATHS
    from jejunet_nas.records.words import per_cent

    table = Table("path", *(("frames %", "median ms", "mean ms", "95 % below ms")), box=None)
    for name, figures in tally.host_ms().items():
        if figures is not None:
            cells = (figures["median"], figures["mean"], figures["p95"])
            share = tally.shares[name] if name in PATHS else 1.0
            table.add_row(name, per_cent(share), *(f"{ms:.2f}" for ms in cells))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _places(outputs: "Outputs") -> str:
    return ", ".join(str(place) for place in (outputs.video, outputs.masks) if place is not None)


def _kept(tally: "Tally", outputs: "Outputs") -> str:
    if not tally.frames:
        return "interrupted before the first frame; nothing was written"
    count = f"{tally.frames} frame{'' if tally.frames == 1 else 's'}"
    return f"interrupted; the {count} so far are in {_places(outputs)}"
