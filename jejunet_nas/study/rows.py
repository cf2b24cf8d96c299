"""Rows: the ledger's attributes of each trial, read directly from Optuna's tables.

Optuna makes an object of every choice of every trial. That takes a minute for ten thousand trials,
and a report does not need it. The tables are those of Optuna 5 (`optuna.storages._rdb.models`); a
test compares the rows with what Optuna itself reads.
"""

import bisect
import contextlib
import dataclasses
import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb import models

# The user attributes of a trial.
OUTCOME, ARCHITECTURE, RECORD, REASON = "outcome", "architecture", "record", "reason"
ENDED = ("complete", "refused", "failed")  # outcomes that need no further trial


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial; `attributes` are the ledger's, as JSON values.

    start, end: in UTC; None before the trial begins or ends.
    """

    number: int
    start: datetime | None
    end: datetime | None
    attributes: Mapping[str, str]


def read_rows(storage: RDBStorage, study: str) -> list[TrialRow]:
    """Return the trials of the study named `study`, by number."""
    trials, notes = models.TrialModel, models.TrialUserAttributeModel
    of_study = (
        trials.study_id == models.StudyModel.study_id,
        models.StudyModel.study_name == study,
    )
    attributes: dict[int, dict[str, str]] = {}
    with storage.engine.connect() as connection:
        for trial_id, key, value in connection.execute(
            sqlalchemy.select(notes.trial_id, notes.key, notes.value_json).where(
                notes.trial_id == trials.trial_id, *of_study
            )
        ):
            attributes.setdefault(trial_id, {})[key] = json.loads(value)
        return [
            TrialRow(number=number, start=start, end=end, attributes=attributes.get(trial_id, {}))
            for trial_id, number, start, end in connection.execute(
                sqlalchemy.select(
                    trials.trial_id,
                    trials.number,
                    trials._datetime_start_utc,
                    trials._datetime_complete_utc,
                )
                .where(*of_study)
                .order_by(trials.number)
            )
        ]


def count_rows(storage: RDBStorage, study: str) -> int:
    """Return the number of trials of the study named `study`, in any state."""
    trials, studies = models.TrialModel, models.StudyModel
    count = sqlalchemy.select(sqlalchemy.func.count(trials.trial_id)).where(
        trials.study_id == studies.study_id, studies.study_name == study
    )
    with storage.engine.connect() as connection:
        return int(connection.execute(count).scalar_one())


def spent_s(ended: Sequence[TrialRow], rows: Sequence[TrialRow]) -> dict[int, float]:
    """Return the seconds of each of `ended` from its start to its end, by number.

    A trial that was held for its measurement ends when the next of `rows` began: otherwise both
    would count the same seconds. A trial without an end yet is left out.
    """
    starts = sorted(row.start for row in rows if row.start)
    spent = {}
    for row in sorted(ended, key=lambda row: row.number):
        if row.start and row.end:
            later = bisect.bisect_right(starts, row.start)
            end = min([row.end, *starts[later : later + 1]])
            spent[row.number] = max(0.0, (end - row.start).total_seconds())
    return spent


@contextlib.contextmanager
def without_search_for_cycles() -> Iterator[None]:
    """Turn Python's search for unreachable cycles off; records contain none.

    For the millions of objects of ten thousand records it takes as long as reading them.
    """
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searches:
            gc.enable()
