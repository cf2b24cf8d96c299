"""Our search over the recorded table: its own candidates, sampler and ledger; the table answers.

The study is in memory. A step is one drawn network that is worth training. As in `search.loop`, its
best policy at the target becomes the drawn trial, and the other non-dominated ones are added.
"""

import dataclasses
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from jejunet_nas.evaluation.exhaustive import told_apart
from jejunet_nas.records import TrialResult, as_added
from jejunet_nas.records.scores import Score
from jejunet_nas.search.candidates import Candidates
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.study.adding import complete_added
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.samplers import make_sampler
from jejunet_nas.study.settings import StudySettings
from tests.benchmarks.recorded_table import Place, RecordedTable
from tests.made_up import on_screen
from tests.search.build import QuietView, result

Drawn = tuple[optuna.Trial, Architecture]


class MemoryLedger(Ledger):
    """The ledger of a new study in memory, a hundred times as fast as a database."""

    def __init__(self, settings: StudySettings) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.settings, self.say = settings, print
        self._url = "memory"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                directions=["maximize", "minimize"],
                sampler=make_sampler(settings, trials_before=0),
            )
        self._storage = self._study._storage  # type: ignore[assignment]

    def count(self) -> int:
        """Return the number of trials."""
        return len(self.trials())

    def has_proposal(self) -> bool:
        """Whether a proposed trial waits."""
        return any(trial.state == TrialState.WAITING for trial in self.trials())

    def open(self, template: FrozenTrial) -> optuna.Trial:
        """Store a running trial and return it."""
        trial_id = self._storage.create_new_trial(self._study._study_id, template)
        return optuna.Trial(self._study, trial_id)

    def add(self, template: FrozenTrial) -> int:
        """Store a trial that has ended; return its number."""
        self._study.add_trial(template)
        return self.count() - 1

    def _update(self, trial: optuna.Trial, template: FrozenTrial) -> None:
        trial_id, storage = trial._trial_id, self._storage
        for name in template.params.keys() - trial.params.keys():
            kind = template.distributions[name]
            value = kind.to_internal_repr(template.params[name])
            storage.set_trial_param(trial_id, name, value, kind)
        for key, value in template.user_attrs.items():
            storage.set_trial_user_attr(trial_id, key, value)
        for key, value in template.system_attrs.items():
            storage.set_trial_system_attr(trial_id, key, value)
        storage.set_trial_state_values(trial_id, template.state, template.values)


class ReplayedSearch:
    """Draws networks as `search.run` does; those that it is told of are answered by the table."""

    def __init__(self, table: RecordedTable, settings: StudySettings, training: int) -> None:
        self._table, self._answers = table, _Answers(table, training)
        self._ledger = MemoryLedger(settings)
        classes = int(table.about["classes"])
        self._candidates = Candidates(self._ledger, QuietView(), classes=classes, refused=0)
        self._complete: list[TrialResult] = []

    @property
    def exhausted(self) -> bool:
        """Whether there is no network left to draw."""
        return self._candidates.exhausted

    def draw(self) -> Drawn | None:
        """Draw a network; None if it is not worth training."""
        return self._candidates.draw(self._complete)

    def finish(self, drawn: Drawn) -> list[Place]:
        """Learn what a drawn network scores; return the places that it adds to the study."""
        trial, architecture = drawn
        best, *others = self._answers.results(trial.number, architecture)
        for other in others:
            complete_added(self._ledger, other)
        self._ledger.complete(trial, best)
        self._complete += [best, *others]
        places = self._table.places
        return [places[canonical_json(each.architecture)] for each in (best, *others)]


def our_steps(
    table: RecordedTable, settings: StudySettings, training: int
) -> Iterator[list[Place]]:
    """Yield the places that each trained network adds to the study, as one training scores them."""
    search = ReplayedSearch(table, settings, training)
    while not search.exhausted:
        if drawn := search.draw():
            yield search.finish(drawn)


@dataclasses.dataclass(frozen=True, slots=True)
class _Answers:
    """What one training of each network of the table scores."""

    table: RecordedTable
    training: int

    def results(self, number: int, drawn: Architecture) -> list[TrialResult]:
        """Return what `trial.run.run_trial` does of the drawn network: the best policy first."""
        table = self.table
        network, _ = table.places[canonical_json(drawn)]
        places = [(network, policy) for policy in range(len(table.policies))]
        able = [each for each in places if table.over_ms[(*each, self.training)] <= 0]
        if not able:
            nearest = min(places, key=lambda each: table.over_ms[(*each, self.training)])
            return [self._result(number, nearest)]
        scored: Any = {table.policies[place[1]]: self._figures(place) for place in able}
        places = [(network, table.policies.index(policy)) for policy in told_apart(scored)]
        best, *others = (self._result(number, place) for place in places)
        return [best, *(as_added(each) for each in others)]

    def _figures(self, place: Place) -> SimpleNamespace:
        """Return as much of a `Streamed` as `told_apart` reads."""
        at = (*place, self.training)
        miou, mean_ms = float(self.table.miou[at]), float(self.table.mean_ms[at])
        return SimpleNamespace(
            score=SimpleNamespace(miou=miou), latency=SimpleNamespace(mean_ms=mean_ms)
        )

    def _result(self, number: int, place: Place) -> TrialResult:
        network, policy = self.table.networks[place[0]], self.table.policies[place[1]]
        miou = float(self.table.miou[(*place, self.training)])
        made = result(number, Architecture(network=network, policy=policy))
        return on_screen(
            made,
            latency=self.table.latency(*place, self.training),
            score=Score(miou=miou, class_iou=(miou,), clips=()),
        )
