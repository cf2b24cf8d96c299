"""Material: the training clips and the training settings of all networks of a study."""

import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from jejunet_nas.datasets.calibration import CalibrationChoice, calibration_frames
from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.datasets.sampling import PairSampler, Taught
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, Frames, Pictures
from jejunet_nas.space.architecture import Network
from jejunet_nas.training.loop import LoopRecord, train_paths
from jejunet_nas.training.settings import TrainingSettings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The data and settings with which networks are trained.

    longest_age: of a context, in frames. taught: a teacher's pseudo-labels of the training frames.
    checkpoints: a folder of checkpoints from which interrupted trainings resume; None: they start
    again. events: a folder for TensorBoard, one run per training.
    """

    split: DataSplit
    training: TrainingSettings
    longest_age: int
    taught: Taught | None = None
    checkpoints: Path | None = None
    events: Path | None = None

    def pictures(self, network: Network, tell: Tell) -> Sequence[Pictures]:
        """Return the frames of each clip, cached at about the network's resolution."""
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
        pictures: Sequence[Pictures],
        tell: Tell,
        *,
        what: str = "train",
        pretrained: Collection[str] = (),
        steps: int | None = None,
        learning_rate: float | None = None,
        after_step: Callable[[], None] = lambda: None,
    ) -> LoopRecord:
        """Train the key and propagate paths of `network` in place.

        what: names the training in its progress and its files. pretrained: names of layers with
        all their pretrained weights. steps, learning_rate: replace those of the settings.
        """
        settings = dataclasses.replace(
            self.training,
            steps=steps or self.training.steps,
            learning_rate=learning_rate or self.training.learning_rate,
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
            taught=self.taught,
            frames=pictures,
        )
        return train_paths(
            network,
            sampler,
            settings,
            pretrained=pretrained,
            on_step=lambda done, total, loss: tell(f"{what}, loss {loss:.3f}", done, total),
            after_step=after_step,
            checkpoint=self.checkpoints / f"{_file_name(what)}.npz" if self.checkpoints else None,
            events=self.events / _file_name(what) if self.events else None,
        )

    def calibration(self, network: Network, count: int, choice: CalibrationChoice) -> Frames:
        """Return `count` frames at the network's input size, uint8 [count, height, width, 3]."""
        return calibration_frames(
            self.split,
            height=network.input_height,
            width=network.input_width,
            count=count,
            seed=self.training.seed,
            choice=choice,
        )


def _file_name(what: str) -> str:
    return re.sub(r"\W+", "_", what)
