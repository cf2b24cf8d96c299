"""The table of the recorded benchmark: every network of a space, each trained with several seeds.

`record_search` trains the networks and writes the table, `replay` runs samplers over it. Every
policy of every training has its streaming mIoU and its latency, so no sampler asks for a figure
that is missing.

Units: mIoU in [0, 1], latency in ms a frame, times of training in seconds.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.files import write_whole
from jejunet_nas.records import FeasibleRule, StreamLatency
from jejunet_nas.scoring.front import Point, hypervolume, pareto_front, reference_point
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.space.architecture import Architecture, Network, Policy, canonical_json
from jejunet_nas.space.draw import draw_network, policies_of
from jejunet_nas.space.search_space import Choice, SearchSpace

STUDY = Path(__file__).parents[2] / "studies" / "benchmark.yaml"
TABLE = STUDY.parents[1] / "reports" / "search_benchmark" / "recorded.npz"
FIGURES = ("miou", "mean_ms", "worst_ms", "dropped")
Place = tuple[int, int]  # a network and a policy, as their numbers in the table
Array = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecordedTable:
    """All figures of all trainings.

    train_s, stages_s: [network, training], the seconds of training and of all stages. miou,
    mean_ms, worst_ms, dropped: [network, policy, training], on the screen; `dropped` is the share
    of dropped frames. about: how the table was made, with the target of its streams.
    """

    networks: tuple[Network, ...]
    policies: tuple[Policy, ...]
    train_s: Array
    stages_s: Array
    miou: Array
    mean_ms: Array
    worst_ms: Array
    dropped: Array
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        trainings = self.train_s.shape[1]
        shapes = {name: getattr(self, name).shape for name in FIGURES}
        assert self.train_s.shape == self.stages_s.shape == (len(self.networks), trainings)
        assert set(shapes.values()) == {(len(self.networks), len(self.policies), trainings)}, shapes
        assert all(np.isfinite(getattr(self, name)).all() for name in FIGURES)

    @property
    def target_fps(self) -> float:
        """The camera's rate in the streams."""
        return float(self.about["target_fps"])

    @property
    def rule(self) -> FeasibleRule:
        """The rule by which a stream meets the target."""
        rule: FeasibleRule = self.about["feasible"]
        return rule

    @property
    def trainings(self) -> int:
        """How often each network was trained."""
        return int(self.train_s.shape[1])

    @functools.cached_property
    def over_ms(self) -> Array:
        """By how many ms a frame each stream misses the target, [network, policy, training]."""
        found = np.empty_like(self.miou)
        for at in np.ndindex(found.shape):
            found[at] = over_target_ms(self._latency(at), self.rule, self.target_fps)
        return found

    def latency(self, network: int, policy: int, training: int) -> StreamLatency:
        """Return the latency of one stream."""
        return self._latency((network, policy, training))

    def _latency(self, at: tuple[int, ...]) -> StreamLatency:
        return StreamLatency(
            mean_ms=float(self.mean_ms[at]),
            worst_ms=float(self.worst_ms[at]),
            every_frame=bool(self.worst_ms[at] <= 1000.0 / self.target_fps),
            dropped_frames=float(self.dropped[at]),
            source="predicted",
        )

    @functools.cached_property
    def places(self) -> dict[str, Place]:
        """The place of each architecture, by its canonical JSON."""
        return {
            canonical_json(Architecture(network=network, policy=policy)): (n, p)
            for n, network in enumerate(self.networks)
            for p, policy in enumerate(self.policies)
        }

    def front(self, seen: Sequence[Place], training: int) -> list[Place]:
        """Return the front of the feasible among `seen`, best mIoU first, as one training saw it.

        Its first is the pick at the target.
        """
        fit = [place for place in dict.fromkeys(seen) if self.over_ms[(*place, training)] <= 0]
        points = [
            (float(self.miou[(*each, training)]), float(self.mean_ms[(*each, training)]))
            for each in fit
        ]
        return [fit[index] for index in pareto_front(points)]

    def mean_point(self, place: Place) -> Point:
        """Return the mIoU and the mean ms of an architecture, as means over its trainings."""
        return float(self.miou[place].mean()), float(self.mean_ms[place].mean())

    def value(self, seen: Sequence[Place], training: int) -> tuple[float, float]:
        """Return (hypervolume, mIoU at the target) of what a search over `seen` would report.

        Its front and its pick are chosen by what `training` saw, and count with the means over all
        trainings: a lucky training is no gain. Without a feasible one both are 0.
        """
        front = self.front(seen, training)
        if not front:
            return 0.0, 0.0
        points = [self.mean_point(place) for place in front]
        return hypervolume(points, reference_point(self.target_fps)), points[0][0]


def grid(space: SearchSpace) -> tuple[tuple[Network, ...], tuple[Policy, ...]]:
    """Return all networks and all policies of `space`, each once.

    Every policy must fit every network, so a space with and without detail is not allowed.
    """
    networks = tuple(dict.fromkeys(_networks(space)))
    (policies,) = {tuple(policies_of(space, network)) for network in networks}
    return networks, policies


def _networks(space: SearchSpace) -> Iterator[Network]:
    """Yield what each way of choosing draws, in the order of the choices."""
    ways: list[tuple[int, ...]] = [()]
    while ways:
        way, asked = ways.pop(), list[int]()

        def choose(
            name: str,
            choices: Sequence[Choice],
            way: tuple[int, ...] = way,
            asked: list[int] = asked,
        ) -> Choice:
            number = way[len(asked)] if len(asked) < len(way) else 0
            if len(asked) >= len(way):
                ways.extend((*asked, other) for other in range(len(choices) - 1, 0, -1))
            asked.append(number)
            return choices[number]

        yield draw_network(space, choose)


def write_table(table: RecordedTable, file: Path) -> None:
    """Write `table` into `file`, whole or not at all."""
    arrays = {name: getattr(table, name) for name in ("train_s", "stages_s", *FIGURES)}
    arrays["feasible"] = table.over_ms <= 0
    arrays["networks"] = np.array([canonical_json(each) for each in table.networks])
    arrays["policies"] = np.array([canonical_json(each) for each in table.policies])
    arrays["about"] = np.array(json.dumps(dict(table.about), sort_keys=True))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, lambda beside: np.savez_compressed(beside, **arrays))


def read_table(file: Path) -> RecordedTable:
    """Return the table in `file`, which `write_table` wrote."""
    with np.load(file, allow_pickle=False) as kept:
        return RecordedTable(
            networks=tuple(Network(**json.loads(str(each))) for each in kept["networks"]),
            policies=tuple(Policy(**json.loads(str(each))) for each in kept["policies"]),
            about=json.loads(str(kept["about"])),
            **{name: kept[name] for name in ("train_s", "stages_s", *FIGURES)},
        )
