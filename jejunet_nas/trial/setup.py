"""Setup: what the trials of a study share, and what making one of their networks needs."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.datasets.sampling import Taught
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import DataSplit, FeasibleRule
from jejunet_nas.space.architecture import Network
from jejunet_nas.space.search_space import SearchSpace
from jejunet_nas.training.material import Material
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.source import Source


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialSetup:
    """What all trials of a study share.

    recipe: plain JSON values that decide a network's weights, beside the network itself.
    space, feasible: whose policies each network is scored with, and which of them meet the target.
    longest_age: of a context, in frames. source: backbone weights to start from, of one or more
    widths. taught: a teacher's labels of the training frames. folder: of all networks.
    """

    train: DataSplit
    val: DataSplit
    training: TrainingSettings
    compression: CompressionSettings
    meter: LatencyMeter
    space: SearchSpace
    target_fps: float
    feasible: FeasibleRule = "no_drops"
    longest_age: int
    recipe: Mapping[str, Any]
    source: Sequence[Source] | None
    taught: Taught | None = None
    folder: Path

    @property
    def material(self) -> Material:
        """The training clips and settings."""
        return Material(
            split=self.train,
            training=self.training,
            longest_age=self.longest_age,
            taught=self.taught,
        )


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
