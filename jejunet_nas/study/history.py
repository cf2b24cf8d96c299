"""The history of a study: the ledger's rows as records."""

import collections
import json
from collections.abc import Iterable
from typing import TypeVar

from optuna.storages import RDBStorage
from pydantic import ValidationError

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import FailedTrial, RefusedTrial, StudyHistory, TrialResult, from_json
from jejunet_nas.space.architecture import architecture_from_dict
from jejunet_nas.study.rows import (
    ARCHITECTURE,
    ENDED,
    OUTCOME,
    REASON,
    RECORD,
    TrialRow,
    read_rows,
    spent_s,
    without_search_for_cycles,
)
from jejunet_nas.study.settings import StudySettings

Record = TypeVar("Record")


def read_history(
    settings: StudySettings, storage: RDBStorage, class_names: tuple[str, ...]
) -> StudyHistory:
    """Return the results of all trials in `storage`, with latencies as the search stored them."""
    rows = read_rows(storage, settings.name)
    ended: dict[str, list[TrialRow]] = collections.defaultdict(list)
    for row in rows:
        ended[row.attributes.get(OUTCOME, "open")].append(row)
    return StudyHistory(
        study=settings.name,
        dataset=settings.data.dataset,
        class_names=class_names,
        target_fps=settings.target_fps,
        device=load_profile(settings.latency.device).device,
        latency_source="measured" if settings.latency.backend == "adb" else "predicted",
        threads=settings.latency.threads,
        complete=tuple(read_records(TrialResult, _records(ended["complete"]))),
        refused=tuple(read_records(RefusedTrial, _records(ended["refused"]))),
        failed=tuple(map(_failed, ended["failed"])),
        duplicates=len(ended["duplicate"]),
        spent_s=spent_s([row for name in ENDED for row in ended[name]], rows),
    )


def read_records(kind: type[Record], texts: Iterable[str]) -> list[Record]:
    """Return the records in JSON `texts`. Raises `SettingError` if their format is another."""
    try:
        with without_search_for_cycles():
            return [from_json(kind, text) for text in texts]
    except ValidationError:
        raise SettingError(
            "the study's trials were written by another version of jejunet_nas. Use that version, "
            "give the study another name, or remove its state folder."
        ) from None


def _records(rows: list[TrialRow]) -> list[str]:
    return [row.attributes[RECORD] for row in rows]


def _failed(row: TrialRow) -> FailedTrial:
    plain = row.attributes.get(ARCHITECTURE)
    return FailedTrial(
        number=row.number,
        architecture=architecture_from_dict(json.loads(plain)) if plain else None,
        reason=row.attributes[REASON],
    )
