"""Policies: ways of choosing keyframes for one network, compared on a Markdown page.

Units: mIoU and consistency in per cent, latency in ms a frame.
"""

import shlex
from collections.abc import Iterator, Sequence

from jejunet_nas.evaluation.policies import LUMA
from jejunet_nas.records import DataSplit, GateRecord, TrialResult
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.records.words import (
    escaped,
    markdown_table,
    network_words,
    one_line,
    per_cent,
    points,
)

_TEXT = ("frames between", "rule")
_FIGURES = (
    *("ms a frame", "worst ms", "dropped %", "frames a keyframe", "mIoU %", "against fixed"),
    *("own-frame mIoU %", "consistent %", "threshold"),
)


def policies_page(
    rows: Sequence[PolicyRow],
    trial: TrialResult,
    *,
    study: str,
    val: DataSplit,
    target_fps: float,
    name: str = "",
) -> str:
    """Return the page: which policy to take, a table of all, and the accuracy of the gate.

    name: the study's on the command line, if that is not `study`.
    """
    latencies = trial.network.latencies
    name = shlex.quote(one_line(name or study))
    return "\n".join(
        [
            f"# Keyframes of {escaped(study)}, trial {trial.number}",
            "",
            verdict(rows, target_fps),
            "",
            f"{escaped(network_words(trial.network.network))}, on {escaped(val.dataset)} "
            f"{val.split}: {len(val.clips)} clips, {val.frame_count} frames. "
            f"Key {latencies.key.median_ms:.1f} ms, propagate {latencies.propagate.median_ms:.1f} "
            f"ms, gate {latencies.gate.median_ms:.2f} ms, {latencies.source}; the camera delivers "
            f"{target_fps:g} frames a second.",
            "",
            "mIoU: at each frame's time the newest finished mask is compared with that frame's "
            "annotation. Own-frame mIoU: each mask is compared with its own frame, none dropped.",
            "",
            "Each rule that looks at the frames has at most the mean latency of the fixed interval "
            "above it: its threshold is set by latency alone, not by score. The gate's own "
            "latency is counted; the luma difference counts as free. In the background: keyframes "
            "run on another core, one after the other, and each frame uses the last finished one. "
            "The first frame of a stream waits for its keyframe; it is left out of the latencies.",
            "",
            markdown_table((*_TEXT, *_FIGURES), _cells(rows), text=_TEXT),
            "",
            *_gate(trial.network.gate),
            f"`jejunet-nas policies {name} --trial {trial.number}`",
            "",
        ]
    )


def verdict(rows: Sequence[PolicyRow], target_fps: float) -> str:
    """Return which policy to take at the target, and what it costs or gains.

    It is compared with the first row, the same network with every frame a keyframe. A bundle can
    run each rule but the luma difference.
    """
    every = rows[0]
    runnable = [row for row in rows if row.rule != LUMA]
    taken = min(runnable, key=lambda row: (row.dropped_frames, -row.miou, row.mean_ms))
    figures = f"{per_cent(taken.miou)} mIoU, {taken.mean_ms:.1f} ms a frame"
    if taken.dropped_frames:
        return (
            f"**No policy keeps up with {target_fps:g} fps.** Nearest is {_rule(taken)}: "
            f"{figures}, {per_cent(taken.dropped_frames)} % of the frames dropped. Take a faster "
            "network."
        )
    taking = f"**At {target_fps:g} fps take {_rule(taken)}**: {figures}, no frame dropped."
    if taken is every:
        return f"{taking} No policy with fewer keyframes has a higher mIoU."
    dropped = "no frame" if not every.dropped_frames else f"{per_cent(every.dropped_frames)} %"
    return (
        f"{taking} Against every frame a keyframe ({per_cent(every.miou)} mIoU, "
        f"{every.mean_ms:.1f} ms, {dropped} dropped): {points(taken.miou - every.miou)} points of "
        f"mIoU, {taken.mean_ms - every.mean_ms:+.1f} ms a frame."
    )


def _rule(row: PolicyRow) -> str:
    """Return a row's policy in words, say `keyframes every 4, propagate between`."""
    if row.interval == 1 and row.lag is None:
        return "every frame a keyframe"
    threshold = "" if row.threshold is None else f" (threshold {row.threshold:.4f})"
    latest = "" if row.latest is None else f", at least every {row.latest}"
    where = "keyframes " if row.threshold is None else "keyframes by the "
    return f"{where}{row.rule}{threshold}{latest}, {row.between} between"


def _cells(rows: Sequence[PolicyRow]) -> Iterator[tuple[str, ...]]:
    fixed = 0.0
    for row in rows:
        if row.threshold is None:
            fixed = row.miou
        latest = "" if row.latest is None else f", at least every {row.latest}"
        yield (
            row.between,
            f"{row.rule}{latest}",
            f"{row.mean_ms:.1f}",
            f"{row.worst_ms:.1f}",
            per_cent(row.dropped_frames),
            f"{row.mean_interval:.1f}",
            per_cent(row.miou, 2),
            "" if row.threshold is None else points(row.miou - fixed, 2),
            per_cent(row.own_frame_miou, 2),
            per_cent(row.consistency, 2),
            "" if row.threshold is None else f"{row.threshold:.4f}",
        )


def _gate(gate: GateRecord) -> list[str]:
    if gate.mean_error is None:
        return []
    order = gate.rank_correlation
    ranks = "" if order is None else f", rank correlation {order:.2f}"
    return [
        "Accuracy of the gate's score on pairs of validation frames: mean error "
        f"{gate.mean_error:.3f}{ranks}.",
        "",
        markdown_table(
            ("pairs", "mean score", "mean disagreement of the masks"),
            ((f"{b.pairs}", f"{b.score:.3f}", f"{b.disagreement:.3f}") for b in gate.bins),
        ),
        "",
    ]
