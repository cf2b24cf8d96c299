"""Feasibility: how much of a search space can meet the target, predicted before any training.

A network can meet the target if one of the space's policies can, with the least latency that its
stream may have (`latency.stream.least_stream`). A small space is counted as a whole; of a large one
a sample is drawn. A sample without a feasible network is no proof: from its nearest network the
search goes on downhill, dimension by dimension, until one is found or none is nearer.
"""

import dataclasses
import functools
import itertools
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jejunet_nas.latency.predicted_meter import DeviceProfile, load_profile
from jejunet_nas.latency.stream import least_stream
from jejunet_nas.records import FeasibleRule, PathLatencies, StreamLatency
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.space.architecture import EVERY_FRAME, Architecture, Network, Policy
from jejunet_nas.space.draw import draw_network, network_choices, policies_of
from jejunet_nas.space.search_space import NETWORK_DIMENSIONS, Choice, SearchSpace
from jejunet_nas.study.prediction import predict_paths
from jejunet_nas.study.settings import StudySettings

SAMPLE = 1000  # networks, about a second; a space with as many or fewer is counted as a whole
MOST_STREAMS = 100_000  # networks x kinds of policies in a sample
MOST_PAIRS = 1000  # combinations of two dimensions that are tried together

Choices = Mapping[str, Choice]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network under the policy with which it comes nearest to the target, or meets it fastest.

    stream: at least so slow. over_ms: by how much it misses the target, 0 or less if it meets it.
    every_frame: whether it meets the target with every frame a keyframe; None if the space has no
    such policy. choices: of the network's dimensions.
    """

    architecture: Architecture
    stream: StreamLatency
    over_ms: float
    every_frame: bool | None
    choices: Choices

    @property
    def meets(self) -> bool:
        """Whether the network can meet the target."""
        return self.over_ms <= 0

    @property
    def nearness(self) -> tuple[float, float]:
        """Lower is nearer to the target; of those that meet it, lower is faster."""
        return max(self.over_ms, 0.0), self.stream.mean_ms


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`meeting` of `networks` can meet the target; `every_frame` of them without a video policy."""

    networks: int
    meeting: int
    every_frame: int | None

    @classmethod
    def of(cls, found: Sequence[Found]) -> "Share":
        """Return the share of the networks `found`."""
        without = None
        if found and found[0].every_frame is not None:
            without = sum(bool(each.every_frame) for each in found)
        return cls(
            networks=len(found), meeting=sum(each.meets for each in found), every_frame=without
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """The feasible share of a space: of all its networks if it is `whole`, else of a sample.

    by_choice: the share of each choice by dimension, in the order of the space. nearest: the
    fastest network that can meet the target; if none was found, the one nearest to it.
    """

    whole: bool
    share: Share
    by_choice: Mapping[str, Mapping[Choice, Share]]
    nearest: Found


@dataclasses.dataclass(frozen=True)
class Aim:
    """A space and the target that its networks should meet, on one device."""

    space: SearchSpace
    profile: DeviceProfile
    classes: int
    threads: int
    target_fps: float
    rule: FeasibleRule

    @classmethod
    def of(cls, settings: StudySettings, classes: int) -> "Aim":
        """Return the space and the target of a study."""
        return cls(
            space=settings.search_space,
            profile=load_profile(settings.latency.device),
            classes=classes,
            threads=settings.latency.threads,
            target_fps=settings.target_fps,
            rule=settings.feasible,
        )

    def network(self, choices: Choices) -> Network:
        """Return the network of `choices`; those without effect are left out."""
        first = {name: each[0] for name, each in self.space.choices().items()}
        chosen = {**first, **choices}
        return draw_network(self.space, lambda name, _: chosen[name])

    def find(self, network: Network) -> Found:
        """Return `network` under its best policy."""
        policies = self.policies(network)
        paths = self.paths(network)
        streams = [least_stream(each, paths, target_fps=self.target_fps) for each in policies]
        over = [over_target_ms(each, self.rule, self.target_fps) for each in streams]
        best = min(range(len(over)), key=lambda i: (max(over[i], 0.0), streams[i].mean_ms))
        whole = policies.index(EVERY_FRAME) if EVERY_FRAME in policies else None
        return Found(
            architecture=Architecture(network=network, policy=policies[best]),
            stream=streams[best],
            over_ms=over[best],
            every_frame=None if whole is None else over[whole] <= 0,
            choices=network_choices(network),
        )

    def paths(self, network: Network) -> PathLatencies:
        """Return the predicted latency of each of the network's graphs."""
        any_policy = Architecture(network=network, policy=EVERY_FRAME)
        return predict_paths(any_policy, self.profile, classes=self.classes, threads=self.threads)

    def policies(self, network: Network) -> Sequence[Policy]:
        """Return one policy for each least latency that the policies of `network` can have.

        It depends on whether a threshold is on, not on its value.
        """
        return _policies(self.space, network.propagates)


@functools.lru_cache(maxsize=64)
def _policies(space: SearchSpace, propagates: bool) -> Sequence[Policy]:
    few: dict[str, Any] = {
        name: tuple({choice is None: choice for choice in getattr(space, name)}.values())
        for name in ("reuse_below", "refresh_above")
    }
    few["detail"] = ("shared" if propagates else "none",)
    space = dataclasses.replace(space, **few)
    return policies_of(space, draw_network(space, lambda _, choices: choices[0]))


def feasibility(aim: Aim, *, seed: int = 0) -> Feasibility:
    """Return the share of the space's networks that can meet the target."""
    whole = math.prod(len(aim.space.choices()[name]) for name in NETWORK_DIMENSIONS) <= SAMPLE
    networks = _all_networks(aim) if whole else _drawn_networks(aim, seed)
    found = [aim.find(network) for network in networks]
    nearest = min(found, key=lambda each: each.nearness)
    if not whole and not nearest.meets:
        nearest = _downhill(aim, nearest)
    by_choice: dict[str, dict[Choice, list[Found]]] = defaultdict(lambda: defaultdict(list))
    for each in found:
        for name, choice in each.choices.items():
            by_choice[name][choice].append(each)
    return Feasibility(
        whole=whole,
        share=Share.of(found),
        by_choice={
            name: {
                choice: Share.of(by_choice[name][choice])
                for choice in aim.space.choices()[name]
                if choice in by_choice[name]
            }
            for name in NETWORK_DIMENSIONS
        },
        nearest=nearest,
    )


def _all_networks(aim: Aim) -> Iterable[Network]:
    choices = aim.space.choices()
    every = itertools.product(*(choices[name] for name in NETWORK_DIMENSIONS))
    return dict.fromkeys(
        aim.network(dict(zip(NETWORK_DIMENSIONS, picked, strict=True))) for picked in every
    )


def _drawn_networks(aim: Aim, seed: int) -> Iterator[Network]:
    drawer = random.Random(seed)
    kinds = len(_policies(aim.space, True))  # without detail there are fewer
    for _ in range(min(SAMPLE, max(MOST_STREAMS // kinds, 1))):
        yield draw_network(aim.space, lambda _, choices: drawer.choice(choices))


def _downhill(aim: Aim, start: Found) -> Found:
    """Return the network that no change of one dimension, or of two, brings nearer to the target.

    Two at once, because some help only together: stride 32 begins at a later block. The first that
    meets the target is returned at once.
    """
    best, choices = start, aim.space.choices()
    singles = [(name,) for name in NETWORK_DIMENSIONS if len(choices[name]) > 1]
    pairs = itertools.combinations([name for (name,) in singles], 2)
    small = [pair for pair in pairs if math.prod(len(choices[n]) for n in pair) <= MOST_PAIRS]
    better = True
    while better and not best.meets:
        better = False
        for names in (*singles, *small):
            near = min(_changed(aim, best, names), key=lambda each: each.nearness)
            if near.nearness < best.nearness:
                best, better = near, True
                break
    return best


def _changed(aim: Aim, found: Found, names: tuple[str, ...]) -> Iterator[Found]:
    choices = aim.space.choices()
    for picked in itertools.product(*(choices[name] for name in names)):
        chosen = {**found.choices, **dict(zip(names, picked, strict=True))}
        yield aim.find(aim.network(chosen))
