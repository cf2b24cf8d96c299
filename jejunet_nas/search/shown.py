"""A study as a dashboard shows it: its storage, with more laid over what is read.

A trial that has ended cannot be changed in Optuna's storage, and a search may be at work on it. So
nothing is written: `ShownStorage` adds what is to be shown besides when it is read.

- Notes, figures and pictures of each trial. A note that a person edits in the dashboard is kept in
  the storage, and stays.
- Latencies as they count now: measured ones in the place of predictions, as in the report.
- Constraints as optuna-dashboard 0.21 reads them, a list under `constraints` (`_serializer.py`,
  `CONSTRAINTS_KEY`); Optuna 5 keeps one number each under `constraints:NAME`.
"""

import copy
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Container, Mapping
from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

_FRESH_S = 2.0  # how long what was read of a study is shown; the dashboard asks as often
_CONSTRAINTS = "constraints"
_LONG = ("record", "architecture")  # user attributes of the ledger that say nothing to people


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A PNG in the folder of artifacts, under `name` in hexadecimal digits; `title` for people."""

    name: str
    title: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of a study beyond its storage; mappings are by the numbers of trials.

    notes: Markdown. figures: attributes, each a column. values: mIoU and ms a frame, as they count
    now. over_ms: how far a trial's latency is over the deadline; feasible is 0 or less. pictures:
    of trials; study_pictures: of the whole.
    """

    note: str
    notes: Mapping[int, str]
    figures: Mapping[int, Mapping[str, float | str]]
    values: Mapping[int, tuple[float, float]]
    over_ms: Mapping[int, float]
    pictures: Mapping[int, tuple[Picture, ...]]
    study_pictures: tuple[Picture, ...]


class ShownStorage(_CachedStorage):
    """A storage of which one study is read as `look` shows it."""

    def __init__(self, url: str, study: str, look: Callable[[], Shown]) -> None:
        super().__init__(RDBStorage(url))
        self._study_id = self.get_study_id_from_name(study)
        self._look = _kept_for(_FRESH_S, look)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study, as they are shown."""
        trials = super().get_all_trials(study_id, deepcopy=deepcopy, states=states)
        shown = self._look() if study_id == self._study_id else None
        return [_as_shown(trial, shown) for trial in trials]

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the attributes of a study in which the dashboard finds notes and artifacts."""
        kept = super().get_study_system_attrs(study_id)
        return kept | self._added(kept) if study_id == self._study_id else kept

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies, with these attributes."""
        studies = super().get_all_studies()
        for study in studies:
            if study._study_id == self._study_id:
                study.system_attrs = study.system_attrs | self._added(study.system_attrs)
        return studies

    def _added(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return notes where nobody wrote one, and the pictures; keys are optuna-dashboard's."""
        shown = self._look()
        trials = super().get_all_trials(self._study_id, deepcopy=False)
        ids = {trial.number: trial._trial_id for trial in trials}
        added: dict[str, Any] = {}
        notes = [("dashboard:", shown.note)]
        notes += [(f"dashboard:{ids[n]}:", text) for n, text in shown.notes.items() if n in ids]
        for prefix, text in notes:
            if f"{prefix}note_ver" not in kept:
                added |= {f"{prefix}note_ver": 0, f"{prefix}note_str:0": text}
        for picture in shown.study_pictures:
            added[f"artifacts:{picture.name}"] = _artifact(picture)
        for number, pictures in shown.pictures.items():
            for picture in pictures:
                if number in ids:
                    added[f"dashboard:artifacts:{ids[number]}:{picture.name}"] = _artifact(picture)
        return added


def _as_shown(trial: FrozenTrial, shown: Shown | None) -> FrozenTrial:
    found = copy.copy(trial)  # of the storage's own, which is read again
    over = list(trial.constraints.values())
    attrs = trial.user_attrs
    if shown is not None:
        if trial.number in shown.over_ms:
            over = [shown.over_ms[trial.number]]
        if trial.number in shown.values and trial.state == TrialState.COMPLETE:
            found.values = list(shown.values[trial.number])
        attrs = {name: value for name, value in attrs.items() if name not in _LONG}
        attrs |= shown.figures.get(trial.number, {})
    kept = {k: v for k, v in trial.system_attrs.items() if not k.startswith(f"{_CONSTRAINTS}:")}
    found.system_attrs = kept | ({_CONSTRAINTS: over} if over else {})
    found.user_attrs = attrs
    return found


def _artifact(picture: Picture) -> str:
    return json.dumps(
        {
            "artifact_id": picture.name,
            "filename": picture.title,
            "mimetype": "image/png",
            "encoding": None,
        }
    )


def _kept_for(seconds: float, look: Callable[[], Shown]) -> Callable[[], Shown]:
    """Return `look`, called again only where what it returned is older than `seconds`.

    Of a study of thousands of trials it is kept longer, so that looking takes a fifth of the time
    at most.
    """
    lock = threading.Lock()
    found: list[tuple[float, Shown]] = []  # until when it is fresh

    def latest() -> Shown:
        with lock:
            began = time.monotonic()
            if not found or began > found[-1][0]:
                shown = look()
                now = time.monotonic()
                found[:] = [(now + max(seconds, 4 * (now - began)), shown)]
            return found[-1][1]

    return latest
