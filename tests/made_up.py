"""Records that no trial made, for tests of what is done with records."""

import dataclasses
from pathlib import Path
from typing import Any

from jejunet_nas.files import sha256_of
from jejunet_nas.records import (
    GRAPH_NAMES,
    AgreementRecord,
    GateBin,
    GateRecord,
    GraphRecord,
    Latency,
    LayerNoise,
    NetworkRecord,
    PathLatencies,
    Provenance,
    TrainingRecord,
    TrialResult,
)
from jejunet_nas.records.scores import Score, TemporalScore
from jejunet_nas.space.architecture import Network

GATE = GateRecord(
    bins=(
        GateBin(pairs=100, score=0.01, disagreement=0.02),
        GateBin(pairs=44, score=0.2, disagreement=0.3),
    ),
    mean_error=0.04,
    rank_correlation=0.8,
)
AGREEMENT = AgreementRecord(
    frames=4,
    key=0.99,
    propagate=0.98,
    gate_error=0.01,
    logits_db=30.0,
    noisiest=(LayerNoise(layer="block_6_project", graph="key", snr_db=12.0),),
    equalized=False,
    bias_corrected=True,
)
PROVENANCE = Provenance(
    processor="AMD EPYC (cpu family 25, model 17, stepping 1)",
    cores=2,
    threads=1,
    gpus=(),
    versions={"python": "3.11.0", "tensorflow": "2.21.0"},
    seed=3,
    fingerprints={"train": "0" * 12, "val": "1" * 12},
)
TEMPORAL = TemporalScore(
    consistency=0.99, region=0.7, boundary=0.6, mean_age_frames=1.5, longest_stale_frames=3
)


def network_record(
    name: str, network: Network, *, float_miou: float, int8_miou: float
) -> NetworkRecord:
    latency = Latency(median_ms=20.0, low_ms=19.0, high_ms=21.0, source="predicted", threads=1)
    return NetworkRecord(
        network_id=name,
        network=network,
        class_names=("background", "object"),
        training=TrainingRecord(
            steps=2,
            loss_every_steps=1,
            losses=(0.7, 0.5),
            gate_loss=0.4,
            median_step_ms=60.0,
            input_wait_share=0.001,
            parameters=100_000,
        ),
        graphs={graph: graph_record(f"{graph}.tflite") for graph in GRAPH_NAMES},
        latencies=PathLatencies(key=latency, propagate=latency, gate=latency, move=latency),
        float_miou=float_miou,
        int8_miou=int8_miou,
        checked_frames=64,
        gate=GATE,
        stage_s={"train": 1.0},
        agreement=AGREEMENT,
    )


def path_latencies(
    key_ms: float, propagate_ms: float, gate_ms: float, move_ms: float | None = None
) -> PathLatencies:
    """Return predicted latencies; by default moving a mask takes as long as propagating."""
    key, propagate, gate, move = (
        Latency(median_ms=ms, low_ms=ms, high_ms=ms, source="predicted", threads=1)
        for ms in (key_ms, propagate_ms, gate_ms, propagate_ms if move_ms is None else move_ms)
    )
    return PathLatencies(key=key, propagate=propagate, gate=gate, move=move)


def scored(trial: TrialResult, score: Score) -> TrialResult:
    """Return `trial` with `score`: of each mask's own frame, and of the screen, measured or not."""
    measured = trial.on_measurement
    return dataclasses.replace(
        on_screen(trial, score=score),
        own_frame_score=score,
        on_measurement=measured and dataclasses.replace(measured, score=score),
    )


def on_screen(trial: TrialResult, **changes: Any) -> TrialResult:
    """Return `trial` with `changes` of what the screen shows with the predicted latencies."""
    streamed = dataclasses.replace(trial.on_prediction, **changes)
    return dataclasses.replace(trial, on_prediction=streamed)


def graph_record(file: str, *, size_bytes: int = 5, sha256: str = "0" * 64) -> GraphRecord:
    return GraphRecord(
        file=file,
        sha256=sha256,
        size_bytes=size_bytes,
        deflated_bytes=4,
        macs=100,
        operators=1,
        not_delegated=(),
        zero_weights=0.0,
        values_a_channel=100.0,
    )


def as_in(folder: Path, network: NetworkRecord) -> NetworkRecord:
    """Return `network` with the hashes of the graphs that are in `folder`."""
    graphs = {
        name: dataclasses.replace(graph, sha256=sha256_of(folder / graph.file))
        if (folder / graph.file).is_file()
        else graph
        for name, graph in network.graphs.items()
    }
    return dataclasses.replace(network, graphs=graphs)
