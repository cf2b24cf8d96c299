"""Rows: what the ledger noted of each trial, read straight out of Optuna's tables.

Optuna makes an object of every choice of every trial, which takes a minute for ten thousand trials
and which a report has no use for. The tables are those of Optuna 5 (`optuna.storages._rdb.models`);
a test holds what is read here against what Optuna itself reads.
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial; `attributes` are what the ledger noted of it, as JSON values.

    start, end: in UTC; None where it has not begun, or runs.
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
    """Return how many trials the study named `study` has, whatever became of them."""
    trials, studies = models.TrialModel, models.StudyModel
    count = sqlalchemy.select(sqlalchemy.func.count(trials.trial_id)).where(
        trials.study_id == studies.study_id, studies.study_name == study
    )
    with storage.engine.connect() as connection:
        return int(connection.execute(count).scalar_one())


def spent_s(ended: Sequence[TrialRow], rows: Sequence[TrialRow]) -> dict[int, float]:
    """Return the seconds of each of `ended` from its start to its end, by number.

    A trial that was held for its measurement ends where the next of `rows` began: both would count
    the same seconds otherwise. One that is being closed just now has no end yet, and is left out.
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
    """Spare Python the search for unreachable cycles, which records have none of.

    Over the millions of objects that ten thousand records make, it takes as long as reading them.
    """
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searches:
            gc.enable()
