"""Figures: a trial as a dict of plain values; tables, pages and JSON print these.

Units: mIoU and shares of frames in [0, 1], per cent in names with `_pct`; times in ms a frame.
"""

import dataclasses
from typing import Any

from jejunet_nas.records import PATHS, TrialResult
from jejunet_nas.space.architecture import Architecture, Network, Policy

_NETWORK = dataclasses.fields(Network)
_POLICY = dataclasses.fields(Policy)

CHOICES = tuple(field.name for field in (*_NETWORK, *_POLICY))
FIGURES = (
    *("miou", "float_miou", "int8_miou", "mean_ms", "worst_ms", "sustained_fps"),
    *("every_frame", "dropped_frames_pct", "latency_source", "predicted_ms", "unstable"),
    *(f"{path}_share" for path in PATHS),
    *("startup_ms", "consistency", "region_j", "boundary_f", "mean_age_frames"),
    *("longest_stale_frames", "gate_mean_error", "gate_rank_correlation"),
)
INTEGERS = (
    *(field.name for field in (*_NETWORK, *_POLICY) if field.type is int),
    "longest_stale_frames",
)


def trial_figures(trial: TrialResult) -> dict[str, Any]:
    """Return the figures of a complete trial by the names of `FIGURES`.

    unstable: why its measurement is unstable; None where it is stable or nothing was measured.
    """
    latency, temporal, gate, paths = trial.latency, trial.temporal, trial.network.gate, trial.paths
    values = (
        *(trial.score.miou, trial.float_miou, trial.int8_miou),
        *(latency.mean_ms, latency.worst_ms, latency.sustained_fps),
        *(latency.every_frame, 100 * latency.dropped_frames, latency.source),
        *(trial.predicted.mean_ms, "; ".join(latency.doubts) or None),
        *(paths[path] for path in PATHS),
        *(latency.startup_ms, temporal.consistency, temporal.region, temporal.boundary),
        *(temporal.mean_age_frames, temporal.longest_stale_frames),
        *(gate.mean_error, gate.rank_correlation),
    )
    return dict(zip(FIGURES, values, strict=True))


def choice_values(architecture: Architecture | None) -> dict[str, Any]:
    """Return the values of an architecture by the names of `CHOICES`; empty for None."""
    if architecture is None:
        return {}
    # `dataclasses.asdict` copies every value; 10,000 trials would take seconds.
    network = {field.name: getattr(architecture.network, field.name) for field in _NETWORK}
    return network | {field.name: getattr(architecture.policy, field.name) for field in _POLICY}
