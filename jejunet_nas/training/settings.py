"""Settings of training. They are part of each network's id."""

import dataclasses
from typing import Any, get_args

from jejunet_nas.datasets.sampling import Sampling
from jejunet_nas.datasets.view import PLAIN, Augment
from jejunet_nas.errors import SettingError, check_choice, check_range

SCRATCH = "scratch"
IMAGENET = "imagenet"

# These settings were added later. Their defaults are left out of the recipe, so that older network
# ids stay valid.
_LATER = ("sampling", "augment", "rungs", "dice_weight")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """The recipe of brief training.

    init: `imagenet` (a file beside the data, else a download), `scratch`, or a file of backbone
    weights. steps: each has `pairs_per_step`
    pairs of frames. learning_rate: the peak of Adam's; it is multiplied by `pretrained_rate` for
    layers with all their pretrained weights, but not for layers that lost channels. rungs: steps
    after which networks are scored and compared, and only the best are trained on. gate_pairs,
    gate_steps: of the gate's training; pairs are made 28 at a time.

    sampling: `frames` draws each frame equally often, `classes` each class. augment: the strength
    of data augmentation. dice_weight: of the Dice loss that is added to cross-entropy: all classes
    weigh the same in it.

    tensorboard: whether to write scalars of each step for TensorBoard into the network's folder.
    """

    init: str = IMAGENET
    steps: int = 300
    rungs: tuple[int, ...] = ()
    pairs_per_step: int = 8
    learning_rate: float = 4e-3
    pretrained_rate: float = 0.3
    gate_pairs: int = 1680
    gate_steps: int = 400
    seed: int = 0
    sampling: Sampling = "frames"
    augment: Augment = PLAIN
    dice_weight: float = 0.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("steps", 1, 10_000_000),
            ("pairs_per_step", 2, 1024),
            ("learning_rate", 1e-8, 1.0),
            ("pretrained_rate", 0.0, 1.0),
            ("gate_pairs", 10, 1_000_000),
            ("gate_steps", 1, 1_000_000),
            ("seed", 0, 2**31 - 1),
            ("dice_weight", 0.0, 100.0),
        ):
            check_range(name, getattr(self, name), low, high)
        check_choice("sampling", self.sampling, get_args(Sampling))
        self._require_rungs()

    def _require_rungs(self) -> None:
        fit = sorted({rung for rung in self.rungs if 1 <= rung < self.steps})
        if [*self.rungs] != fit:
            use = f"Use {fit}" if fit else "Remove them"
            allowed = f"ascending steps from 1 to {self.steps - 1}, below training.steps"
            if self.steps == 1:
                allowed = "none, because training.steps is 1"
            raise SettingError(
                f"rungs is {[*self.rungs]}; allowed: {allowed}. {use}, or raise training.steps."
            )

    def recipe(self) -> dict[str, Any]:
        """Return the settings on which the weights depend, as plain JSON values."""
        plain = dataclasses.asdict(self)
        left_out = [
            field.name
            for field in dataclasses.fields(self)
            if field.name == "tensorboard"  # weights do not depend on it
            or (field.name in _LATER and getattr(self, field.name) == field.default)
        ]
        return {name: value for name, value in plain.items() if name not in left_out}
