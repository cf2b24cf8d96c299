"""Ray: the work of a search as tasks of a Ray cluster, which places them and retries lost ones.

Every node needs this package, the study's data at the same path, and a common place for networks:
`--store`, or the study's folder on a network drive.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from jejunet_nas.records import from_json, to_json
from jejunet_nas.records.words import network_words
from jejunet_nas.search.crew import fetch_outcome
from jejunet_nas.search.ray_cluster import fault_in
from jejunet_nas.search.view import View
from jejunet_nas.search.work import Outcome, Work, attempt
from jejunet_nas.search.worker import Post, post_of, set_up
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.training.provenance import use_threads
from jejunet_nas.trial.setup import TrialSetup

RETRIES = 3  # of a task whose process or node died; then its network counts as failed
LOOK_S = 1.0
_setups: dict[tuple[str, str], TrialSetup] = {}  # of a node's process, which does many works


class RayWorkers:
    """Does work in tasks of a Ray cluster."""

    alone, upcoming = False, None

    def __init__(
        self,
        ray: Any,
        check: Callable[[], None],
        post: Post,
        view: View,
        workers: int | None,
        setup: TrialSetup,
        ledger: Ledger,
    ) -> None:
        """Begin no task yet. ray: the cluster, see `ray_cluster`. check: as of `crew.Workers`.

        workers: tasks at once, each with its share of all CPUs; None: one for each CPU. A GPU that
        the cluster has is one task's.
        """
        self._ray, self._check, self._setup, self._view = ray, check, setup, view
        have = self._ray.cluster_resources()
        cpus = max(int(have.get("CPU", 1)), 1)
        self._workers = workers or cpus
        largest = max((_cpus_of(each) for each in ray.nodes() if each["Alive"]), default=1)
        self._cpus = max(min(cpus // self._workers, largest), 1)  # a task runs on one node
        self._task = self._ray.remote(
            num_cpus=self._cpus,
            num_gpus=1 if have.get("GPU") else 0,
            max_retries=RETRIES,
        )(do)
        # A node's processes do not work where this one does.
        post = dataclasses.replace(post_of(post, ledger), folder=post.folder.absolute())
        self._post = self._ray.put(post)
        self._works: dict[Any, Work] = {}

    @property
    def slots(self) -> int:
        """Tasks that the cluster runs at once; nodes may join it, and leave."""
        cpus = int(self._ray.cluster_resources().get("CPU", 1))
        return max(min(cpus // self._cpus, self._workers), 1)

    def submit(self, work: Work) -> None:
        """Let the cluster do `work` as soon as it has the CPUs."""
        self._works[self._task.remote(self._post, to_json(work), self._cpus)] = work

    def wait(self) -> tuple[Work, Outcome]:
        """Return the next work that has ended. Raises what ends the search."""
        while True:
            self._check()
            done, _ = self._ray.wait([*self._works], num_returns=1, timeout=LOOK_S)
            self._view.workers([network_words(work.network) for work in self._works.values()])
            if done:
                work = self._works.pop(done[0])
                outcome = self._outcome(done[0])
                fetch_outcome(outcome, self._setup)
                return work, outcome

    def close(self) -> None:
        """Cancel what is left."""
        for task in self._works:
            self._ray.cancel(task, force=True)

    def _outcome(self, task: Any) -> Outcome:
        errors = self._ray.exceptions
        try:
            return from_json(Outcome, self._ray.get(task))
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            return Outcome(failure=f"ended its process {RETRIES + 1} times: {type(error).__name__}")
        except errors.RayTaskError as error:
            raise fault_in(error) from None


def _cpus_of(node: Any) -> int:
    return int(node["Resources"].get("CPU", 0))


def do(post: Post, work: str, cpus: int) -> str:
    """Do `work` in this process of a node; return the outcome. Both are JSON."""
    key = post.settings.name, post.url
    if key not in _setups:
        use_threads(cpus)
        _setups[key] = set_up(post, lambda *_: None)
    return to_json(attempt(from_json(Work, work), _setups[key], lambda *_: None))
