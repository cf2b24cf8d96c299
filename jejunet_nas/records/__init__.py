"""The nouns of a trial, in the order in which they come to be.

Stages of a trial meet only in `trial.py` and hand each other nothing but these records and files.
Ratios lie in [0, 1]; units stand in the names: `_ms`, `_s`, `_bytes`, `_px`, `_macs`.
"""

from jejunet_nas.records.clips import (
    IGNORE,
    Clip,
    DataSplit,
    Frames,
    Masks,
    Pictures,
)
from jejunet_nas.records.json_text import (
    Record,
    from_json,
    to_json,
)
from jejunet_nas.records.latencies import (
    GRAPH_NAMES,
    OUTSIDE_DELEGATE,
    PATHS,
    FramePath,
    FramePaths,
    GraphName,
    Latency,
    LatencySource,
    Operator,
    PathLatencies,
    StreamLatency,
)
from jejunet_nas.records.networks import (
    AgreementRecord,
    GateBin,
    GateRecord,
    GraphRecord,
    LayerNoise,
    NetworkRecord,
    TrainingRecord,
)
from jejunet_nas.records.trials import (
    FailedTrial,
    RefusedTrial,
    StudyHistory,
    TrialResult,
)

__all__ = [
    "GRAPH_NAMES",
    "IGNORE",
    "OUTSIDE_DELEGATE",
    "PATHS",
    "AgreementRecord",
    "Clip",
    "DataSplit",
    "FailedTrial",
    "FramePath",
    "FramePaths",
    "Frames",
    "GateBin",
    "GateRecord",
    "GraphName",
    "GraphRecord",
    "Latency",
    "LatencySource",
    "LayerNoise",
    "Masks",
    "NetworkRecord",
    "Operator",
    "PathLatencies",
    "Pictures",
    "Record",
    "RefusedTrial",
    "StreamLatency",
    "StudyHistory",
    "TrainingRecord",
    "TrialResult",
    "from_json",
    "to_json",
]
