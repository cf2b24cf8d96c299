"""The study's ledger: every trial with its outcome, in Optuna's storage.

Only this module knows how a trial is stored. The objectives are (mIoU up, mean ms down), and the
target is a constraint. The whole result is stored as JSON in a user attribute, so a report needs
nothing else. Each trial has an `outcome`:

    complete     trained, quantised, scored
    refused      its latency cannot meet the target; a pruned trial that violates the constraint
    failed       it raised an error, stored as the reason
    duplicate    its architecture was tried before; samplers do not see it
    held         complete, but its latency is still to be measured
    interrupted  the process ended during the trial; its choices are tried again
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from jejunet_nas.errors import SettingError
from jejunet_nas.records import RefusedTrial, StudyHistory, TrialResult, to_json
from jejunet_nas.space.architecture import (
    Architecture,
    canonical_json,
)
from jejunet_nas.space.draw import choices_of
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.history import (
    ARCHITECTURE,
    ENDED,
    OUTCOME,
    REASON,
    RECORD,
    count_rows,
    damaged,
    read_history,
    read_records,
    stored_architecture,
)
from jejunet_nas.study.samplers import make_sampler
from jejunet_nas.study.settings import StudySettings, start_choices
from jejunet_nas.study.settings_errors import require_same

_IDENTITY = "identity"
_CONSTRAINT = "mean_ms_over_deadline"
_SQLITE = "sqlite:///"


def _storage(url: str) -> optuna.storages.RDBStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.storages.RDBStorage(url)
    except (SQLAlchemyError, ImportError) as reason:
        words = str(reason).splitlines()[0]
        raise SettingError(
            f"--storage is {url}, which cannot be opened ({words}). Use a database's URL, such as "
            "sqlite:///study.db."
        ) from None


def storage_url(folder: Path) -> str:
    """Return the URL of the SQLite storage in a study's folder."""
    return f"sqlite:///{folder / 'study.db'}"


def _study_names(storage: optuna.storages.BaseStorage, study: str) -> list[str]:
    try:
        return optuna.get_all_study_names(storage)
    except ValueError as reason:  # Optuna reads the JSON of every study
        raise damaged(study, str(reason)) from None


def optuna_study(name: str, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """Return the study of a name; create it if it is new."""
    if name in _study_names(storage, name):
        return optuna.load_study(study_name=name, storage=storage)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=["maximize", "minimize"],
        load_if_exists=True,  # another process may have just created it
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["mIoU", "mean ms a frame"])
    return study


