"""What `training_noise.py` trains: recipes, networks and seeds of each data set, and the trainings.

A further recipe is a line of `RECIPES`.
"""

import dataclasses
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jejunet_nas.progress import Tell
from jejunet_nas.records.words import counted, network_words
from jejunet_nas.search.feasibility import Aim
from jejunet_nas.space.architecture import Network
from jejunet_nas.space.draw import draw_network
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.quantization import _network
from tests.benchmarks.trainings import Kept, train_network

NETWORK = _network(1.0, 12, 16, 48, "shared", 8, 192)
CAMVID_NETWORK = dataclasses.replace(NETWORK, input_height=160, input_width=224)
SECOND = _network(0.5, 12, 16, 48, "thin", 8, 224)
SEEDS = (0, 1, 2, 3)
DRAWN = 12
Key = tuple[str, str, int]


class Recipe(NamedTuple):
    """How networks are trained. changes: of the study's `TrainingSettings`, beside the steps.

    All recipes state what one of them changes, so that a new default leaves their trainings valid.

    keras_models: through the Keras models, with a second pass over keyframes.
    """

    name: str
    steps: int
    changes: Mapping[str, Any] = {}
    keras_models: bool = False

    @property
    def words(self) -> str:
        """Say all of it, for `before: 400 steps, Keras models`."""
        how = [f"{name} {value}" for name, value in self.changes.items()]
        how += ["Keras models"] * self.keras_models
        return f"{self.name}: {', '.join([counted(self.steps, 'step'), *how])}"


HIGH, LOW = {"pretrained_rate": 0.3}, {"pretrained_rate": 0.03}
BEFORE = Recipe("before", 400, HIGH, keras_models=True)
AFTER = Recipe("after", 400, HIGH)
LOW_RATE = Recipe("low rate", 400, LOW)
BRIEF = Recipe("brief", 100, HIGH)  # a first rung
BRIEF_LOW_RATE = Recipe("brief, low rate", 100, LOW)
RECIPES = (BEFORE, AFTER, LOW_RATE, BRIEF, BRIEF_LOW_RATE)  # compared with the first


class Unit(NamedTuple):
    """One training. recipe, network: their words. seconds: without scoring."""

    recipe: str
    network: str
    seed: int
    seconds: float
    step_ms: float
    miou: float

    @property
    def key(self) -> Key:
        """Says which training it is."""
        return self[:3]


Job = tuple[Recipe, Network, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained on one data set.

    network: under each recipe. second: briefly too, for the noise of a difference. ranked: briefly
    with the first seed and long with the second.
    """

    network: Network
    second: Network | None = None
    ranked: Sequence[Network] = ()
    recipes: Sequence[Recipe] = RECIPES
    brief: Recipe = BRIEF
    long: Recipe = AFTER
    seeds: Sequence[int] = SEEDS

    def jobs(self) -> Iterator[Job]:
        """Yield each training; unfinished tables have as many seeds of each recipe."""
        for seed, recipe in itertools.product(self.seeds, self.recipes):
            yield recipe, self.network, seed
        if self.second:
            for seed in self.seeds:
                yield self.brief, self.second, seed
        for network in self.ranked:
            yield self.brief, network, self.seeds[0]
            yield self.long, network, self.seeds[1]


def drawn_networks(aim: Aim, count: int) -> list[Network]:
    """Return different networks of the space that can meet the target, drawn uniformly."""
    rng, found = random.Random(0), dict[Network, None]()
    while len(found) < count:
        network = draw_network(aim.space, lambda _, choices: rng.choice(choices))
        if aim.find(network).meets:
            found[network] = None
    return [*found]


def kept_units(file: Path, setup: TrialSetup) -> Kept[Unit]:
    """Return the units in a file that were made from the data and settings of `setup`."""
    training = setup.training.recipe()
    keyed = {"steps", "seed", *HIGH}
    asked = {name: value for name, value in training.items() if name not in keyed}
    data = setup.train.fingerprint, setup.val.fingerprint, setup.recipe.get("init_sha256")
    return Kept(file, Unit, [data, setup.longest_age, asked])


def measure(plan: Plan, setup: TrialSetup, kept: Kept[Unit], tell: Tell) -> Iterator[Unit]:
    """Yield each missing unit of the plan when it is kept."""
    for recipe, network, seed in plan.jobs():
        key = recipe.words, network_words(network), seed
        if key in kept.units:
            continue
        training = dataclasses.replace(
            setup.training, steps=recipe.steps, seed=seed, **recipe.changes
        )
        asked = dataclasses.replace(setup, training=training)
        made = train_network(network, asked, tell, keras_models=recipe.keras_models)
        kept.add(unit := Unit(*key, *made))
        yield unit


class Table(NamedTuple):
    """What was measured on one data set. keyframes: the number that was scored."""

    data: str
    plan: Plan
    units: Mapping[Key, Unit]
    keyframes: int

    def of(self, recipe: Recipe, network: Network) -> dict[int, Unit]:
        """Return the units of a network by seed."""
        keys = ((recipe.words, network_words(network), seed) for seed in self.plan.seeds)
        return {key[2]: self.units[key] for key in keys if key in self.units}
