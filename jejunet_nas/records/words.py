"""Words: architectures, latencies and shares in short notation, for tables, charts and sentences.

Also texts from outside, such as names, made safe for one line and for Markdown.

Units: picture sizes are height x width, as in study files.
"""

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from jejunet_nas.records import (
    LatencySource,
    RefusedTrial,
    StreamLatency,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.space.architecture import Architecture, Network, Policy

_MARKDOWN = re.compile(r"[\\`*<>\[\]|$~&]|(?<![^\W_])_|_(?![^\W_])")
_SOURCES: dict[LatencySource, str] = {
    "measured": "measured on",
    "predicted": "predicted for",
    "host": "timed on",
}


def per_cent(share: float | None, digits: int = 1) -> str:
    """Return a share of [0, 1] in per cent, say `71.3`; `-` for None."""
    return "-" if share is None else f"{100 * share:z.{digits}f}"


def points(difference: float, digits: int = 1) -> str:
    """Return a difference of two shares in percentage points with its sign, say `+0.6`."""
    return f"{100 * difference:+z.{digits}f}"


def counted(number: int, noun: str) -> str:
    """Return, say, `1 thread` or `3 threads`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def complete_words(history: StudyHistory) -> str:
    """Return, say, `12 trials complete with 96 added policies`."""
    drawn, added = len(history.drawn), len(history.complete) - len(history.drawn)
    said = f"{counted(drawn, 'trial')} complete"
    if added:
        said += f" with {added} added {'policy' if added == 1 else 'policies'}"
    return said


def trial_policy_words(trial: TrialResult) -> str:
    """Return the policy of a trial, marked if no sampler drew it: `key every 4, reuse, added`."""
    return policy_words(trial.architecture.policy) + (", added" if trial.added else "")


def input_words(network: Network) -> str:
    """Return, say, `224 px` or, height first, `160x224 px`."""
    height, width = network.input_height, network.input_width
    return f"{width} px" if height == width else f"{height}x{width} px"


def network_words(network: Network) -> str:
    """Return, say, `0.5 x blocks 0-12 /16, 48 ch, thin /8, 224 px`."""
    detail = f"{network.detail} /{network.logit_stride}" if network.propagates else "no decoder"
    words = (
        f"{network.depth_multiplier:g} x blocks 0-{network.last_block} /{network.output_stride}, "
        f"{network.decoder_channels} ch, {detail}, {input_words(network)}"
    )
    if network.pruning:
        words += f", {100 * network.pruning:g} % pruned"
    return words if network.quantization == "post_training" else f"{words}, QAT"


def policy_words(policy: Policy) -> str:
    """Return, say, `key every 6, propagate, gate reuse < 0.05`."""
    if not policy.spares_frames:
        return "key every frame"
    thresholds = [
        f"{name} {sign} {threshold:g}"
        for name, sign, threshold in (
            ("reuse", "<", policy.reuse_below),
            ("refresh", ">", policy.refresh_above),
        )
        if threshold is not None
    ]
    # Frames wait for no keyframe in the background: at interval 1 they follow without a pause.
    often = f"every {policy.keyframe_interval}" if policy.keyframe_interval > 1 else "without pause"
    where = " in the background" if policy.asynchronous else ""
    words = [f"key {often}{where}", policy.between_keyframes]
    if thresholds:
        words.append(f"gate {', '.join(thresholds)}")
    if policy.ahead:
        words.append("ahead")
    return ", ".join(words)


def trial_architecture_words(trial: TrialResult) -> str:
    """Return the network's and the policy's words, marked if no sampler drew the trial."""
    return f"{network_words(trial.architecture.network)}; {trial_policy_words(trial)}"


def architecture_words(architecture: Architecture) -> str:
    """Return the network's and the policy's words."""
    return f"{network_words(architecture.network)}; {policy_words(architecture.policy)}"


def latency_words(history: StudyHistory) -> str:
    """Return the source of the latencies, say `predicted for Pixel 2, 1 thread`.

    The source that the study requests comes first, if a trial has it.
    """
    counts = Counter(trial.latency.source for trial in history.complete)
    source = history.latency_source
    if counts and not counts[source]:
        source = counts.most_common(1)[0][0]
    words = [timed_words(history, source)]
    del counts[source]
    for other, count in counts.items():
        where = f" on {one_line(history.phone)}" if other == "measured" and history.phone else ""
        words.append(f"{count} of {len(history.complete)} {other}{where}")
    if history.unscored:
        words.append(f"{len(history.unscored)} measured but not scored yet")
    return ", ".join(words)


def timed_words(history: StudyHistory, source: LatencySource) -> str:
    """Return where latencies of `source` come from, say `predicted for Pixel 2, 1 thread`."""
    where = history.phone or history.device if source == "measured" else history.device
    words = f"{_SOURCES[source]} {one_line(where)}, {counted(history.threads, 'thread')}"
    return f"{words}, not a phone" if source == "host" else words


def asked_words(history: StudyHistory) -> list[str]:
    """Return the options of a command that scores the trials as in `history`, for a shell."""
    asked = history.searched_for.asked if history.searched_for else ()
    return [shlex.quote(one_line(word)) for word in asked]


def latency_source(latency: StreamLatency, *, motion_predicted: bool) -> str:
    """Return the source of `latency`; motion_predicted: by measured graphs, but for the motion."""
    return "graphs measured, motion predicted" if motion_predicted else latency.source


def source_words(trial: TrialResult) -> str:
    """Return the source of a trial's latency, say `measured, 1.05 of predicted, unstable`."""
    words = [latency_source(trial.latency, motion_predicted=trial.motion_predicted)]
    if trial.measured is not None:
        words.append(f"{trial.measured.mean_ms / trial.predicted.mean_ms:.2f} of predicted")
    if trial.latency.doubts:
        words.append("unstable")
    return ", ".join(words)


def miou_words(trial: TrialResult) -> str:
    """Return, say, `71.3 mIoU (own-frame 74.0)`."""
    own = per_cent(trial.own_frame_score.miou)
    return f"{per_cent(trial.score.miou)} mIoU (own-frame {own})"


def drop_words(timed: StreamLatency | PolicyRow | RefusedTrial) -> str:
    """Return, say, `32.7 % of frames dropped, worst frame 146.0 ms`."""
    return (
        f"{per_cent(timed.dropped_frames)} % of frames dropped, worst frame {timed.worst_ms:.1f} ms"
    )


def latency_figures(latency: StreamLatency) -> str:
    """Return, say, `20.5 ms a frame (predicted), 0.0 % of frames dropped, worst frame 61.0 ms`."""
    return f"{latency.mean_ms:.1f} ms a frame ({latency.source}), {drop_words(latency)}"


def one_line(text: str) -> str:
    """Return `text` without line breaks or control characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())


def escaped(text: str) -> str:
    """Return `text` on one line, escaped for Markdown."""
    return _MARKDOWN.sub(lambda found: f"\\{found.group()}", one_line(text))


def markdown_table(
    columns: Sequence[str], rows: Iterable[Iterable[str]], *, text: Collection[str] = ()
) -> str:
    """Return a Markdown table; the columns in `text` are left-aligned, the others right-aligned."""
    rules = ["---" if column in text else "---:" for column in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows))
