"""A copy of a study in memory, for optuna-dashboard.

Optuna does not allow changes of a trial that has ended, and a search may be writing to the study's
storage. The copy has the latencies that were measured since, notes, and the figures of each trial
as attributes. optuna-dashboard 0.21 ignores constraints when it ranks, so a complete trial over the
target is copied as pruned: the best trials are then the front.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.ranking import point_of, rule_words
from jejunet_nas.study.storage import optuna_study
from jejunet_nas.study.tables import trials_table

_FIGURES = (
    *("state", "miou", "own_frame_miou", "mean_ms", "worst_ms", "dropped_frames_pct"),
    *("latency_source", "network_id", "reason"),
)


def copy_study(
    trials: list[FrozenTrial], history: StudyHistory, *, note: str, notes: Mapping[int, str]
) -> InMemoryStorage:
    """Return a storage with a copy of a study; trials keep their numbers.

    trials: all trials of the study in Optuna's storage. history: their results as they count now.
    note: on the study; notes: on trials, by their numbers; both in Markdown.
    """
    try:
        from optuna_dashboard import save_note  # type: ignore[import-untyped]
    except ImportError:
        raise SettingError(
            "optuna-dashboard is not installed. Install it: pip install 'jejunet-nas[dashboard]'"
        ) from None

    storage = InMemoryStorage()
    copy = optuna_study(history.study, storage)
    save_note(copy, note)
    values = {trial.number: point_of(trial) for trial in history.complete}
    figures = _figures(history)
    study_id = storage.get_study_id_from_name(history.study)
    for trial in trials:
        number = trial.number
        over = figures.get(number, {}).get("state") == "over target"
        copied = create_trial(
            state=TrialState.PRUNED if over else trial.state,
            values=values.get(number, trial.values),
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=figures.get(number),
        )
        copied.datetime_start = trial.datetime_start
        copied.datetime_complete = trial.datetime_complete
        copy.add_trial(copied)
        if number in notes:
            trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
            for key, value in _note(trial_id, notes[number]).items():
                storage.set_study_system_attr(study_id, key, value)
    return storage


def _note(trial_id: int, body: str) -> dict[str, Any]:
    """Return the attributes that optuna-dashboard's `save_note` stores for a new note.

    `save_note` copies the notes of all trials each time: 28 s for 10,000 trials.
    """
    from optuna_dashboard._note import (  # type: ignore[import-untyped]
        note_ver_key,
        split_body,
    )

    return {note_ver_key(trial_id): 1, **split_body(body, trial_id)}


def _figures(history: StudyHistory) -> dict[int, dict[str, Any]]:
    """Return the attributes of each trial that has ended, by its number."""
    rows = trials_table(history)[["trial", *_FIGURES]].to_dict("records")
    figures = {
        row["trial"]: {str(name): row[name] for name in _FIGURES if pd.notna(row[name])}
        for row in rows
    }
    for row in figures.values():
        if row["state"] == "over target":
            row["reason"] = (
                f"misses {history.target_fps:g} fps {rule_words(history)}: "
                f"{row['mean_ms']:.1f} ms a frame, {row['dropped_frames_pct']:.1f} % dropped, "
                f"worst {row['worst_ms']:.1f} ms"
            )
    return figures
