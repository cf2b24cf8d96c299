"""Our search over the recorded table: its own sampler draws networks, the table answers.

The study is in memory. A step is one drawn network; the search learns its best policy at the target
as the drawn trial, as `search.loop` does.
"""

import warnings
from collections.abc import Iterator

import optuna

from jejunet_nas.space.draw import draw
from jejunet_nas.study.samplers import chooser, make_sampler
from jejunet_nas.study.settings import StudySettings
from tests.benchmarks.recorded_table import Place, RecordedTable

MOST_REJECTED = 300


def our_steps(
    table: RecordedTable, settings: StudySettings, training: int
) -> Iterator[list[Place]]:
    """Yield the places of each drawn network: all its policies, which one training scores."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = make_sampler(settings, trials_before=0)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    known: set[int] = set()
    rejected = 0
    while rejected < MOST_REJECTED:
        trial = study.ask()
        network = table.networks.index(draw(settings.search_space, chooser(trial)).network)
        places = [(network, policy) for policy in range(len(table.policies))]
        if network in known:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            rejected += 1
            continue
        rejected = 0
        known.add(network)
        front = table.front(places, training)
        best = front[0] if front else min(places, key=lambda each: table.over_ms[(*each, training)])
        at = (*best, training)
        trial.set_constraint("ms_over_target", float(table.over_ms[at]))
        study.tell(trial, [float(table.miou[at]), float(table.mean_ms[at])])
        yield places
