"""Work: what is trained and scored for a search, by this process or by a worker.

Work is known by what decides its result, not by a trial's number: a search that takes over from one
that died waits for work that is still under way, and begins none of it twice.
"""

import dataclasses
import traceback
from collections import deque
from typing import Protocol

from jejunet_nas.errors import JejunetError, TrialError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.faults import fault_of
from jejunet_nas.progress import Tell
from jejunet_nas.records import TrialResult
from jejunet_nas.records.scores import Streamed
from jejunet_nas.space.architecture import Network
from jejunet_nas.trial.run import make_network, run_trial
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import find_network
from jejunet_nas.video.graphs import graph_files


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A network to train to `rung` and to score.

    again: the trial whose network is trained once more with `seed`; None: with the study's seed,
    and all policies are scored.
    """

    network: Network
    rung: int
    seed: int | None = None
    again: TrialResult | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How work ended.

    results: of all policies, the drawn trial's first. network_id, streamed: of another training.
    failure: why there is neither.
    """

    results: tuple[TrialResult, ...] = ()
    network_id: str | None = None
    streamed: Streamed | None = None
    failure: str | None = None


class Executor(Protocol):
    """Does the work of a search."""

    @property
    def slots(self) -> int:
        """How many works are done at once."""

    @property
    def alone(self) -> bool:
        """Whether works are done one after the other in this process."""

    @property
    def upcoming(self) -> Work | None:
        """What `wait` does in this process; None where other processes do the work."""

    def submit(self, work: Work) -> None:
        """Begin `work` as soon as a slot is free, in the order of the calls."""

    def wait(self) -> tuple[Work, Outcome]:
        """Return work that has ended, and how."""

    def close(self) -> None:
        """Forget what was not begun, at the end of a search."""


class InThisProcess:
    """Does one work after the other, in `wait`; raises errors of the user and of the machine."""

    slots, alone = 1, True

    def __init__(self, setup: TrialSetup, tell: Tell) -> None:
        self._setup, self._tell = setup, tell
        self._queue = deque[Work]()

    @property
    def upcoming(self) -> Work | None:
        """What the next `wait` does."""
        return self._queue[0] if self._queue else None

    def submit(self, work: Work) -> None:
        """Do `work` after all that was submitted before."""
        self._queue.append(work)

    def wait(self) -> tuple[Work, Outcome]:
        """Do the next work."""
        work = self._queue.popleft()
        return work, attempt(work, self._setup, self._tell)

    def close(self) -> None:
        """Forget what was not begun."""
        self._queue.clear()


def attempt(work: Work, setup: TrialSetup, tell: Tell) -> Outcome:
    """Do `work`; one network's bug is an outcome, since it must not end a long search.

    Errors of the user and of the machine are raised.
    """
    try:
        return _perform(work, setup, tell)
    except Exception as error:
        fault = fault_of(error)
        if fault is not None and not isinstance(fault, TrialError):
            raise
        traceback.print_exc()
        return Outcome(failure=str(error) if isinstance(error, JejunetError) else repr(error))


def _perform(work: Work, setup: TrialSetup, tell: Tell) -> Outcome:
    if work.again is None or work.seed is None:
        results = run_trial(0, work.network, setup.at_rung(work.rung), tell)
        return Outcome(results=tuple(results))
    network_id, streamed = train_again(work.again, setup.with_seed(work.seed), tell)
    return Outcome(network_id=network_id, streamed=streamed)


def train_again(trial: TrialResult, setup: TrialSetup, tell: Tell) -> tuple[str, Streamed]:
    """Find or make the network of `trial` with the seed of `setup`.

    Returns its id, and what the screen shows under the trial's policy with the trial's latencies:
    they depend on the network, not on its weights.
    """
    network = trial.architecture.network
    record = find_network(network, setup) or make_network(network, setup, tell)
    evaluation = Evaluation(setup.val, graph_files(record, setup.folder))
    (streamed,) = evaluation.streams(
        [trial.architecture.policy], trial.graph_latencies, target_fps=setup.target_fps, tell=tell
    )
    return record.network_id, streamed
