"""Beside published: this study's networks among the results that others published on its data set.

Published tables compare each picture's mask with that picture's annotation. So a study is compared
by its own-frame mIoU: of a network with every frame a keyframe, and of the pick's policy beside it.

Units: as in `published`.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from jejunet_nas.records import LatencySource, StudyHistory, TrialResult
from jejunet_nas.records.words import (
    counted,
    input_words,
    policy_words,
    timed_words,
)
from jejunet_nas.reporting.published import PublishedResult, published_results
from jejunet_nas.scoring.every_frame import best_every_frame, own_frame_every_frame
from jejunet_nas.scoring.ranking import deadline_ms, front_of, picks

Precision = Literal["float32", "int8"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One row of the comparison.

    trial: its number; None for a published result. gmacs: a frame; None where unknown. latency:
    where `latency_ms` comes from, in words. unlike: in what a published result differs from the
    pick, in few words; of a trial whether it is too slow for the target.
    """

    trial: int | None
    name: str
    miou: float
    split: str
    input_height: int
    input_width: int
    precision: Precision
    gmacs: float | None
    latency_ms: float | None
    latency: str
    scored_with: str
    unlike: str
    citation: str | None = None


def compared_rows(history: StudyHistory) -> list[ComparedRow]:
    """Return the study's networks and the published results, best mIoU first.

    Empty where nothing is published on the data set, or no trial meets the target.
    """
    published = published_results(history.dataset)
    ours = [*_our_rows(history)] if published else []
    if not ours:
        return []
    theirs = [_published_row(row, ours[0], history) for row in published]
    return sorted([*ours, *theirs], key=lambda row: -row.miou)


def published_json(history: StudyHistory) -> list[dict[str, Any]]:
    """Return the rows as plain JSON values."""
    return [dataclasses.asdict(row) for row in compared_rows(history)]


def _our_rows(history: StudyHistory) -> Iterator[ComparedRow]:
    """Yield the rows of the pick, of the front's best, and of the best without a video policy."""
    found = picks(history)
    if not found:
        return
    shown = {trial.network_id: trial for trial in (front_of(history)[0], found["best"])}
    pick = found["best"]
    for trial in sorted(shown.values(), key=lambda trial: trial is not pick):
        yield _keyframes_row(trial, history)
        if trial.architecture.policy.spares_frames:
            yield _policy_row(trial, history)
    whole = best_every_frame(history)
    if whole is not None and whole.trial.network_id not in shown:
        yield _keyframes_row(whole.trial, history)


def _keyframes_row(trial: TrialResult, history: StudyHistory) -> ComparedRow:
    found, key = own_frame_every_frame(trial, history), trial.graph_latencies.key
    return _our_row(
        trial,
        history,
        name=f"trial {trial.number}, every frame a keyframe",
        miou=found.miou,
        frames=(found.frames, found.annotated),
        macs=trial.network.graphs["key"].macs,
        latency=(key.median_ms, key.source),
    )


def _policy_row(trial: TrialResult, history: StudyHistory) -> ComparedRow:
    annotated = sum(clip.frames for clip in trial.own_frame_score.clips)
    return _our_row(
        trial,
        history,
        name=f"trial {trial.number}, {policy_words(trial.architecture.policy)}",
        miou=trial.own_frame_score.miou,
        frames=(annotated, annotated),
        macs=_mean_macs(trial),
        latency=(trial.latency.mean_ms, trial.latency.source),
    )


def _our_row(
    trial: TrialResult,
    history: StudyHistory,
    *,
    name: str,
    miou: float,
    frames: tuple[int, int],
    macs: float | None,
    latency: tuple[float, LatencySource],
) -> ComparedRow:
    (ms, source), network = latency, trial.architecture.network
    some = "" if frames[0] >= frames[1] else f", {frames[0]} of {frames[1]} frames"
    late = source != "host" and ms > deadline_ms(history)
    return ComparedRow(
        trial=trial.number,
        name=name,
        miou=miou,
        split="val",
        input_height=network.input_height,
        input_width=network.input_width,
        precision="int8",
        gmacs=None if macs is None else macs / 1e9,
        latency_ms=ms,
        latency=timed_words(history, source),
        scored_with=f"val split{some}, {input_words(network)}, int8",
        unlike=f"too slow for {history.target_fps:g} fps" if late else "",
    )


def _mean_macs(trial: TrialResult) -> float | None:
    """Return the mean MACs of a frame; None with keyframes in the background, not in the walks."""
    if trial.architecture.policy.asynchronous:
        return None
    graphs, paths = trial.network.graphs, trial.paths
    letters = "".join(walk.taken for walk in trial.walks)
    gated = sum(map(str.isupper, letters)) / max(1, len(letters))
    return (
        paths["key"] * graphs["key"].macs
        + (paths["propagate"] + paths["warp"]) * graphs["propagate"].macs
        + gated * graphs["gate"].macs
    )


def _published_row(found: PublishedResult, pick: ComparedRow, history: StudyHistory) -> ComparedRow:
    size = f"{found.input_height}x{found.input_width} px"
    if found.input_height == found.input_width:
        size = f"{found.input_width} px"
    where = found.hardware
    if found.threads is not None:
        where += f", {counted(found.threads, 'thread')}"
    return ComparedRow(
        trial=None,
        name=found.name,
        miou=found.miou,
        split=found.split,
        input_height=found.input_height,
        input_width=found.input_width,
        precision=found.precision,
        gmacs=found.gmacs,
        latency_ms=found.latency_ms,
        latency="-" if found.latency_ms is None else f"{found.latency_source} on {where}",
        scored_with=f"{_split_words(found)}, {size}, {found.precision}",
        unlike="; ".join(_differences(found, pick, history)),
        citation=found.citation,
    )


def _differences(found: PublishedResult, pick: ComparedRow, history: StudyHistory) -> Iterator[str]:
    if found.split != pick.split:
        yield _split_words(found)
    if history.data.photos:
        yield "photos, not simulated pans"
    pixels = found.input_height * found.input_width / (pick.input_height * pick.input_width)
    yield from _times(pixels, "pixels")
    if found.precision != pick.precision:
        yield found.precision
    if found.gmacs and pick.gmacs:
        yield from _times(found.gmacs / pick.gmacs, "MACs")
    if found.latency_ms is not None and found.hardware != history.device:
        yield "other hardware"
    elif found.threads is not None and found.threads != history.threads:
        yield counted(found.threads, "thread")


def _split_words(found: PublishedResult) -> str:
    return "split not named" if found.split == "unknown" else f"{found.split} split"


def _times(ratio: float, what: str) -> Iterator[str]:
    """Yield, say, `4.8 times the pixels`; nothing for equal amounts."""
    factor = float(f"{ratio:.2g}")
    if factor != 1:
        yield f"{factor:,g} times the {what}"
