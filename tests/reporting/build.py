"""Synthetic studies: just enough of a trial's result to be reported."""

import dataclasses
import random

from jejunet_nas.records import (
    FailedTrial,
    FramePath,
    FramePaths,
    Latency,
    LatencySource,
    PathLatencies,
    RefusedTrial,
    StreamLatency,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.scores import ClipScore, Score, Streamed
from jejunet_nas.space.architecture import Architecture, Network, Policy
from tests.made_up import TEMPORAL, network_record

NETWORK = Network(
    depth_multiplier=0.5,
    last_block=12,
    output_stride=16,
    decoder_channels=48,
    detail="thin",
    logit_stride=8,
    input_height=224,
    input_width=224,
)


def architecture(interval: int = 1) -> Architecture:
    return Architecture(network=NETWORK, policy=Policy(keyframe_interval=interval))


def trial(
    number: int,
    miou: float,
    mean_ms: float,
    *,
    interval: int = 1,
    class_iou: tuple[float | None, ...] | None = None,
    source: LatencySource = "predicted",
    dropped: float = 0.0,
) -> TrialResult:
    paths: list[FramePath] = ["key", *["propagate"] * (interval - 1)]  # type: ignore[list-item]
    clips = (
        ClipScore(name="bear", frames=2, annotated=(8, 8), intersection=(6, 6), union=(10, 10)),
    )
    score = Score(miou=miou, class_iou=class_iou or (miou, miou), clips=clips)
    return TrialResult(
        number=number,
        architecture=architecture(interval),
        network=network_record(
            f"{number:012x}", NETWORK, float_miou=miou + 0.01, int8_miou=miou + 0.005
        ),
        own_frame_score=dataclasses.replace(score, miou=miou + 0.01),
        temporal=TEMPORAL,
        on_prediction=Streamed(
            latency=StreamLatency(
                mean_ms=mean_ms,
                worst_ms=1.5 * mean_ms,
                every_frame=1.5 * mean_ms <= 40,
                dropped_frames=dropped,
                source=source,
            ),
            score=score,
            walks=(FramePaths.of("bear", paths, [False] * interval),),
            every_frame_miou=miou - 0.02,
            every_frame_dropped=0.25,
        ),
        stage_s={"training": 60.0, "compression": 2.5},
        network_reused=False,
    )


def measured(trial: TrialResult, mean_ms: float, *, doubts: tuple[str, ...] = ()) -> TrialResult:
    """Return `trial` as it is once a phone has measured it."""
    stream = dataclasses.replace(
        trial.predicted, mean_ms=mean_ms, worst_ms=1.5 * mean_ms, source="measured", doubts=doubts
    )
    graph = Latency(
        median_ms=mean_ms,
        low_ms=0.75 * mean_ms,
        high_ms=1.25 * mean_ms,
        source="measured",
        threads=1,
    )
    graphs = PathLatencies(key=graph, propagate=graph, gate=graph)
    streamed = dataclasses.replace(trial.on_prediction, latency=stream)
    return dataclasses.replace(trial, on_measurement=streamed, measured_graphs=graphs)


def refused(number: int, mean_ms: float) -> RefusedTrial:
    return RefusedTrial(
        number=number,
        architecture=architecture(),
        mean_ms=mean_ms,
        worst_ms=mean_ms,
        dropped_frames=max(0.0, 1 - 40 / mean_ms),
        source="predicted",
        reason=f"at least {mean_ms} ms a frame; allowed: 40.0 ms",
    )


def history(
    *complete: TrialResult,
    refused: tuple[RefusedTrial, ...] = (),
    failed: tuple[FailedTrial, ...] = (),
    study: str = "davis",
    device: str = "Pixel 2",
    source: LatencySource = "predicted",
    class_names: tuple[str, ...] = ("background", "object"),
    phone: str | None = None,
) -> StudyHistory:
    """A study whose target is 25 fps: 40 ms a frame."""
    return StudyHistory(
        study=study,
        dataset="DAVIS 2016",
        class_names=class_names,
        target_fps=25.0,
        device=device,
        latency_source=source,
        threads=1,
        complete=complete,
        refused=refused,
        failed=failed,
        duplicates=0,
        phone=phone,
    )


def many_trials(count: int, seed: int) -> list[TrialResult]:
    """Trials that look like a real search: slower is better, with chance."""
    dice = random.Random(seed)
    trials = []
    for number in range(count):
        mean_ms = dice.lognormvariate(3.3, 0.55)
        miou = 0.74 - 0.9 / mean_ms**0.75 - dice.expovariate(28)
        interval = dice.choice([1, 1, 2, 4, 6, 8])
        trials.append(trial(number, max(miou, 0.05), mean_ms, interval=interval))
    return trials
