"""Adam with a warm-up and cosine schedule, and a lower rate for pretrained layers."""

from collections.abc import Collection, Iterable
from typing import Any

import tensorflow as tf
import tf_keras

from jejunet_nas.training.settings import TrainingSettings

WARM_UP_SHARE = 0.1  # of the steps, in which the rate rises from 0


class Optimizer:
    """One Adam for new variables, and one for pretrained variables.

    They are Keras' legacy Adam, which updates each variable with one fused operator: tracing a step
    takes 1 s instead of 7 s. pretrained: names of the layers whose learning rate is multiplied by
    `pretrained_rate`.
    """

    def __init__(
        self, variables: Collection[Any], pretrained: Collection[str], settings: TrainingSettings
    ) -> None:
        old = [v for v in variables if v.name.split("/")[0] in pretrained]
        new = [v for v in variables if v.name.split("/")[0] not in pretrained]
        low = settings.learning_rate * settings.pretrained_rate
        self._groups: list[tuple[Any, list[Any]]] = []
        for rate, group in ((settings.learning_rate, new), (low, old)):
            if group:
                adam = tf_keras.optimizers.legacy.Adam(WarmCosine(rate, settings.steps))
                # Otherwise the first training step creates them, and is traced twice.
                adam._create_all_weights(group)
                self._groups.append((adam, group))

    def apply(self, gradients: dict[Any, Any]) -> None:
        """Update each variable by its gradient; `gradients` is keyed by `variable.ref()`."""
        for adam, variables in self._groups:
            update_variables(adam, [(gradients[v.ref()], v) for v in variables])

    @property
    def variables(self) -> list[Any]:
        """The optimizer's state: the number of steps and both moments of each variable."""
        return [variable for adam, _ in self._groups for variable in adam.weights]

    def rate(self, step: int) -> Any:
        """Return the learning rate of the first group at `step`."""
        return self._groups[0][0].learning_rate(step)


def update_variables(adam: Any, gradients: Iterable[tuple[Any, Any]]) -> None:
    """Update variables by pairs of a gradient and its variable; adam: Keras' legacy Adam."""
    # By default Keras also sums over replicas. That sum has a custom gradient, which TensorFlow
    # keeps for ever, and with it the traced graph: 10 MB per training.
    adam.apply_gradients(gradients, experimental_aggregate_gradients=False)


class WarmCosine(tf_keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Rises linearly from 0 to `highest` over a tenth of the steps, then falls to 0 as a cosine."""

    def __init__(self, highest: float, steps: int) -> None:
        super().__init__()
        self.highest, self.steps = highest, steps
        self.warm_up = max(1, round(steps * WARM_UP_SHARE))
        self.fall = tf_keras.optimizers.schedules.CosineDecay(highest, max(1, steps - self.warm_up))

    def __call__(self, step: Any) -> Any:
        """Return the learning rate at `step`."""
        done = tf.cast(step, tf.float32)
        rising = self.highest * (done + 1.0) / self.warm_up
        return tf.where(done < self.warm_up, rising, self.fall(done - self.warm_up))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"highest": self.highest, "steps": self.steps}
