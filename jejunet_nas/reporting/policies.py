"""Policies: ways of choosing keyframes for one network, compared on a Markdown page.

Units: mIoU and consistency in per cent, latency in ms a frame.
"""

import shlex
from collections.abc import Iterator, Sequence

from jejunet_nas.records import DataSplit, GateRecord, PathLatencies, StudyHistory, TrialResult
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.records.words import (
    asked_words,
    counted,
    drop_words,
    escaped,
    latency_figures,
    markdown_table,
    network_words,
    one_line,
    per_cent,
    points,
    policy_words,
)
from jejunet_nas.scoring.ranking import over_target_ms, rule_words

_TEXT = ("frames between", "rule")
_FIGURES = (
    *("ms a frame", "worst ms", "dropped %", "frames a keyframe", "mIoU %", "against fixed"),
    *("own-frame mIoU %", "consistent %", "threshold"),
)


def policies_page(
    rows: Sequence[PolicyRow],
    trial: TrialResult,
    history: StudyHistory,
    *,
    val: DataSplit,
    name: str = "",
) -> str:
    """Return the page: which policy to take, a table of all, and the accuracy of the gate.

    name: the study's on the command line, if that is not its name in `history`.
    """
    latencies = trial.graph_latencies
    return "\n".join(
        [
            f"# Keyframes of {escaped(history.study)}, trial {trial.number}",
            "",
            verdict(rows, trial, history),
            "",
            f"{escaped(network_words(trial.network.network))}, on {escaped(val.dataset)} "
            f"{val.split}: {counted(len(val.clips), 'clip')}, {val.frame_count} frames. "
            f"Key {latencies.key.median_ms:.1f} ms, propagate {latencies.propagate.median_ms:.1f} "
            f"ms, gate {latencies.gate.median_ms:.2f} ms, {latencies.source}{_moving(latencies)}; "
            f"the camera delivers {history.target_fps:g} frames a second.",
            "",
            "mIoU: at each frame's time the newest finished mask is compared with that frame's "
            "annotation. Own-frame mIoU: each mask is compared with its own frame, none dropped.",
            "",
            "Each rule that looks at the frames has at most the mean latency of the fixed interval "
            "above it: its threshold is set by latency alone, not by score. The gate's own "
            "latency is counted; the luma difference counts as free. In the background: keyframes "
            "run on a second core, one after the other, and each frame uses the last finished one. "
            "The first frame of a stream waits for its keyframe; it is left out of the latencies. "
            "With warp and move the screen shows each mask moved on by the last motion (ahead).",
            "",
            markdown_table(("row", *_TEXT, *_FIGURES), _cells(rows), text=_TEXT),
            "",
            *_gate(trial.network.gate),
            *_commands(taken(rows, history), trial, history, name or history.study),
            "",
        ]
    )


def _moving(latencies: PathLatencies) -> str:
    move = latencies.move
    return "" if move is None else f"; motion {move.median_ms:.1f} ms, {move.source}"


def taken(rows: Sequence[PolicyRow], history: StudyHistory) -> PolicyRow:
    """Return the row with the best mIoU of those that meet the target, else the nearest to it.

    A rule that no bundle can run is not taken.
    """

    def over_ms(row: PolicyRow) -> float:
        return max(0.0, over_target_ms(row, history.feasible_rule, history.target_fps))

    runnable = [row for row in rows if row.policy is not None]
    return min(runnable, key=lambda row: (over_ms(row), -row.miou, row.mean_ms))


def verdict(rows: Sequence[PolicyRow], trial: TrialResult, history: StudyHistory) -> str:
    """Return which policy to take at the target, and what it gains and loses.

    It is compared with the first row, the same network with every frame a keyframe, and with the
    trial's own policy.
    """
    every, best = rows[0], taken(rows, history)
    target = f"{history.target_fps:g} fps"
    figures = f"row {best.number}, {_rule(best)}**: {_figures(best)}."
    own = (
        f" The trial's own policy ({policy_words(trial.architecture.policy)}): "
        f"{per_cent(trial.score.miou)} mIoU, {latency_figures(trial.latency)}."
    )
    if best.policy == trial.architecture.policy:
        own = " It is the trial's own policy."
    if over_target_ms(best, history.feasible_rule, history.target_fps) > 0:
        return (
            f"**No policy of this network meets {target} {rule_words(history)}. Nearest is "
            f"{figures}{own} Take a faster network."
        )
    taking = f"**At {target} take {figures}"
    if best is every:
        none = "No other policy that meets the target and that a bundle can run has a higher mIoU."
        return f"{taking} {none}{own}"
    gained, saved_ms = best.miou - every.miou, every.mean_ms - best.mean_ms
    return (
        f"{taking} Against every frame a keyframe ({_figures(every)}): "
        f"{points(gained)} points of mIoU, {-saved_ms:+.1f} ms a frame.{own}"
    )


def _figures(row: PolicyRow) -> str:
    return f"{per_cent(row.miou)} mIoU, {row.mean_ms:.1f} ms a frame, {drop_words(row)}"


def _commands(
    best: PolicyRow, trial: TrialResult, history: StudyHistory, name: str
) -> Iterator[str]:
    """Yield the commands that take the row `best`, and the one that made the page."""
    study, asked = shlex.quote(one_line(name)), asked_words(history)
    of_trial = " ".join([study, f"--trial {trial.number}", *asked])
    row = f"--policy {best.number}"
    yield "```sh"
    out = f"--out bundle-{best.number}"
    yield f"jejunet-nas export {of_trial} {row} {out}   # a bundle with this policy"
    if not asked and best.policy != trial.architecture.policy:
        yield f"jejunet-nas policies {of_trial} --add {best.number}   # a trial of the study"
    yield f"jejunet-nas policies {of_trial}   # this table"
    yield "```"


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
            f"{row.number}",
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
