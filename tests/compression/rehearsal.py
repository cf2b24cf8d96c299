"""Training without a gradient, for what happens around it; nothing here is a test."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.progress import Tell
from jejunet_nas.training.material import Material, Schedule
from tests.builders import noise

DRIFT = 1e-3  # of a weight in a step, at most


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rehearsal(Material):
    """Material whose steps run the network as training does, and move each weight a little.

    No step is traced: a few seconds are spared, in which TensorFlow would learn nothing.
    """

    def train(
        self,
        network: KerasNetwork,
        tell: Tell,
        *,
        schedule: Schedule | None = None,
        after_step: Callable[[], None] = lambda: None,
        **_: Any,
    ) -> Any:
        """Take the steps of `schedule`; call `after_step` after each."""
        rng, image = np.random.default_rng(0), noise(0, 1, 64, 64, 3)
        for _ in range(schedule.steps if schedule else 0):
            network.decode_with(image, image, training=True)
            for layer in network.path_layers():
                for weight in layer.trainable_weights:
                    weight.assign_add(rng.uniform(-DRIFT, DRIFT, weight.shape))
            after_step()


def silence(what: str, done: int, total: int) -> None:
    """Tell nobody."""
