"""Trials as columns: what the page's script shows of each complete, refused or failed trial.

Columns compress well: 10,000 trials take a third of a megabyte in the page.
"""

import itertools
from typing import Any

from jejunet_nas.records import RefusedTrial, StreamLatency, StudyHistory, TrialResult
from jejunet_nas.records.words import network_words, one_line, policy_words, trial_policy_words
from jejunet_nas.scoring.ranking import states
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.space.draw import choices_of
from jejunet_nas.space.search_space import DIMENSIONS, in_words

Columns = dict[str, list[Any]]


def trial_columns(history: StudyHistory) -> Columns:
    """Return the columns, one value per trial in the order of numbers; None where unknown."""
    state = states(history)
    rows: dict[int, dict[str, Any]] = {trial.number: _complete(trial) for trial in history.complete}
    rows |= {
        trial.number: _drawn(trial.architecture)
        | _timed(trial)
        | {"reason": one_line(trial.reason)}
        for trial in history.refused
    }
    rows |= {
        trial.number: _drawn(trial.architecture) | {"reason": one_line(trial.reason)}
        for trial in history.failed
    }
    keys = dict.fromkeys(key for row in rows.values() for key in row)
    ordered = sorted(rows)
    columns: Columns = {key: [rows[number].get(key) for number in ordered] for key in keys}
    return {"number": ordered, "state": [state[number] for number in ordered], **columns}


def slice_dimensions(columns: Columns) -> list[str]:
    """Return the dimensions that differ between the complete trials of `trial_columns`."""
    complete = [miou is not None for miou in columns.get("miou", ())]
    return [
        name
        for name in DIMENSIONS
        if len({*itertools.compress(columns.get(f"d:{name}", ()), complete)} - {None}) > 1
    ]


def _complete(trial: TrialResult) -> dict[str, Any]:
    return (
        _drawn(trial.architecture)
        | _timed(trial.latency)
        | {
            "policy": trial_policy_words(trial),
            "miou": round(100 * trial.score.miou, 1),
            "own": round(100 * trial.own_frame_score.miou, 1),
            "predicted": round(trial.predicted.mean_ms, 1) if trial.measured else None,
        }
    )


def _timed(timed: StreamLatency | RefusedTrial) -> dict[str, Any]:
    """Return latencies with the decimals that are shown, as rounding twice may give another digit.

    place_ms: the place on an axis.
    """
    return {
        "place_ms": round(timed.mean_ms, 3),
        "ms": round(timed.mean_ms, 1),
        "fps": round(1000 / timed.mean_ms, 1) if timed.mean_ms else None,
        "source": timed.source,
        "worst": round(timed.worst_ms, 1),
        "dropped": round(100 * timed.dropped_frames, 1),
    }


def _drawn(architecture: Architecture | None) -> dict[str, Any]:
    if architecture is None:
        return {}
    return {
        "network": network_words(architecture.network),
        "policy": policy_words(architecture.policy),
        **{f"d:{name}": in_words(choice) for name, choice in choices_of(architecture).items()},
    }
