"""The runs of the search benchmark: one sampler, one seed, one wall-clock budget each.

Rows: `ours` is the search as studies/benchmark.yaml sets it up, the rows of `ABLATION` are ours
with some settings changed, and the rows of `PLAIN` are Optuna's own samplers over the plain trial:
train the drawn network from the start weights for all steps, convert it, score the drawn policy. A
network that the run has trained already is found again by its id, in every row.

Units: seconds since the run began; mIoU in [0, 1], latency in ms a frame.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import platform
import random
import time
import unittest.mock
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna

import jejunet_nas
from jejunet_nas.errors import TrialError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import NetworkRecord
from jejunet_nas.records.scores import Streamed
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.search.loop import search
from jejunet_nas.search.prepare import prepare
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import (
    Architecture,
    Network,
    Policy,
    architecture_from_dict,
)
from jejunet_nas.space.draw import policies_of
from jejunet_nas.space.search_space import SearchSpace
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.named import find_named
from jejunet_nas.study.prediction import predict_least
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.trial.run import make_network
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import find_network
from jejunet_nas.video.graphs import graph_files
from tests.benchmarks.plain_optuna import PLAIN, plain_study, suggest, tell

OURS = "ours"
SAMPLERS = (OURS, *PLAIN)
# What turns the study's settings into those of the plain trial.
PLAIN_TRIAL: Mapping[str, Any] = {"training.rungs": [], "last_round": {"seeds": 1}}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Ours with one mechanism changed: by settings, or with one drawn policy a network."""

    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    one_policy: bool = False


ABLATION: Mapping[str, Changed] = {
    "one policy a network": Changed(one_policy=True),
    "several budgets": Changed(settings={"training.rungs": [40]}),
    "random networks": Changed(settings={"sampler.name": "random"}),
    "NSGA-II networks": Changed(settings={"sampler.name": "nsga2"}),
}
RETRAINING_SEEDS = (1001, 1002)  # no run trains with these
MOST_FAILURES = 5  # in a row


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An architecture that a run has scored. end_s: when its score was known."""

    end_s: float
    miou: float
    mean_ms: float
    feasible: bool
    network_id: str
    architecture: dict[str, Any]  # as `dataclasses.asdict` has it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished run. code: a hash of the package's source."""

    row: str
    seed: int
    budget_s: float
    spent_s: float
    target_fps: float
    found: tuple[Found, ...]
    code: str
    machine: str

    @property
    def in_time(self) -> list[Found]:
        """What was known within the budget, in the order of time."""
        found = [each for each in self.found if each.end_s <= self.budget_s]
        return sorted(found, key=lambda each: each.end_s)

    @property
    def pick(self) -> Found | None:
        """The feasible architecture with the best mIoU that was known within the budget."""
        fit = [each for each in self.in_time if each.feasible]
        return max(fit, key=lambda each: (each.miou, -each.mean_ms), default=None)


def run_from_json(plain: Mapping[str, Any]) -> Run:
    """Return the run whose `dataclasses.asdict` was written as JSON."""
    found = tuple(Found(**each) for each in plain["found"])
    return Run(**{**plain, "found": found})


@functools.cache  # the name of every run holds its settings, and is asked for after each run
def settings_of(row: str, seed: int, study: Path, data_root: Path | None) -> StudySettings:
    """Return the settings of one row's runs: no start points, one seed for sampler and training."""
    ours = ABLATION[row].settings if row in ABLATION else {}
    changes = PLAIN_TRIAL if row in PLAIN else ours
    root = {"data.root": str(data_root)} if data_root else {}
    seeds = {"sampler.seed": seed, "training.seed": seed}
    return find_named(str(study), {"start_with": [], **changes, **seeds, **root}).settings


def run(row: str, settings: StudySettings, budget_s: float, folder: Path, view: View) -> Run:
    """Search for `budget_s` seconds in `folder`, which is empty, and return the run.

    The clock begins before anything is prepared.
    """
    began, began_s = datetime.now(), time.monotonic()
    if row in PLAIN:
        found = _plain(row, settings, budget_s, folder, view, began_s)
    else:
        with _one_policy(settings) if _draws_policies(row) else contextlib.nullcontext():
            found = _ours(settings, budget_s, folder, view, began)
    return Run(
        row=row,
        seed=settings.sampler.seed,
        budget_s=budget_s,
        spent_s=time.monotonic() - began_s,
        target_fps=settings.target_fps,
        found=tuple(found),
        code=code_hash(),
        machine=machine(),
    )


