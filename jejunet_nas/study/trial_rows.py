"""Writes trials into Optuna's tables, each in one transaction of a few statements.

Optuna's storage writes choices and attributes one by one, with four statements each: a trial took
90, and a process that died among them left half a trial. The tables are those of Optuna 5, as in
`study.history`; a test compares what is written with what Optuna reads.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.engine import Engine

_Attributes = type[models.TrialUserAttributeModel] | type[models.TrialSystemAttributeModel]


def insert_trial(engine: Engine, study_id: int, template: FrozenTrial) -> tuple[int, int]:
    """Write `template` as a new trial; return its id and its number in the study."""
    trials, studies = models.TrialModel, models.StudyModel
    before = select(func.count()).select_from(trials).where(trials.study_id == study_id)
    row = {
        "study_id": study_id,
        "number": before.scalar_subquery(),
        "state": template.state,
        "datetime_start": _utc(template.datetime_start),
        "datetime_complete": _utc(template.datetime_complete),
    }
    with engine.begin() as connection:
        # Two processes that insert at once would count the same trials.
        connection.execute(
            select(studies.study_id).where(studies.study_id == study_id).with_for_update()
        )
        made = insert(trials.__table__).values(row).returning(trials.trial_id, trials.number)
        trial_id, number = connection.execute(made).one()
        _write_params(connection, trial_id, template, template.params)
        for kind, attributes in _attributes(template):
            _write_attributes(connection, kind, trial_id, attributes)
        _write_values(connection, trial_id, template)
    return trial_id, number


def update_trial(engine: Engine, trial_id: int, template: FrozenTrial) -> None:
    """Give a running trial the state and the values of `template`, and what it lacks of the rest.

    Attributes that `template` leaves out stay. Raises `UpdateFinishedTrialError` if the trial has
    ended.
    """
    trials, params = models.TrialModel, models.TrialParamModel
    changed = update(trials.__table__).values(
        state=template.state, datetime_complete=_utc(template.datetime_complete)
    )
    running = (trials.trial_id == trial_id, trials.state == TrialState.RUNNING)
    with engine.begin() as connection:
        if connection.execute(changed.where(*running)).rowcount != 1:
            raise UpdateFinishedTrialError(f"trial {trial_id} does not run")
        there = connection.execute(select(params.param_name).where(params.trial_id == trial_id))
        missing = template.params.keys() - set(there.scalars())
        _write_params(connection, trial_id, template, sorted(missing))
        for kind, attributes in _attributes(template):
            found = select(kind.key, kind.value_json).where(
                kind.trial_id == trial_id, kind.key.in_([*attributes])
            )
            kept = {key: value for key, value in connection.execute(found)} if attributes else {}
            other = {key: each for key, each in attributes.items() if kept.get(key) != each}
            if replaced := kept.keys() & other.keys():
                gone = delete(kind.__table__).where(kind.trial_id == trial_id)
                connection.execute(gone.where(kind.key.in_(replaced)))
            _write_attributes(connection, kind, trial_id, other)
        _write_values(connection, trial_id, template)


def _attributes(template: FrozenTrial) -> Iterable[tuple[_Attributes, Mapping[str, str]]]:
    for kind, attributes in (
        (models.TrialUserAttributeModel, template.user_attrs),
        (models.TrialSystemAttributeModel, template.system_attrs),
    ):
        yield kind, {key: json.dumps(value) for key, value in attributes.items()}


def _write_params(
    connection: Connection, trial_id: int, template: FrozenTrial, names: Iterable[str]
) -> None:
    kinds = template.distributions
    rows = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": kinds[name].to_internal_repr(template.params[name]),
            "distribution_json": distribution_to_json(kinds[name]),
        }
        for name in names
    ]
    _write(connection, models.TrialParamModel, rows)


def _write_attributes(
    connection: Connection, kind: _Attributes, trial_id: int, attributes: Mapping[str, str]
) -> None:
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": value} for key, value in attributes.items()
    ]
    _write(connection, kind, rows)


def _write_values(connection: Connection, trial_id: int, template: FrozenTrial) -> None:
    rows = []
    for objective, given in enumerate(template.values or ()):
        value, kind = models.TrialValueModel.value_to_stored_repr(given)
        rows.append(
            {"trial_id": trial_id, "objective": objective, "value": value, "value_type": kind}
        )
    _write(connection, models.TrialValueModel, rows)


def _write(connection: Connection, model: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(model.__table__), rows)


def _utc(local: datetime | None) -> datetime | None:
    """Return a time as Optuna stores it: in UTC, without a zone."""
    return local.astimezone(UTC).replace(tzinfo=None) if local else None
