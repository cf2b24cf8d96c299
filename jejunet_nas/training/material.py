"""Material: the training clips and the training settings of all networks of a study."""

import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, Pictures
from jejunet_nas.records.words import per_cent
from jejunet_nas.space.architecture import Network
from jejunet_nas.training.loop import LoopRecord, train_paths
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.watch import Watch


class Schedule(Protocol):
    """The steps of a training, and its highest learning rate."""

    @property
    def steps(self) -> int:
        """Updates of the weights."""

    @property
    def learning_rate(self) -> float:
        """The highest rate, at the end of the warm-up."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The data and settings with which networks are trained.

    longest_age: of a context, in frames. checkpoints: a folder of checkpoints from which
    interrupted trainings resume; None: they start again. events: a folder for TensorBoard, one run
    per training.
    """

    split: DataSplit
    training: TrainingSettings
    longest_age: int
    checkpoints: Path | None = None
    events: Path | None = None

    def pictures(self, network: Network, tell: Tell) -> Sequence[Pictures]:
        """Return the frames of each clip, resized and cached at the first call."""
        return input_frames(
            self.split,
            height=network.input_height,
            width=network.input_width,
            augment=self.training.augment,
            progress=tell,
        )

    def train(
        self,
        network: KerasNetwork,
        tell: Tell,
        *,
        what: str = "train",
        pretrained: Collection[str] = (),
        schedule: Schedule | None = None,
        after_step: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
    ) -> LoopRecord:
        """Train the key and propagate paths of `network` in place.

        what: names the training in its progress and its files. pretrained: names of layers with
        all their pretrained weights. schedule: replaces that of the settings. watch: see
        `train_paths`.
        """
        schedule = schedule or self.training
        settings = dataclasses.replace(
            self.training, steps=schedule.steps, learning_rate=schedule.learning_rate
        )
        sampler = PairSampler(
            self.split.clips,
            height=network.network.input_height,
            width=network.network.input_width,
            pairs=settings.pairs_per_step,
            longest_age=self.longest_age,
            seed=settings.seed,
            sampling=settings.sampling,
            augment=settings.augment,
            frames=self.pictures(network.network, tell),
        )
        return train_paths(
            network,
            sampler,
            settings,
            pretrained=pretrained,
            on_step=lambda done, total, loss: tell(_words(what, loss, watch), done, total),
            after_step=after_step,
            checkpoint=self.checkpoints / f"{_file_name(what)}.npz" if self.checkpoints else None,
            events=self.events / _file_name(what) if self.events else None,
            watch=watch,
        )


def _words(what: str, loss: float, watch: Watch | None) -> str:
    words = f"{what}, loss {loss:.3f}"
    if watch and watch.curve:
        steps, miou = watch.curve[-1]
        words += f", {per_cent(miou)} mIoU after {steps} steps"
    return words


def _file_name(what: str) -> str:
    return re.sub(r"\W+", "_", what)