class Ledger:
    """The trials of one study."""

    def __init__(self, settings: StudySettings, url: str) -> None:
        """Open the study named in `settings` in the storage at `url`; create it if it is new."""
        self.settings = settings
        self._storage = _storage(url)
        self._study = optuna_study(settings.name, self._storage)
        before = count_rows(self._storage, settings.name)
        self._study.sampler = make_sampler(settings, trials_before=before)
        if before == 0:
            for choices in start_choices(settings):
                self.propose(choices)

    @classmethod
    def find(cls, settings: StudySettings, url: str) -> "Ledger | None":
        """Return the ledger of a study that has begun, or None; create nothing.

        Raises `SettingError` if the trials were made with settings other than `settings`.
        """
        if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).is_file():
            return None
        if settings.name not in _study_names(_storage(url), settings.name):
            return None
        ledger = cls(settings, url)
        ledger.keep_identity(settings.identity())
        return ledger

    def keep_identity(self, identity: Mapping[str, Any]) -> None:
        """Store the settings that all trials share. Raises `SettingError` if stored ones differ."""
        kept = self._attributes().get(_IDENTITY)
        if kept is not None and not isinstance(kept, dict):
            raise damaged(self.settings.name, f"the identity is {kept}")
        if kept is not None:
            require_same(self.settings.name, kept, identity)
        both = {**(kept or {}), **identity}
        if both != kept:  # a reader must not write
            self._study.set_user_attr(_IDENTITY, both)

    def ask(self) -> optuna.Trial:
        """Return the next trial: a proposed one first, then the sampler's."""
        return self._study.ask()

    def propose(self, choices: dict[str, Choice]) -> None:
        """Try `choices` next; the sampler chooses the dimensions that they leave out."""
        self._study.enqueue_trial(dict(choices), skip_if_exists=False)

    def known(self) -> dict[str, int]:
        """Return the trial number of every architecture that needs no further trial."""
        return {
            trial.user_attrs[ARCHITECTURE]: trial.number
            for trial in self.trials()
            if ARCHITECTURE in trial.user_attrs and trial.user_attrs.get(OUTCOME) in ENDED
        }

    def begin(self, trial: optuna.Trial, architecture: Architecture) -> None:
        """Store the architecture that `trial` drew."""
        trial.set_user_attr(ARCHITECTURE, canonical_json(architecture))

    def hold(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Store the result of a `trial` whose latency is still to be measured."""
        trial.set_user_attr(RECORD, to_json(result))
        trial.set_user_attr(OUTCOME, "held")

    def complete(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Close `trial` with its result; samplers learn its present latency."""
        self.hold(trial, result)
        trial.set_constraint(_CONSTRAINT, result.latency.mean_ms - self.settings.deadline_ms)
        trial.set_user_attr(OUTCOME, "complete")
        self._study.tell(trial, [result.score.miou, result.latency.mean_ms])

    def refuse(self, trial: optuna.Trial, refused: RefusedTrial) -> None:
        """Close `trial` as too slow, without training; TPE learns by how much."""
        trial.set_constraint(_CONSTRAINT, refused.mean_ms - self.settings.deadline_ms)
        trial.set_user_attr(RECORD, to_json(refused))
        trial.set_user_attr(OUTCOME, "refused")
        self._study.tell(trial, state=TrialState.PRUNED)

    def drop(
        self, trial: optuna.Trial, outcome: Literal["failed", "duplicate"], reason: str
    ) -> None:
        """Close `trial` without a result."""
        trial.set_user_attr(REASON, reason)
        trial.set_user_attr(OUTCOME, outcome)
        self._study.tell(trial, state=TrialState.FAIL)

    def take_up_interrupted(
        self, measured: Callable[[TrialResult], TrialResult] = lambda result: result
    ) -> int:
        """Propose again the trials of a process that died; return their number.

        Trials that only waited for their measurement are closed with their results; `measured` adds
        measurements that were made since.
        """
        running = [trial for trial in self.trials() if trial.state == TrialState.RUNNING]
        held = [trial for trial in running if _is_held(trial)]
        results = read_records(TrialResult, [trial.user_attrs[RECORD] for trial in held])
        for trial, result in zip(held, results, strict=True):
            self.complete(optuna.Trial(self._study, trial._trial_id), measured(result))
        left = [trial for trial in running if trial not in held]
        for trial in left:
            if ARCHITECTURE in trial.user_attrs:
                text = trial.user_attrs[ARCHITECTURE]
                self.propose(choices_of(stored_architecture(text, self.settings.name)))
            elif "fixed_params" in trial.system_attrs:  # it ended before it was drawn
                self.propose(trial.system_attrs["fixed_params"])
            self._study._storage.set_trial_user_attr(trial._trial_id, OUTCOME, "interrupted")
            self._study.tell(trial.number, state=TrialState.FAIL)
        return len(left)

    def history(self) -> StudyHistory:
        """Return the results of all trials so far."""
        return read_history(self.settings, self._storage, self.class_names())

    def class_names(self) -> tuple[str, ...]:
        """Return the stored names of the classes."""
        names = self._attributes().get("class_names", ())
        if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
            raise damaged(self.settings.name, f"class_names is {names}")
        return tuple(names)

    def _attributes(self) -> dict[str, Any]:
        """Return what is stored for the whole study."""
        try:
            return self._study.user_attrs
        except ValueError as reason:  # Optuna reads JSON
            raise damaged(self.settings.name, str(reason)) from None

    def note_class_names(self, names: tuple[str, ...]) -> None:
        """Store the names of the classes."""
        if self.class_names() != names:
            self._study.set_user_attr("class_names", list(names))

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in Optuna's storage, in any state; do not change them."""
        try:
            return self._study.get_trials(deepcopy=False)
        except ValueError as reason:  # Optuna reads JSON
            raise damaged(self.settings.name, str(reason)) from None


def _is_held(trial: FrozenTrial) -> bool:
    """Return True if `trial` has its result but was not closed before the process died."""
    return RECORD in trial.user_attrs and trial.user_attrs.get(OUTCOME) in ("held", "complete")
