"""Timings of graphs and of a front, as JSON and as tables.

Units: ms a run of a graph, ms a frame of a stream.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from jejunet_nas.latency.benchmark_model import OperatorTime
from jejunet_nas.records import Latency, StudyHistory
from jejunet_nas.records.measurements import GraphTiming, TrialTiming
from jejunet_nas.records.words import architecture_words, latency_source, per_cent
from jejunet_nas.scoring.ranking import front_of

MOTION_PREDICTED = (
    "No graph finds the motion of the picture: where a policy follows it, its latency is predicted."
)


def files_json(timed: Sequence[tuple[Path, Latency]]) -> dict[str, Any]:
    """Return the latencies of files, plain JSON values."""
    return {"graphs": [_graph_json(file, latency) for file, latency in timed]}


def front_json(
    history: StudyHistory, graphs: Sequence[GraphTiming], trials: Sequence[TrialTiming]
) -> dict[str, Any]:
    """Return a front's timings, plain JSON values; `front` names its trials, best mIoU first."""
    return {
        "study": history.study,
        "graphs": [
            _graph_json(each.file, each.latency)
            | {"network_id": each.network_id, "predicted_ms": each.predicted.median_ms}
            for each in graphs
        ],
        "trials": [_trial_json(each) for each in trials],
        "front": [trial.number for trial in front_of(history)],
    }


def files_table(timed: Sequence[tuple[Path, Latency]]) -> Table:
    """Return a row a file."""
    table = _table("graph", "median ms", "from", "to", "source", "threads", "runs")
    for file, latency in timed:
        table.add_row(
            file.name,
            *_latency_cells(latency),
            f"{latency.threads}",
            f"{latency.runs or '-'}",
        )
    return table


def graphs_table(graphs: Sequence[GraphTiming]) -> Table:
    """Return a row a graph of the front's networks, with its ratio to the prediction."""
    table = _table("network", "graph", "ms", "from", "to", "source", "predicted", "ratio")
    for each in graphs:
        latency, predicted = each.latency, each.predicted
        inside = predicted.low_ms <= latency.median_ms <= predicted.high_ms
        table.add_row(
            each.network_id,
            each.graph,
            *_latency_cells(latency),
            f"{predicted.median_ms:.2f}",
            f"{latency.median_ms / predicted.median_ms:.2f}"
            + ("" if inside or latency.source != "measured" else " outside the interval"),
        )
    return table


def operators_table(file: Path, operators: Sequence[OperatorTime], most: int = 12) -> Table:
    """Return the `most` expensive kinds of operators of a graph, by the phone's profile."""
    table = _table("graph", "operator", "count", "ms", "share %")
    by_kind: dict[str, list[OperatorTime]] = {}
    for each in [each for each in operators if each.inside_delegate] or operators:
        by_kind.setdefault(each.kind, []).append(each)
    rows = [
        (sum(each.avg_ms for each in same), sum(each.share for each in same), kind, len(same))
        for kind, same in by_kind.items()
    ]
    for ms, share, kind, count in sorted(rows, key=lambda row: -row[0])[:most]:
        table.add_row(file.name, kind, f"{count}", f"{ms:.2f}", per_cent(share))
    return table


def front_table(history: StudyHistory, trials: Sequence[TrialTiming]) -> Table:
    """Return a row a trial, in the new order of `history`, with the earlier rank.

    Host timings have neither frame rates nor a mIoU of the screen: those are a phone's. A trial
    whose masks are not scored with the measured latency has no mIoU of the screen yet.
    """
    table = _table(
        *(
            "rank",
            "was",
            "trial",
            "mIoU %",
            "own-frame %",
            "ms a frame",
            "predicted",
            "ratio",
            "fps",
        ),
        *("worst ms", "dropped %", "architecture"),
    )
    ranks = {trial.number: rank for rank, trial in enumerate(front_of(history), start=1)}
    for each in sorted(trials, key=lambda each: ranks.get(each.trial.number, len(trials) + 1)):
        stream, predicted_ms = each.stream, each.trial.predicted.mean_ms
        source = latency_source(stream, motion_predicted=each.motion_predicted)
        rates = (
            f"{stream.sustained_fps:.1f}",
            f"{stream.worst_ms:.1f}",
            per_cent(stream.dropped_frames),
        )
        table.add_row(
            f"{ranks.get(each.trial.number, 'off')}",
            f"{each.rank or '-'}",
            f"{each.trial.number}",
            per_cent(_miou(each)),
            per_cent(each.trial.own_frame_score.miou),
            f"{stream.mean_ms:.1f} ({source}{', unstable' if stream.doubts else ''})",
            f"{predicted_ms:.1f}",
            f"{stream.mean_ms / predicted_ms:.2f}",
            *(("-", "-", "-") if stream.source == "host" else rates),
            architecture_words(each.trial.architecture),
        )
    return table


def _miou(each: TrialTiming) -> float | None:
    """Return the mIoU of the screen with the latencies that were timed; None where unknown."""
    return each.trial.score.miou if each.trial.measured and each.is_measured else None


def _latency_cells(latency: Latency) -> tuple[str, ...]:
    figures_ms = latency.median_ms, latency.low_ms, latency.high_ms
    return *(f"{ms:.2f}" for ms in figures_ms), latency.source


def _graph_json(file: Path, latency: Latency) -> dict[str, Any]:
    return {"file": str(file)} | dataclasses.asdict(latency)


def _trial_json(each: TrialTiming) -> dict[str, Any]:
    stream = each.stream
    host = stream.source == "host"  # never compared with a phone's deadline
    return {
        "trial": each.trial.number,
        "network_id": each.trial.network_id,
        "miou": _miou(each),
        "own_frame_miou": each.trial.own_frame_score.miou,
        "mean_ms": stream.mean_ms,
        "worst_ms": stream.worst_ms,
        "sustained_fps": None if host else stream.sustained_fps,
        "every_frame": None if host else stream.every_frame,
        "dropped_frames_pct": None if host else 100 * stream.dropped_frames,
        "source": stream.source,
        "unstable": list(stream.doubts),
        "predicted_ms": each.trial.predicted.mean_ms,
    }


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    left = ("graph", "network", "source", "operator", "architecture")
    for name in names:
        # Folded, not cut: names of files often differ only at their ends.
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table
