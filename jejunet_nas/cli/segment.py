"""The command `segment`: segments a video, a folder of frames or a camera with a trial's graphs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, Storage, TrialNumber, complete_study
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.progress_bar import progress_bar
from jejunet_nas.cli.targets import find_bundle
from jejunet_nas.errors import StoppedError

if TYPE_CHECKING:
    from rich.table import Table

    from jejunet_nas.drawing.segment import Outputs, Tally


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A bundle (folder or .zip), or a study.",
        autocompletion=complete_study,
    ),
]
Video = Annotated[
    str,
    typer.Argument(metavar="VIDEO", help="A video, a folder of frames, or a camera's number."),
]
FullSize = Annotated[
    bool,
    typer.Option(
        "--full-size/--graph-size", help="Masks at the video's size, or at the graphs' resolution."
    ),
]


def segment(
    target: Target,
    video: Video,
    out: Annotated[
        Path | None, typer.Option(help="Video to write, with masks drawn over it: .mp4 or .webm.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder to write masks to, as PNGs of class indices.")
    ] = None,
    trial: TrialNumber = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each graph.")] = 1,
    full_size: FullSize = True,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Segment only the first N frames.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frame rate of a folder of frames.")] = 24.0,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Segment a video with a trial's int8 graphs, under its policy, on this computer.

    Each frame of --out shows its path, the age of its context, and its latency on this computer,
    which says nothing about a phone. Sound is copied if the format of --out can hold it. Keyframes
    in the background arrive as in the study's score; with a camera, as soon as they are ready.

    A truncated video is segmented up to its last readable frame, with a warning and exit code 0.
    Ctrl-C keeps the frames so far and exits with 130.
    """
    from jejunet_nas.drawing.segment import Outputs, segment_video, summary
    from jejunet_nas.media.source import open_source
    from jejunet_nas.video.runtime import Pace, VideoSegmenter

    outputs = Outputs(video=out, masks=masks, full_size=full_size)
    printer = Printer(as_json=as_json)
    bundle = find_bundle(target, trial, storage)
    given = Path(video)
    path = given if given.is_file() or given.is_dir() else None  # as `open_source` decides
    pace: Pace = "scored" if path is not None else "live"
    with (
        naming_options({"fps": "--fps", "threads": "--threads"}),
        VideoSegmenter(bundle, threads=threads, pace=pace) as segmenter,
        open_source(video, fps=fps) as source,
        progress_bar(printer.messages) as show,
    ):
        total = min(filter(None, (source.frame_count, frames)), default=0)

        def tell(done: int) -> None:
            show("segmenting", done, total)

        tally = segment_video(source, segmenter, outputs, path=path, most=frames, tell=tell)
    _show(tally, outputs, printer)
    printer.json(summary(tally, bundle=bundle, pace=pace, video=source.name, outputs=outputs))
    if tally.interrupted:
        raise StoppedError(_kept(tally, outputs))


def _show(tally: "Tally", outputs: "Outputs", printer: Printer) -> None:
    from jejunet_nas.records.words import counted

    say = printer.result
    frames = counted(tally.frames, "frame")
    say(f"{frames} in {tally.seconds:.1f} s: {tally.fps:.1f} fps on this computer")
    say(_table(tally))
    if tally.latencies_ms["warp"] or tally.latencies_ms["move"]:
        say("warp and move include the motion of the picture, which NumPy finds here, slowly")
    if tally.began:
        say(f"{counted(tally.began, 'keyframe')} started in the background")
    for line in (*tally.notes, *([tally.trouble] if tally.trouble else [])):
        printer.say(line)
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
    from jejunet_nas.records.words import counted

    return f"interrupted; the {counted(tally.frames, 'frame')} so far are in {_places(outputs)}"