def _ours(
    settings: StudySettings, budget_s: float, folder: Path, view: View, began: datetime
) -> list[Found]:
    """Return the complete trials of a search, with the times at which they were completed."""
    history = search(settings, folder, view, seconds=budget_s)
    trials = Ledger(settings, storage_url(folder)).trials()
    ends = {trial.number: trial.datetime_complete for trial in trials}
    found = []
    for trial in history.complete:
        ended = ends[trial.number]
        assert ended is not None
        end_s = (ended - began).total_seconds()
        found.append(_found(end_s, trial.architecture, trial.network, trial.streamed, settings))
    return found


def _draws_policies(row: str) -> bool:
    return row in ABLATION and ABLATION[row].one_policy


@contextlib.contextmanager
def _one_policy(settings: StudySettings) -> Iterator[None]:
    """Let trials score one policy a network, drawn from those that can meet the target."""
    profile, draws = load_profile(settings.latency.device), random.Random(settings.sampler.seed)
    predict = functools.partial(
        predict_least,
        profile=profile,
        classes=len(settings.data.open_split("val").class_names),
        threads=settings.latency.threads,
        target_fps=settings.target_fps,
    )

    def drawn(space: SearchSpace, network: Network) -> list[Policy]:
        policies = policies_of(space, network)
        leasts = [predict(Architecture(network=network, policy=policy)) for policy in policies]
        over_ms = [over_target_ms(each, settings.feasible, settings.target_fps) for each in leasts]
        able = [policy for policy, ms in zip(policies, over_ms, strict=True) if ms <= 0]
        return [draws.choice(able or policies)]

    with unittest.mock.patch("jejunet_nas.trial.run.policies_of", drawn):
        yield


def _plain(
    name: str, settings: StudySettings, budget_s: float, folder: Path, view: View, began_s: float
) -> list[Found]:
    """Return every trial of a plain Optuna study; none starts after the budget."""
    setup = prepare(settings, folder, view.stage)
    study = plain_study(name, settings.sampler.seed)
    found: list[Found] = []
    failures = 0
    while time.monotonic() - began_s < budget_s:
        trial = study.ask()
        architecture = suggest(trial, settings.search_space)
        try:
            network, streamed = plain_trial(architecture, setup, view)
        except TrialError as error:
            view.say(f"{name}: trial {trial.number} failed: {error}")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            failures += 1
            if failures >= MOST_FAILURES:
                raise
            continue
        failures, end_s = 0, time.monotonic() - began_s
        found.append(_found(end_s, architecture, network, streamed, settings))
        over_ms = over_target_ms(streamed.latency, settings.feasible, settings.target_fps)
        tell(study, trial, miou=found[-1].miou, mean_ms=found[-1].mean_ms, over_ms=over_ms)
        view.say(f"{name}: trial {trial.number}, {100 * found[-1].miou:.1f} mIoU, {end_s:.0f} s")
    return found


def plain_trial(
    architecture: Architecture, setup: TrialSetup, view: View
) -> tuple[NetworkRecord, Streamed]:
    """Find or train the network of `architecture`; return it, and what the screen shows."""
    network = find_network(architecture.network, setup) or make_network(
        architecture.network, setup, view.stage
    )
    (streamed,) = Evaluation(setup.val, graph_files(network, setup.folder)).streams(
        [architecture.policy], network.latencies, target_fps=setup.target_fps
    )
    return network, streamed


def retrained_miou(pick: Found, settings: StudySettings, folder: Path, view: View) -> float:
    """Return the mIoU of `pick`, its network trained in `folder` as `settings` say."""
    setup = prepare(settings, folder, view.stage)
    _, streamed = plain_trial(architecture_from_dict(pick.architecture), setup, view)
    return streamed.score.miou


def _found(
    end_s: float,
    architecture: Architecture,
    network: NetworkRecord,
    streamed: Streamed,
    settings: StudySettings,
) -> Found:
    over_ms = over_target_ms(streamed.latency, settings.feasible, settings.target_fps)
    return Found(
        end_s=end_s,
        miou=streamed.score.miou,
        mean_ms=streamed.latency.mean_ms,
        feasible=over_ms <= 0,
        network_id=network.network_id,
        architecture=dataclasses.asdict(architecture),
    )


def code_hash() -> str:
    """Return a hash of the package's source: runs of one table should have one."""
    package = Path(jejunet_nas.__file__).parent
    files: Sequence[Path] = sorted(package.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def machine() -> str:
    """Return this machine in words: processor, cores, memory."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{names[0] if names else platform.machine()}, {cores} cores, {memory_gb:.0f} GB"
