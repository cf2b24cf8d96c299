"""The study's ledger: every trial with its outcome, in Optuna's storage.

The only place that knows how a trial is written down. Objectives are (mIoU up, mean ms down), the
target is a constraint, and the whole result stands beside them as JSON, so that a report needs
nothing else. What a trial came to is its `outcome`:

    complete     trained, quantised, scored
    refused      its latency cannot meet the target; a pruned trial that violates the constraint
    failed       it broke, with the reason
    duplicate    its architecture was known already; samplers do not see it
    held         complete but for its measured latency
    interrupted  the process ended in the middle; its choices are tried again
"""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import (
    FailedTrial,
    RefusedTrial,
    StudyHistory,
    TrialResult,
    from_json,
    to_json,
)
from jejunet_nas.space.architecture import (
    Architecture,
    Network,
    architecture_from_dict,
    canonical_json,
)
from jejunet_nas.space.draw import choices_of, network_choices
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.identity import require_same
from jejunet_nas.study.rows import (
    TrialRow,
    count_rows,
    read_rows,
    spent_s,
    without_search_for_cycles,
)
from jejunet_nas.study.samplers import make_sampler
from jejunet_nas.study.settings import StudySettings, start_choices

Outcome = Literal["complete", "refused", "failed", "duplicate", "held", "interrupted"]
_OUTCOME, _ARCHITECTURE, _RECORD, _REASON = "outcome", "architecture", "record", "reason"
_ENDED = ("complete", "refused", "failed")
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
            f"--storage is {url}, which does not open ({words}); allowed: a database's address, "
            "such as sqlite:///study.db. Check it."
        ) from None


def storage_url(folder: Path) -> str:
    """Return the address of the SQLite storage of a study's folder."""
    return f"sqlite:///{folder / 'study.db'}"


def optuna_study(name: str, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """Return the study of a name; create it if it is new."""
    if name in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=name, storage=storage)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=["maximize", "minimize"],
        load_if_exists=True,  # another process may have been quicker
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["mIoU", "mean ms a frame"])
    return study


