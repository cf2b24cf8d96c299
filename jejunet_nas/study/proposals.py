"""Proposals: the next network of a search, from all networks that it has seen.

Optuna's TPE or NSGA-II see one observation a network, in a study in memory that is made anew for
each proposal: a resumed search proposes what an undisturbed one does, and latencies that a phone
measured later count. The two objectives say how good a network is at the target and below it: its
best mIoU there, and the hypervolume of its own policies up to the target. A network that is fast
and poor has little of either, so the very fast end of the space draws no attention of its own.

The first networks come from predicted latency alone. Networks whose keyframe takes about the time
of a frame are the largest that can keep up, so these come first, and others spread around them.
"""

import dataclasses
import math
import random
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from jejunet_nas.space.architecture import Network
from jejunet_nas.space.draw import Chooser, draw_network, network_choices
from jejunet_nas.space.search_space import NETWORK_DIMENSIONS, Choice, SearchSpace, size_of

SamplerName = Literal["tpe", "nsga2", "random"]
STARTUP = 6  # networks before a sampler models the space: more gain nothing in the replay
POPULATION = 8  # of NSGA-II: a search has tens of networks, not thousands
KEY_SHARES = (0.35, 1.6)  # of the time of a frame, that keyframes of the first networks take
_TRIES = 300  # draws at random for one proposal
_ASKS = 30  # of the sampler for one that is not known
_UNORDERED = ("detail", "quantization")
_CONSTRAINT = "ms_over_target"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenNetwork:
    """A network that was trained or refused.

    best_miou, hypervolume: of its policies at the target; both 0 if none meets it. over_ms: by how
    much its nearest policy misses the target; 0 or less if one meets it.
    """

    network: Network
    best_miou: float = 0.0
    hypervolume: float = 0.0
    over_ms: float = 0.0
    trained: bool = True


class NetworkSampler:
    """Proposes networks of a space; equal arguments propose the same."""

    def __init__(
        self,
        space: SearchSpace,
        *,
        name: SamplerName,
        seed: int,
        key_share: Callable[[Network], float | None],
        startup: int = STARTUP,
    ) -> None:
        """Propose networks of `space`.

        startup: the number of networks before the sampler `name` decides. key_share: the predicted
        latency of a network's keyframe as a share of a frame's time; None: it cannot meet the
        target.
        """
        self._space, self._name, self._seed = space, name, seed
        self._startup, self._key_share = startup, key_share
        self._ordered: dict[str, tuple[Choice, ...]] = {  # from small to large
            name: choices if name in _UNORDERED else tuple(sorted(choices, key=_size))
            for name, choices in space.choices().items()
            if name in NETWORK_DIMENSIONS
        }

    def ask(self, seen: Sequence[SeenNetwork], known: Collection[Network]) -> Network | None:
        """Return a network that is not `known`, or None where none was found.

        seen: the networks that the search has trained or refused, in their order. known: those and
        others, such as networks that failed, or whose round has not ended.
        """
        dice = random.Random(f"{self._seed} {len(known)}")
        trained = sum(each.trained for each in seen)
        if self._name == "random":
            return self._unknown(dice, known)
        if trained < self._startup:
            refused = len(seen) - trained
            return self._first(dice, len(known) - refused, known) or self._unknown(dice, known)
        return self._sampled(seen, known) or self._unknown(dice, known)

    def _unknown(self, dice: random.Random, known: Collection[Network]) -> Network | None:
        for _ in range(_TRIES):
            drawn = draw_network(self._space, lambda _, choices: dice.choice(choices))
            if drawn not in known:
                return drawn
        return None

    def _first(
        self, dice: random.Random, number: int, known: Collection[Network]
    ) -> Network | None:
        """Return a network whose keyframe takes its share of a frame's time, unlike those known.

        number: of networks before it that were not refused; those of its own round count too.
        """
        wanted = _share_of(number)
        found: list[tuple[float, Network]] = []
        for drawn in {self._unknown(dice, known): None for _ in range(_TRIES)}:
            share = self._key_share(drawn) if drawn else None
            if drawn and share:
                unlike = min((self._distance(drawn, each) for each in known), default=1.0)
                found.append((abs(math.log(share / wanted)) - unlike, drawn))
        return min(found, key=lambda each: each[0], default=(0.0, None))[1]

    def _distance(self, one: Network, other: Network) -> float:
        """Return how unlike two networks are, in [0, 1]."""
        ours, theirs = self._params(one), self._params(other)
        parts = [
            abs(ours.get(name, 0) - theirs.get(name, 0)) / max(1, len(choices) - 1)
            if name not in _UNORDERED
            else float(ours[name] != theirs[name])
            for name, choices in self._ordered.items()
            if len(choices) > 1 and (name in ours or name in theirs)
        ]
        return sum(parts) / max(1, len(parts))

    def _sampled(self, seen: Sequence[SeenNetwork], known: Collection[Network]) -> Network | None:
        study = self._study(seen)
        for _ in range(_ASKS):
            trial = study.ask()
            drawn = draw_network(self._space, self._chooser(trial))
            if drawn not in known:
                return drawn
            study.tell(trial, state=TrialState.FAIL)
        return None

    def _study(self, seen: Sequence[SeenNetwork]) -> optuna.Study:
        """Return a study in memory with an observation of each network in `seen`."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                directions=["maximize", "maximize"],
                sampler=self._sampler(len(seen)),
            )
        trained = 0
        for each in seen:
            study.add_trial(self._observation(each, generation=trained // POPULATION))
            trained += each.trained
        return study

    def _sampler(self, observed: int) -> optuna.samplers.BaseSampler:
        seed = self._seed + observed
        if self._name == "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION)
        # Grouped: the output stride and the logits' are not always drawn.
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=0, multivariate=True, group=True
        )

    def _observation(self, seen: SeenNetwork, *, generation: int) -> FrozenTrial:
        params = self._params(seen.network)
        return create_trial(
            state=TrialState.COMPLETE if seen.trained else TrialState.PRUNED,
            values=[seen.best_miou, seen.hypervolume] if seen.trained else None,
            params=params,
            distributions={name: self._distribution(name) for name in params},
            system_attrs={"NSGAIISampler:generation": generation},
            constraints={_CONSTRAINT: seen.over_ms},
        )

    def _params(self, network: Network) -> dict[str, int]:
        """Return the place of each choice of `network` among those of its dimension."""
        return {
            name: self._ordered[name].index(choice)
            for name, choice in network_choices(network).items()
        }

    def _distribution(self, name: str) -> BaseDistribution:
        count = len(getattr(self._space, name))
        if name in _UNORDERED:
            return CategoricalDistribution(tuple(range(count)))
        return IntDistribution(0, count - 1)

    def _chooser(self, trial: optuna.Trial) -> Chooser:
        def choose(name: str, _: Sequence[Choice]) -> Choice:
            place: int = trial._suggest(name, self._distribution(name))
            return self._ordered[name][place]

        return choose


def _size(choice: Choice) -> float:
    """Return the place of an ordered choice: its value, or the pixels of a resolution."""
    if isinstance(choice, str):
        return math.prod(size_of(choice))
    return float(choice or 0)


def _share_of(number: int) -> float:
    """Return the share of a frame's time that the keyframe of a first network takes.

    The first takes all of it; later ones halve what is left between `KEY_SHARES` on a scale of
    ratios (van der Corput).
    """
    if number == 0:
        return 1.0
    place, half = 0.0, 0.5
    while number:
        number, digit = divmod(number, 2)
        place += half * digit
        half /= 2
    low, high = map(math.log, KEY_SHARES)
    return math.exp(low + place * (high - low))
