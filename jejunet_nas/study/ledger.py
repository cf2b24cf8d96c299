"""The study's ledger: every trial with its outcome, in Optuna's storage.

`study.templates` says what a trial stores, `study.trial_rows` writes it. The objectives are
(streaming mIoU up, mean ms down), and the target is a constraint. The whole result is stored as
JSON in a user attribute, so a report needs nothing else. Each trial has an `outcome`:

    complete     trained, quantised, scored; trials of a network's further policies have `added`
    refused      its latency cannot meet the target; a pruned trial that violates the constraint
    failed       it raised an error, stored as the reason
    duplicate    its network was tried before
    held         scored, but its latency is still to be measured, or its round has not ended
    interrupted  the process ended during the trial; its choices are tried again, once
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.progress import Say
from jejunet_nas.records import DataFacts, RefusedTrial, StudyHistory, TrialResult, to_json
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study import templates
from jejunet_nas.study.history import (
    ARCHITECTURE,
    BEGUN,
    IDENTITY,
    count_rows,
    is_begun,
    read_history,
)
from jejunet_nas.study.jobs import Jobs
from jejunet_nas.study.kept_data import CLASS_NAMES, DATA
from jejunet_nas.study.samplers import make_sampler
from jejunet_nas.study.settings import StudySettings, start_choices
from jejunet_nas.study.settings_errors import require_same
from jejunet_nas.study.storage import (
    has_study,
    open_storage,
    optuna_study,
    readable,
    to_standard_error,
)
from jejunet_nas.study.templates import Dropped
from jejunet_nas.study.trial_rows import insert_trial, update_trial

STOPPED = "stopped"  # a trial's attribute: see `note_stopped`


class Ledger:
    """The trials of one study."""

    def __init__(
        self,
        settings: StudySettings,
        url: str,
        say: Say = to_standard_error,
        *,
        storage: RDBStorage | None = None,
    ) -> None:
        """Open the study named in `settings` in the storage at `url`; create it if it is new.

        A study whose creation was interrupted is created again. say: see `open_storage`, which
        returns `storage`.
        """
        self.settings = settings
        self._url, self.say = url, say
        self._storage = storage or open_storage(url, say)
        begun = is_begun(self._storage, settings.name)
        with readable(url):
            if not begun and settings.name in optuna.get_all_study_names(self._storage):
                optuna.delete_study(study_name=settings.name, storage=self._storage)
            self._study = optuna_study(settings.name, self._storage)
        before = count_rows(self._storage, settings.name)
        self._study.sampler = make_sampler(settings, trials_before=before)
        if not begun:
            for choices in start_choices(settings):
                self.propose(choices)

    @classmethod
    def find(
        cls, settings: StudySettings, url: str, say: Say = to_standard_error
    ) -> "Ledger | None":
        """Return the ledger of a study that has begun, or None; write nothing.

        Raises `SettingError` if the trials were made with settings other than `settings`.
        """
        if not has_study(url, settings.name, say):
            return None
        storage = open_storage(url, say)
        if not is_begun(storage, settings.name):
            return None
        ledger = cls(settings, url, say, storage=storage)
        if kept := ledger.identity():
            require_same(settings.name, kept, settings.identity())
        return ledger

    def identity(self) -> dict[str, Any] | None:
        """Return what all trials share, or None before it is stored."""
        kept = self.attributes().get(IDENTITY)
        with readable(self._url):
            if kept is not None and not isinstance(kept, dict):
                raise ValueError(f"the identity is {kept}")
        return kept

    def close(self) -> None:
        """Close the connections to the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def jobs(self) -> Jobs:
        """Return the jobs of the study's workers."""
        return Jobs(self._storage.engine, self.settings.name)

    def attributes(self) -> Mapping[str, Any]:
        """Return what the study keeps beside its trials, see `study.kept_data`."""
        with readable(self._url):
            return self._study.user_attrs

    def keep_identity(self, identity: Mapping[str, Any]) -> None:
        """Store what all trials share, once all else of a new study is stored.

        Raises `SettingError` if the stored values differ.
        """
        kept = self.identity()
        both = {**identity, **(kept or {})}
        if kept is not None:
            # Without a trial, nothing was made with values that are missing.
            any_trial = count_rows(self._storage, self.settings.name, *BEGUN) > 0
            shared = identity if any_trial else {k: v for k, v in identity.items() if k in kept}
            require_same(self.settings.name, kept, shared)
        if both != kept:
            self._study.set_user_attr(IDENTITY, both)

    def has_proposal(self) -> bool:
        """Whether a proposed trial waits."""
        return count_rows(self._storage, self.settings.name, TrialState.WAITING) > 0

    def ask(self) -> optuna.Trial:
        """Return the next trial: a proposed one first, then one drawn at random."""
        return self._study.ask()

    def propose(self, choices: dict[str, Choice]) -> None:
        """Try `choices` next; the sampler chooses the dimensions that they leave out."""
        self._study.enqueue_trial(dict(choices), skip_if_exists=False)

    def begin(self, trial: optuna.Trial, architecture: Architecture) -> None:
        """Store the network that `trial` drew, with a policy until the best is known."""
        trial.set_user_attr(ARCHITECTURE, canonical_json(architecture))

    def open(self, template: FrozenTrial) -> optuna.Trial:
        """Store a running trial as `template` has it, which Optuna did not draw; return it."""
        trial_id, _ = insert_trial(self._storage.engine, self._study._study_id, template)
        return optuna.Trial(self._study, trial_id)

    def add(self, template: FrozenTrial) -> int:
        """Store a trial that has ended as `template` says; return its number."""
        return insert_trial(self._storage.engine, self._study._study_id, template)[1]

    def reopen(self, trial: FrozenTrial) -> optuna.Trial:
        """Return `trial`, which still runs, so that it can be closed."""
        return optuna.Trial(self._study, trial._trial_id)

    def hold(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Store the result of a `trial` whose latency is still to be measured."""
        self._update(trial, templates.held(self.settings, result))

    def complete(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Close `trial` with its result, under the policy that was chosen after it was drawn."""
        self._update(trial, templates.completed(self.settings, result))

    def refuse(self, trial: optuna.Trial, refused: RefusedTrial) -> None:
        """Close `trial` as too slow, without training."""
        self._update(trial, templates.refused(self.settings, refused))

    def drop(self, trial: optuna.Trial, outcome: Dropped, reason: str | None = None) -> None:
        """Close `trial` without a result."""
        self._update(trial, templates.dropped(outcome, reason))

    def _update(self, trial: optuna.Trial, template: FrozenTrial) -> None:
        update_trial(self._storage.engine, trial._trial_id, template)

    def note_stopped(self, trial: optuna.Trial) -> None:
        """Store that the user or a fault of this machine ended `trial`, not its architecture."""
        trial.set_user_attr(STOPPED, True)

    def history(self) -> StudyHistory:
        """Return the results of all trials so far."""
        with readable(self._url):
            return read_history(self.settings, self._storage, self._study.user_attrs)

    def note_class_names(self, names: tuple[str, ...]) -> None:
        """Store the names of the classes."""
        self.note(CLASS_NAMES, list(names))

    def note_data(self, facts: DataFacts) -> None:
        """Store what is known about the data."""
        self.note(DATA, to_json(facts))

    def note(self, key: str, value: Any) -> None:
        """Store an attribute of the study."""
        if self.noted(key) != value:
            self._study.set_user_attr(key, value)

    def noted(self, key: str) -> Any:
        """Return an attribute of the study, or None."""
        return self.attributes().get(key)

    def readable(self) -> AbstractContextManager[None]:
        """Return a context in which a damaged row raises an error that names the storage."""
        return readable(self._url)

    def count(self) -> int:
        """Return the number of trials, in any state."""
        return count_rows(self._storage, self.settings.name)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in Optuna's storage, in any state; do not change them."""
        with readable(self._url):
            return self._study.get_trials(deepcopy=False)