class Ledger:
    """The trials of one study, past and to come."""

    def __init__(self, settings: StudySettings, url: str) -> None:
        """Open the study named in `settings` in the storage at `url`; make it where it is new."""
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
        """Return the ledger of a study that has begun, or None; nothing is made.

        Raises `SettingError` where the study was made with other settings than `settings`.
        """
        if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).is_file():
            return None
        if settings.name not in optuna.get_all_study_names(_storage(url)):
            return None
        ledger = cls(settings, url)
        ledger.keep_identity(settings.identity())
        return ledger

    def keep_identity(self, identity: Mapping[str, Any]) -> None:
        """Note what all trials share, or compare it. Raises `SettingError` where it differs."""
        kept = self._study.user_attrs.get(_IDENTITY)
        if kept is not None:
            require_same(self.settings.name, kept, identity)
        both = {**(kept or {}), **identity}
        if both != kept:  # who only reads writes nothing
            self._study.set_user_attr(_IDENTITY, both)

    def ask(self) -> optuna.Trial:
        """Return the next trial to be drawn: a proposed one first, then the sampler's."""
        return self._study.ask()

    def propose(self, choices: dict[str, Choice]) -> None:
        """Have `choices` tried next; dimensions they leave out are the sampler's to choose."""
        self._study.enqueue_trial(dict(choices), skip_if_exists=False)

    def propose_policy(self, network: Network) -> None:
        """Have `network` tried under one more policy."""
        self.propose(network_choices(network))

    def known(self) -> dict[str, int]:
        """Return the number of the trial of every architecture that needs no further trial."""
        return {
            trial.user_attrs[_ARCHITECTURE]: trial.number
            for trial in self.trials()
            if _ARCHITECTURE in trial.user_attrs and trial.user_attrs.get(_OUTCOME) in _ENDED
        }

    def begin(self, trial: optuna.Trial, architecture: Architecture) -> None:
        """Note what `trial` drew."""
        trial.set_user_attr(_ARCHITECTURE, canonical_json(architecture))

    def hold(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Keep the result of a `trial` that is complete but for its measured latency."""
        trial.set_user_attr(_RECORD, to_json(result))
        trial.set_user_attr(_OUTCOME, "held")

    def complete(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Close `trial` with its result; samplers learn from its latency as it is now."""
        self.hold(trial, result)
        trial.set_constraint(_CONSTRAINT, result.latency.mean_ms - self.settings.deadline_ms)
        trial.set_user_attr(_OUTCOME, "complete")
        self._study.tell(trial, [result.score.miou, result.latency.mean_ms])

    def refuse(self, trial: optuna.Trial, refused: RefusedTrial) -> None:
        """Close `trial` as too slow whatever its masks; TPE learns by how much."""
        trial.set_constraint(_CONSTRAINT, refused.mean_ms - self.settings.deadline_ms)
        trial.set_user_attr(_RECORD, to_json(refused))
        trial.set_user_attr(_OUTCOME, "refused")
        self._study.tell(trial, state=TrialState.PRUNED)

    def drop(
        self, trial: optuna.Trial, outcome: Literal["failed", "duplicate"], reason: str
    ) -> None:
        """Close `trial` without a result."""
        trial.set_user_attr(_REASON, reason)
        trial.set_user_attr(_OUTCOME, outcome)
        self._study.tell(trial, state=TrialState.FAIL)

    def take_up_interrupted(
        self, measured: Callable[[TrialResult], TrialResult] = lambda result: result
    ) -> int:
        """Have the trials that a dead process left behind tried again; return how many.

        Those that only waited for their measurement are closed with what they have: `measured`
        adds what was measured in the meantime.
        """
        running = [trial for trial in self.trials() if trial.state == TrialState.RUNNING]
        held = [trial for trial in running if _is_held(trial)]
        results = _read(TrialResult, [trial.user_attrs for trial in held])
        for trial, result in zip(held, results, strict=True):
            self.complete(optuna.Trial(self._study, trial._trial_id), measured(result))
        left = [trial for trial in running if trial not in held]
        for trial in left:
            if _ARCHITECTURE in trial.user_attrs:
                plain = json.loads(trial.user_attrs[_ARCHITECTURE])
                self.propose(choices_of(architecture_from_dict(plain)))
            elif "fixed_params" in trial.system_attrs:  # proposed, and ended before it was drawn
                self.propose(trial.system_attrs["fixed_params"])
            self._study._storage.set_trial_user_attr(trial._trial_id, _OUTCOME, "interrupted")
            self._study.tell(trial.number, state=TrialState.FAIL)
        return len(left)

    def history(self) -> StudyHistory:
        """Return all that has been found so far."""
        settings = self.settings
        rows = read_rows(self._storage, settings.name)
        by_outcome: dict[str, list[TrialRow]] = {}
        for row in rows:
            by_outcome.setdefault(row.attributes.get(_OUTCOME, "open"), []).append(row)
        return StudyHistory(
            study=settings.name,
            dataset=settings.data.dataset,
            class_names=self.class_names(),
            target_fps=settings.target_fps,
            device=load_profile(settings.latency.device).device,
            latency_source="measured" if settings.latency.backend == "adb" else "predicted",
            threads=settings.latency.threads,
            complete=tuple(_read(TrialResult, _noted(by_outcome.get("complete", [])))),
            refused=tuple(_read(RefusedTrial, _noted(by_outcome.get("refused", [])))),
            failed=tuple(map(_failed, by_outcome.get("failed", []))),
            duplicates=len(by_outcome.get("duplicate", [])),
            spent_s=spent_s([row for name in _ENDED for row in by_outcome.get(name, [])], rows),
        )

    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, as they were noted."""
        return tuple(self._study.user_attrs.get("class_names", ()))

    def note_class_names(self, names: tuple[str, ...]) -> None:
        """Keep the names of the classes with the study."""
        if self.class_names() != names:
            self._study.set_user_attr("class_names", list(names))

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in Optuna's storage, in whatever state; they must not be changed."""
        return self._study.get_trials(deepcopy=False)


def require_ledger(settings: StudySettings, folder: Path, url: str | None) -> Ledger:
    """Return the ledger of a study that was searched, its state in `folder`.

    Raises `SettingError` where it was not.
    """
    ledger = Ledger.find(settings, url or storage_url(folder))
    if ledger is None:
        raise SettingError(
            f"{settings.name} has no trials yet; allowed: a study that was searched. Run "
            f"`jejunet-nas search {settings.name}` first."
        )
    return ledger


def _noted(rows: list[TrialRow]) -> list[Mapping[str, str]]:
    return [row.attributes for row in rows]


def _read(kind: type[Any], noted: list[Mapping[str, str]]) -> list[Any]:
    try:
        with without_search_for_cycles():
            return [from_json(kind, attributes[_RECORD]) for attributes in noted]
    except ValidationError:
        raise SettingError(
            "the study's trials were written by another version of jejunet_nas; allowed: this "
            "version's. Use another name for the study, or remove its state."
        ) from None


def _is_held(trial: FrozenTrial) -> bool:
    """Return whether `trial` has its result, of which the process died before it was closed."""
    return _RECORD in trial.user_attrs and trial.user_attrs.get(_OUTCOME) in ("held", "complete")


def _failed(row: TrialRow) -> FailedTrial:
    plain = row.attributes.get(_ARCHITECTURE)
    return FailedTrial(
        number=row.number,
        architecture=architecture_from_dict(json.loads(plain)) if plain else None,
        reason=row.attributes[_REASON],
    )
