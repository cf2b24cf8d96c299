"""Setup: what the trials of a study share, and what making one of their networks needs."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.latency.predicted_meter import PredictedMeter
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import DataSplit, FeasibleRule
from jejunet_nas.space.architecture import Network
from jejunet_nas.space.search_space import SearchSpace
from jejunet_nas.training.material import Material
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.source import Source
from jejunet_nas.trial.shared import SharedNetworks

_SEED_STEP = 1_000_003  # between the seeds of two rungs: further apart than those of two trainings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialSetup:
    """What all trials of a study share.

    recipe: plain JSON values that decide a network's weights, beside the network itself.
    space, feasible: whose policies each network is scored with, and which of them meet the target.
    longest_age: of a context, in frames. source: backbone weights to start from, of one or more
    widths. folder: of all networks. rungs: steps after which a network is scored before it is
    trained on to all steps of `training`, whose own `rungs` are empty here. rung: the one that
    networks are trained to; None: to all steps. shared: with other machines; None: with none.
    """

    train: DataSplit
    val: DataSplit
    training: TrainingSettings
    compression: CompressionSettings
    meter: PredictedMeter
    space: SearchSpace
    target_fps: float
    feasible: FeasibleRule = "no_drops"
    longest_age: int
    recipe: Mapping[str, Any]
    source: Sequence[Source] | None
    folder: Path
    rungs: tuple[int, ...] = ()
    rung: int | None = None
    shared: SharedNetworks | None = None

    @property
    def top(self) -> int:
        """The number of the rung after which nothing is trained on: 0 where there are no rungs."""
        return len(self.rungs)

    @property
    def steps(self) -> int:
        """The steps of all trainings of a network up to its rung."""
        return self.training.steps if self.rung is None else self.rungs[self.rung]

    def at_rung(self, rung: int) -> "TrialSetup":
        """Return the setup of networks trained to `rung`, from 0 to `top`."""
        return dataclasses.replace(self, rung=None if rung == self.top else rung)

    def with_seed(self, seed: int) -> "TrialSetup":
        """Return the setup of the same networks trained with another seed."""
        training = dataclasses.replace(self.training, seed=seed)
        recipe = {**self.recipe, "training": {**self.recipe["training"], "seed": seed}}
        return dataclasses.replace(self, training=training, recipe=recipe)

    @property
    def schedule(self) -> TrainingSettings:
        """The training from the rung below: its own steps, and batches that were not seen yet."""
        number = self.top if self.rung is None else self.rung
        below = self.rungs[number - 1] if number else 0
        seed = (self.training.seed + number * _SEED_STEP) % 2**31
        return dataclasses.replace(self.training, steps=self.steps - below, seed=seed)

    @property
    def material(self) -> Material:
        """The training clips, and the settings of the training from the rung below."""
        return Material(split=self.train, training=self.schedule, longest_age=self.longest_age)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkJob:
    """One network while it is made.

    folder: for its weights, graphs and TensorBoard events. tell: receives progress. clock: times
    each stage. checkpoints: a folder from which interrupted training resumes; None restarts it.
    """

    network_id: str
    network: Network
    setup: TrialSetup
    folder: Path
    tell: Tell
    clock: Clock = dataclasses.field(default_factory=Clock)
    checkpoints: Path | None = None

    @property
    def material(self) -> Material:
        """The setup's material, with this job's checkpoints and events."""
        events = self.folder / "events" if self.setup.training.tensorboard else None
        return dataclasses.replace(self.setup.material, checkpoints=self.checkpoints, events=events)
