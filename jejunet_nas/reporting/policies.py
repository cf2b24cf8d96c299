"""Policies: ways of choosing keyframes for one network, compared on a Markdown page.

Units: mIoU and consistency in per cent, latency in ms a frame.
"""

import shlex
from collections.abc import Iterator, Sequence

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
    target_fps: float,
    val: DataSplit,
) -> str:
    """Return the page: a table of policies, and the accuracy of the gate."""
    latencies = trial.network.latencies
    name = shlex.quote(one_line(study))
    return "\n".join(
        [
            f"# Keyframes of {escaped(study)}, trial {trial.number}",
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
