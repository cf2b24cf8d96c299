"""A copy of a study in memory, for optuna-dashboard.

Optuna does not let anyone change a trial that has ended, and a search may be writing to the study's
storage. So the dashboard gets a copy, with the latencies that were measured since, the figures of
each trial as attributes, and notes.
"""

from collections.abc import Mapping
from typing import Any

import optuna
import pandas as pd
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, create_trial

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory
from jejunet_nas.scoring.ranking import deadline_ms, point_of
from jejunet_nas.study.ledger import optuna_study
from jejunet_nas.study.tables import trials_table

_FIGURES = (
    *("state", "miou", "mean_ms", "worst_ms", "dropped_frames_pct"),
    *("latency_source", "network_id", "reason"),
)
_CONSTRAINTS = "constraints"  # as optuna-dashboard 0.21 reads them: a list of numbers


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
    over_ms, figures = _over_ms(history), _figures(history)
    study_id = storage.get_study_id_from_name(history.study)
    for trial in trials:
        number = trial.number
        copied = create_trial(
            state=trial.state,
            values=values.get(number, trial.values),
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=figures.get(number),
            system_attrs={_CONSTRAINTS: [over_ms[number]]} if number in over_ms else None,
        )
        copied.datetime_start = trial.datetime_start
        copied.datetime_complete = trial.datetime_complete
        copy.add_trial(copied)
        if number in notes:
            trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
            save_note(optuna.Trial(copy, trial_id), notes[number])
    return storage


def _over_ms(history: StudyHistory) -> dict[int, float]:
    """Return by how much each trial exceeds the time of a frame; at most 0 is feasible."""
    mean_ms = {trial.number: trial.latency.mean_ms for trial in history.complete}
    mean_ms |= {trial.number: trial.mean_ms for trial in history.refused}
    return {number: ms - deadline_ms(history) for number, ms in mean_ms.items()}


def _figures(history: StudyHistory) -> dict[int, dict[str, Any]]:
    rows = trials_table(history)[["trial", *_FIGURES]].to_dict("records")
    return {
        row["trial"]: {str(name): row[name] for name in _FIGURES if pd.notna(row[name])}
        for row in rows
    }
