"""Setup: what the trials of one study have in common, and what follows from it for a network."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.datasets.sampling import Taught
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.records import DataSplit
from jejunet_nas.training.events import EVENTS
from jejunet_nas.training.material import Material
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.source import Source


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialSetup:
    """All that the trials of one study have in common.

    recipe: plain JSON values that, beside the network, decide its weights. longest_age: of a
    context, in frames. source: backbone weights to begin with, of one width or several. taught:
    what a teacher says of the training frames. folder: where networks are kept.
    """

    train: DataSplit
    val: DataSplit
    training: TrainingSettings
    compression: CompressionSettings
    meter: LatencyMeter
    target_fps: float
    longest_age: int
    recipe: Mapping[str, Any]
    source: Sequence[Source] | None
    taught: Taught | None = None
    folder: Path

    @property
    def material(self) -> Material:
        """What networks are trained on."""
        return Material(
            split=self.train,
            training=self.training,
            longest_age=self.longest_age,
            taught=self.taught,
        )

    def material_in(self, folder: Path) -> Material:
        """Return the material of a network whose files lie in `folder`, and its events, if any."""
        events = folder / EVENTS if self.training.tensorboard else None
        return dataclasses.replace(self.material, events=events)
