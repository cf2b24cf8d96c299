"""Compression: the compression settings of one network compared, as a Markdown page.

Units: mIoU and shares in per cent, sizes in kB of 1000 bytes, latency in ms, training in s.
"""

import shlex
from collections.abc import Iterable, Sequence

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.rows import CompressionRow
from jejunet_nas.records.words import (
    counted,
    escaped,
    markdown_table,
    network_words,
    one_line,
    per_cent,
    points,
)

_TEXT = ("settings", "int8", "outside", "noisiest layer", "noisiest layers")  # columns of words


def compression_page(
    rows: Sequence[CompressionRow],
    trial: TrialResult,
    *,
    history: StudyHistory,
    frames: int,
    name: str = "",
) -> str:
    """Return the page: scores, latency and size of each chain, and its agreement with float.

    frames, name: the validation frames and the study, as on the command line.
    """
    first, name = rows[0], shlex.quote(one_line(name or history.study))
    chains = " ".join(f"--settings {shlex.quote(row.settings)}" for row in rows)
    threads = counted(first.latencies.key.threads, "thread")
    return "\n".join(
        [
            f"# Compression of {escaped(history.study)}, trial {trial.number}",
            "",
            f"{escaped(network_words(trial.network.network.as_trained))}, on "
            f"{escaped(history.dataset)}. As trained, in float32: "
            f"{per_cent(first.trained_miou, 2)} mIoU over {first.frames} val frames, each a "
            f"keyframe. Latencies are {first.latencies.source} for one run of the graph on "
            f"{escaped(history.device)} with {threads}.",
            "",
            _table(map(_costs, rows)),
            "",
            "Against: points of mIoU compared with the network as trained. Pruned channels make "
            "the graphs smaller and faster; zeros and clusters make only the zipped file smaller. "
            "Values: mean number of different weights per output channel of the key graph. "
            "Outside: operators that run outside LiteRT's delegate, except the argmax, its cast "
            "and the quantisation of pixels.",
            "",
            _table(map(_agreement, rows)),
            "",
            "Alike: share of class map pixels that agree with float, on training frames; "
            "propagated alike: with the context of another frame. Gate: mean absolute error of its "
            "score.",
            "",
            f"`jejunet-nas compress {name} --trial {trial.number} --frames {frames} {chains}`",
            "",
        ]
    )


def front_compression_markdown(trials: Sequence[TrialResult]) -> str:
    """Return a Markdown table of the loss from float to int8, one row for each network."""
    networks = {trial.network_id: trial for trial in reversed(trials)}
    return _table(_int8_loss(each) for each in trials if networks[each.network_id] is each)


def _table(rows: Iterable[dict[str, str]]) -> str:
    rows = list(rows)
    return markdown_table([*rows[0]], (row.values() for row in rows), text=_TEXT)


def _costs(row: CompressionRow) -> dict[str, str]:
    key = row.graphs["key"]
    return {
        "settings": escaped(row.settings),
        "mIoU %": per_cent(row.miou, 2),
        "against": points(row.miou - row.trained_miou, 2),
        "key ms": f"{row.latencies.key.median_ms:.1f}",
        "propagate ms": f"{row.latencies.propagate.median_ms:.1f}",
        "MACs of key, M": f"{key.macs / 1e6:.0f}",
        "kB": f"{row.size_bytes / 1000:.0f}",
        "kB zipped": f"{row.deflated_bytes / 1000:.0f}",
        "zeros %": per_cent(key.zero_weights),
        "values": f"{key.values_a_channel:.0f}",
        "outside": ", ".join(row.left_aside) or "nothing",
        "training s": f"{row.train_s:.0f}",
        "converting s": f"{row.convert_s:.1f}",
    }


def _agreement(row: CompressionRow) -> dict[str, str]:
    agreement = row.agreement
    noisiest = (f"{each.layer} {each.snr_db:.0f} dB" for each in agreement.noisiest)
    return {
        "settings": escaped(row.settings),
        "float mIoU %": per_cent(row.float_miou, 2),
        "alike %": per_cent(agreement.key, 2),
        "propagated alike %": per_cent(agreement.propagate, 2),
        "gate": f"{agreement.gate_error:.4f}",
        "logits dB": f"{agreement.logits_db:.1f}",
        "noisiest layers": escaped(", ".join(noisiest)),
    }


def _int8_loss(trial: TrialResult) -> dict[str, str]:
    network, agreement = trial.architecture.network, trial.network.agreement
    worst = agreement.noisiest[0] if agreement.noisiest else None
    return {
        "trial": f"{trial.number}",
        "pruned %": f"{100 * network.pruning:g}",
        "int8": "after training" if network.quantization == "post_training" else "QAT",
        "float mIoU %": per_cent(trial.float_miou, 2),
        "int8 mIoU %": per_cent(trial.int8_miou, 2),
        "difference": points(trial.int8_miou - trial.float_miou, 2),
        "alike %": per_cent(agreement.key, 2),
        "propagated alike %": per_cent(agreement.propagate, 2),
        "noisiest layer": escaped(f"{worst.layer} {worst.snr_db:.0f} dB") if worst else "-",
    }
