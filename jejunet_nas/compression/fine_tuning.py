"""Fine-tuning: the clips, and the progress, of the compression methods that train a network."""

import dataclasses
from collections.abc import Callable, Sequence

from jejunet_nas.compression.settings import Clustering, Pruning, QuantizationAware
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.progress import Tell
from jejunet_nas.records import Pictures
from jejunet_nas.training.material import Material


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FineTuning:
    """The material, and its frames at the network's resolution."""

    material: Material
    pictures: Sequence[Pictures]
    tell: Tell

    def train(
        self,
        network: KerasNetwork,
        method: Pruning | Clustering | QuantizationAware,
        what: str,
        *,
        after_step: Callable[[], None] = lambda: None,
    ) -> None:
        """Train `network` in place for the steps of `method`, at its learning rate."""
        self.material.train(
            network,
            self.pictures,
            self.tell,
            what=what,
            steps=method.steps,
            learning_rate=method.learning_rate,
            after_step=after_step,
        )
