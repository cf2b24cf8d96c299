"""The command `evaluate`: scores a bundle's int8 graphs on a split of a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from jejunet_nas.cli.arguments import AsJson, DataOption, DataRoot, data_options, existing_folder
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from jejunet_nas.datasets.options import Split
    from jejunet_nas.evaluation.bundle import BundleScore, SplitWanted
    from jejunet_nas.evaluation.network import PolicyScore
    from jejunet_nas.video.manifest import Manifest


def evaluate(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A bundle: a folder, or a .zip.")
    ],
    dataset: Annotated[
        str | None, typer.Option(help="Name of a data set [default: the bundle's].")
    ] = None,
    split: Annotated[
        str, typer.Option(help="train or val; of camvid and folder test too, if it is there.")
    ] = "val",
    data_root: DataRoot = None,
    option: DataOption = None,
    every_frame: Annotated[
        bool,
        typer.Option("--every-frame", help="Every frame a keyframe, not the bundle's policy."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a bundle's int8 graphs on a split of a data set: mIoU, also by class.

    Own-frame mIoU compares each mask with its own frame. Streaming mIoU compares what the screen
    shows at each frame's time, at the bundle's target and with its latencies. Masks are compared at
    the annotation's size; ignored pixels, and classes that no annotation has, do not count.

    With --every-frame, own-frame mIoU is what published tables hold. In --json, `miou` and the
    classes' `iou` are own-frame. Options of the data set are those of the bundle's study, unless
    --option gives others.
    """
    options = data_options(option or [])
    root = existing_folder(data_root) if data_root else None

    from jejunet_nas.evaluation.bundle import SplitWanted, score_bundle
    from jejunet_nas.export.verify import require_runnable
    from jejunet_nas.video.bundle import bundle_graphs, naming_place, open_bundle

    manifest, folder = open_bundle(bundle)
    with naming_place(bundle, folder):
        require_runnable(manifest, folder)
    printer = Printer(as_json=as_json)
    if dataset in (None, manifest.source.dataset):
        root = root or _root_here(manifest.source.study)
    wanted = SplitWanted.of(
        manifest, cast("Split", split), dataset=dataset, root=root, options=options
    )
    names = {"dataset": "--dataset", f"split of {wanted.dataset}": f"--split of {wanted.dataset}"}
    with naming_options(names), progress_bar(printer.messages) as tell:
        opened = wanted.open(manifest, tell)
        found = score_bundle(
            manifest, bundle_graphs(manifest, folder), opened, every_frame=every_frame, tell=tell
        )
    _show(found, manifest, printer)
    printer.json(_plain(found, manifest, wanted, bundle))


def _root_here(study: str) -> Path | None:
    """Return the data's folder that a search of `study` noted, if the study is in studies/ here."""
    from jejunet_nas.files import STUDIES, leads_nowhere_else
    from jejunet_nas.study.named import read_notes

    if not leads_nowhere_else(study):
        return None
    root = read_notes(Path(STUDIES) / study).get("given", {}).get("data.root")
    return Path(root) if isinstance(root, str) and Path(root).is_dir() else None


def _show(found: "BundleScore", manifest: "Manifest", printer: Printer) -> None:
    from jejunet_nas.records.words import counted

    say, latency = printer.result, manifest.metrics.latency
    say(
        f"{found.split.dataset} {found.split.split}: {counted(found.split.frame_count, 'frame')} "
        f"in {counted(len(found.split.clips), 'clip')}, {found.annotated_frames} annotated"
        f"{_size_words(found)}"
    )
    say()
    say(_class_table(found))
    say()
    say(_totals_table(found))
    say(
        "own-frame mIoU compares each mask with the annotation of its own frame; with every frame "
        "a keyframe it is what published tables hold"
    )
    say(
        "streaming mIoU compares the newest finished mask at each frame's time, with a camera of "
        f"{manifest.target_fps:g} fps; latencies: {latency.graphs_source}, {latency.device}, "
        f"{counted(latency.threads, 'thread')}"
    )
    say(
        "masks are compared at the annotation's size; ignored pixels do not count, nor does a "
        "class that no annotation has"
    )
    for note in found.notes:
        printer.say(f"note: {note.rstrip('.')}")


def _size_words(found: "BundleScore") -> str:
    """Return the annotations' size, height first, if all clips share one."""
    sizes = {clip.masks.shape[1:] for clip in found.split.clips}
    return ", {}x{} px".format(*sizes.pop()) if len(sizes) == 1 else ", of several sizes"


def _class_table(found: "BundleScore") -> "Table":
    from jejunet_nas.records.words import per_cent

    table = _table("class", "own-frame IoU %", "streaming IoU %", "pixels %")
    for row in zip(
        found.split.class_names,
        found.scored.own_frame.class_iou,
        found.scored.streamed.score.class_iou,
        found.shares,
        strict=True,
    ):
        name, own, streaming, share = row
        table.add_row(name, per_cent(own), per_cent(streaming), per_cent(share, 2))
    return table


def _totals_table(found: "BundleScore") -> "Table":
    from jejunet_nas.records.words import per_cent, policy_words

    columns = ("own-frame mIoU %", "streaming mIoU %", "ms a frame", "dropped frames %")
    table = _table("policy", *columns)
    rows = {policy_words(found.policy): found.scored, "key every frame": found.every_frame}
    for words, score in rows.items():
        latency = score.streamed.latency
        table.add_row(
            words,
            per_cent(score.own_frame.miou),
            per_cent(score.streamed.score.miou),
            f"{latency.mean_ms:.1f}",
            per_cent(latency.dropped_frames),
        )
    return table


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _plain(
    found: "BundleScore", manifest: "Manifest", wanted: "SplitWanted", place: Path
) -> dict[str, Any]:
    """Return the scores as plain values."""
    import dataclasses

    source, latency = manifest.source, manifest.metrics.latency
    rows = zip(
        found.split.class_names,
        found.scored.own_frame.class_iou,
        found.scored.streamed.score.class_iou,
        found.shares,
        strict=True,
    )
    return {
        "bundle": str(place),
        **{"study": source.study, "trial": source.trial, "network_id": source.network_id},
        "dataset": found.split.dataset,
        "split": found.split.split,
        "options": dict(wanted.options),
        "fingerprint": found.split.fingerprint,
        "clips": len(found.split.clips),
        "frames": found.split.frame_count,
        "annotated_frames": found.annotated_frames,
        "policy": dataclasses.asdict(found.policy),
        **_figures(found.scored),
        "classes": [
            {"name": name, "iou": iou, "streaming_iou": streaming, "share": share}
            for name, iou, streaming, share in rows
        ],
        "every_frame": _figures(found.every_frame),
        "target_fps": manifest.target_fps,
        "latency_source": latency.graphs_source,
        **{"device": latency.device, "threads": latency.threads},
        "notes": list(found.notes),
    }


def _figures(score: "PolicyScore") -> dict[str, Any]:
    """Return the figures of one policy; `miou` is that of each mask for its own frame."""
    from jejunet_nas.records import PATHS

    streamed = score.streamed
    taken = [path for walk in streamed.walks for path in walk.paths]
    return {
        "miou": score.own_frame.miou,
        "streaming_miou": streamed.score.miou,
        "consistency": score.temporal.consistency,
        "mean_ms": streamed.latency.mean_ms,
        "worst_ms": streamed.latency.worst_ms,
        "dropped_frames": streamed.latency.dropped_frames,
        "paths": {path: taken.count(path) / len(taken) for path in PATHS},
    }
