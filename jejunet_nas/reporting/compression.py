"""Compression: what each way of compressing one network costs and brings, as a Markdown page.

Units: mIoU and shares in per cent, sizes in kB of 1000 bytes, latency in ms, training in s.
"""

import shlex
from collections.abc import Sequence

from jejunet_nas.records import (
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.rows import CompressionRow
from jejunet_nas.records.words import escaped, network_words, one_line, per_cent, points
from jejunet_nas.space.architecture import Quantization

_QUANTIZATIONS: dict[Quantization, str] = {
    "post_training": "after training",
    "quantization_aware": "QAT",
}


def compression_page(
    rows: Sequence[CompressionRow], trial: TrialResult, *, history: StudyHistory, frames: int
) -> str:
    """Return the page: what each chain is worth, what it weighs, and how it agrees with float.

    frames: how many were asked for.
    """
    study, data = history.study, history.dataset
    first, name = rows[0], shlex.quote(one_line(study))
    chains = " ".join(f"--settings {shlex.quote(row.settings)}" for row in rows)
    return "\n".join(
        [
            f"# Compression of {escaped(study)}, trial {trial.number}",
            "",
            f"{escaped(network_words(trial.network.network.as_trained))}, on {escaped(data)}. "
            f"As trained, in float32: {per_cent(first.trained_miou, 2)} mIoU over {first.frames} "
            f"val frames, each a keyframe. Latencies are {first.latencies.source} for one run of "
            f"the graph on {escaped(history.device)} with {_threads(first)}.",
            "",
            compression_markdown(rows),
            "",
            "Against: points of mIoU against the network as it was trained. Channels that are "
            "pruned make the graphs smaller and faster; single weights that are zero, and "
            "clusters, only the zipped file smaller. Values: different weights an output channel "
            "of the key graph has, in the mean. Outside: what LiteRT's delegate leaves aside, "
            "beside the argmax, its cast and what takes pixels to int8.",
            "",
            agreement_markdown(rows),
            "",
            "Alike: class map pixels as in float, on training frames; propagated with the context "
            "of another frame. Gate: how far its score is off, on average.",
            "",
            f"`jejunet-nas compress {name} --trial {trial.number} --frames {frames} {chains}`",
            "",
        ]
    )


def compression_markdown(rows: Sequence[CompressionRow]) -> str:
    """Return what each chain is worth and what it weighs as a Markdown table."""
    header = (
        "| settings | mIoU % | against | key ms | propagate ms | MACs of key, M | kB | kB zipped "
        "| zeros % | values | outside | training s | converting s |"
    )
    lines = [header, "| --- |" + " ---: |" * 9 + " --- |" + " ---: |" * 2]
    for row in rows:
        key = row.graphs["key"]
        cells = (
            escaped(row.settings),
            per_cent(row.miou, 2),
            points(row.miou - row.trained_miou, 2),
            f"{row.latencies.key.median_ms:.1f}",
            f"{row.latencies.propagate.median_ms:.1f}",
            f"{key.macs / 1e6:.0f}",
            f"{row.size_bytes / 1000:.0f}",
            f"{row.deflated_bytes / 1000:.0f}",
            per_cent(key.zero_weights),
            f"{key.values_a_channel:.0f}",
            ", ".join(row.left_aside) or "nothing",
            f"{row.train_s:.0f}",
            f"{row.convert_s:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def agreement_markdown(rows: Sequence[CompressionRow]) -> str:
    """Return how far each chain's graphs agree with float as a Markdown table."""
    header = (
        "| settings | float mIoU % | alike % | propagated alike % | gate | logits dB "
        "| noisiest layers |"
    )
    lines = [header, "| --- |" + " ---: |" * 5 + " --- |"]
    for row in rows:
        agreement = row.agreement
        noisiest = (f"{each.layer} {each.snr_db:.0f} dB" for each in agreement.noisiest)
        cells = (
            escaped(row.settings),
            per_cent(row.float_miou, 2),
            per_cent(agreement.key, 2),
            per_cent(agreement.propagate, 2),
            f"{agreement.gate_error:.4f}",
            f"{agreement.logits_db:.1f}",
            escaped(", ".join(noisiest)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def front_compression_markdown(trials: Sequence[TrialResult]) -> str:
    """Return what int8 cost the networks of `trials`, each once, as a Markdown table."""
    header = (
        "| trial | pruned % | int8 | float mIoU % | int8 mIoU % | difference | alike % "
        "| propagated alike % | noisiest layer |"
    )
    lines = [header, "| ---: | ---: | --- |" + " ---: |" * 5 + " --- |"]
    networks = {trial.network_id: trial for trial in reversed(trials)}
    for trial in (each for each in trials if networks[each.network_id] is each):
        network, agreement = trial.architecture.network, trial.network.agreement
        worst = agreement.noisiest[0] if agreement.noisiest else None
        cells = (
            f"{trial.number}",
            f"{100 * network.pruning:g}",
            _QUANTIZATIONS[network.quantization],
            per_cent(trial.float_miou, 2),
            per_cent(trial.int8_miou, 2),
            points(trial.int8_miou - trial.float_miou, 2),
            per_cent(agreement.key, 2),
            per_cent(agreement.propagate, 2),
            escaped(f"{worst.layer} {worst.snr_db:.0f} dB") if worst else "-",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _threads(row: CompressionRow) -> str:
    threads = row.latencies.key.threads
    return f"{threads} thread{'' if threads == 1 else 's'}"
