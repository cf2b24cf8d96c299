"""The history of a study: the ledger's trials as records, read directly from Optuna's tables.

Optuna makes an object of every choice of every trial. That takes a minute for ten thousand trials,
and a report does not need it. The tables are those of Optuna 5 (`optuna.storages._rdb.models`); a
test compares the rows with what Optuna itself reads.
"""

import bisect
import collections
import contextlib
import dataclasses
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from jejunet_nas.documents.json_file import parse_json
from jejunet_nas.errors import SettingError
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import (
    FailedTrial,
    LastRoundPlan,
    RefusedTrial,
    StudyHistory,
    TrialResult,
    from_json,
)
from jejunet_nas.space.architecture import Architecture, architecture_from_dict
from jejunet_nas.study.kept_data import (
    kept_class_names,
    kept_data,
    kept_failed_repeats,
    kept_repaired,
    kept_repeats,
)
from jejunet_nas.study.settings import StudySettings

Record = TypeVar("Record")

IDENTITY = "identity"  # the user attribute of a study with what all its trials share
# The user attributes of a trial.
OUTCOME, ARCHITECTURE, RECORD, REASON = "outcome", "architecture", "record", "reason"
_ATTRIBUTES = (OUTCOME, ARCHITECTURE, RECORD, REASON)
ADDED = "added"  # true in trials that no sampler drew
BEGUN = tuple(state for state in TrialState if state != TrialState.WAITING)
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
    """Return the trials of the study named `study`, by number. Raises ValueError if damaged."""
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
            if key in _ATTRIBUTES:  # a dashboard may have others
                attributes.setdefault(trial_id, {})[key] = _plain(value)
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


def _plain(value: str) -> str:
    plain = parse_json(value)
    if not isinstance(plain, str):
        raise ValueError(f"a trial's attribute is {plain}, not text")
    return plain


def count_rows(storage: RDBStorage, study: str, *states: TrialState) -> int:
    """Return the number of trials of the study named `study`: of those in `states`, if any."""
    trials, studies = models.TrialModel, models.StudyModel
    count = sqlalchemy.select(sqlalchemy.func.count(trials.trial_id)).where(
        trials.study_id == studies.study_id, studies.study_name == study
    )
    if states:
        count = count.where(trials.state.in_(states))
    with storage.engine.connect() as connection:
        return int(connection.execute(count).scalar_one())


def is_begun(storage: RDBStorage, study: str) -> bool:
    """Whether the creation of `study` ended: its identity is stored last, before any trial."""
    notes, studies = models.StudyUserAttributeModel, models.StudyModel
    identity = sqlalchemy.select(notes.key).where(
        notes.study_id == studies.study_id, studies.study_name == study, notes.key == IDENTITY
    )
    with storage.engine.connect() as connection:
        if connection.execute(identity).first() is not None:
            return True
    return count_rows(storage, study, *BEGUN) > 0


def is_held(trial: FrozenTrial) -> bool:
    """Return True if `trial` has its result but was not closed before the process died."""
    return RECORD in trial.user_attrs and trial.user_attrs.get(OUTCOME) in ("held", "complete")


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
def without_garbage_collection() -> Iterator[None]:
    """Turn Python's collector of cyclic garbage off; records contain no cycles.

    With the millions of objects of ten thousand records it takes as long as reading them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_history(
    settings: StudySettings, storage: RDBStorage, attributes: Mapping[str, Any]
) -> StudyHistory:
    """Return the results of all trials in `storage`, with latencies as the search stored them.

    attributes: of the study, see `study.kept_data`.
    """
    rows = read_rows(storage, settings.name)
    ended: dict[str, list[TrialRow]] = collections.defaultdict(list)
    for row in rows:
        ended[row.attributes.get(OUTCOME, "open")].append(row)
    # An ended trial cannot be changed in Optuna's storage.
    repaired, numbers = kept_repaired(attributes), [row.number for row in ended["complete"]]
    texts = zip(numbers, _stored(RECORD, ended["complete"]), strict=True)
    complete = [repaired.get(number, text) for number, text in texts]
    return StudyHistory(
        study=settings.name,
        dataset=settings.data.dataset,
        class_names=kept_class_names(attributes),
        target_fps=settings.target_fps,
        feasible_rule=settings.feasible,
        validation=settings.validation.pick_on,
        device=load_profile(settings.latency.device).device,
        latency_source="measured" if settings.latency.backend == "adb" else "predicted",
        threads=settings.latency.threads,
        complete=tuple(read_records(TrialResult, complete)),
        refused=tuple(read_records(RefusedTrial, _stored(RECORD, ended["refused"]))),
        failed=tuple(_failed(row) for row in ended["failed"]),
        duplicates=len(ended["duplicate"]),
        wanted=settings.trials,
        spent_s=spent_s([row for name in ENDED for row in ended[name]], rows),
        data=kept_data(attributes),
        repeats=kept_repeats(attributes),
        failed_repeats=kept_failed_repeats(attributes),
        last_round=_last_round(settings),
    )


def _last_round(settings: StudySettings) -> LastRoundPlan | None:
    last, above = settings.last_round, max(settings.training.rungs, default=0)
    if last.seeds == 1:
        return None
    return LastRoundPlan(contenders=last.contenders, above_steps=above, until=last.until)


def read_records(kind: type[Record], texts: Iterable[str]) -> list[Record]:
    """Return the records in JSON `texts`. Raises `SettingError` for those of another version.

    A text that is no JSON raises `ValueError`.
    """
    try:
        with without_garbage_collection():
            return [from_json(kind, text) for text in texts]
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise
        raise SettingError(
            "the study's trials were written by another version of jejunet_nas. Use that version, "
            "give the study another name, or remove its state folder."
        ) from None


def stored_architecture(text: str) -> Architecture:
    """Return the architecture that the ledger stored as `text`. Raises ValueError for any other."""
    try:
        return architecture_from_dict(parse_json(text))
    except (ValueError, KeyError, TypeError) as reason:
        raise ValueError(f"an architecture is {text}: {reason}") from None


def _stored(key: str, rows: list[TrialRow]) -> list[str]:
    for row in rows:
        if key not in row.attributes:
            raise ValueError(f"trial {row.number} has no {key}")
    return [row.attributes[key] for row in rows]


def _failed(row: TrialRow) -> FailedTrial:
    plain = row.attributes.get(ARCHITECTURE)
    (reason,) = _stored(REASON, [row])
    return FailedTrial(
        number=row.number,
        architecture=stored_architecture(plain) if plain else None,
        reason=reason,
    )
