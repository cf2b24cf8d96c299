"""What brief training is told; part of every network's id."""

import dataclasses

from jejunet_nas.errors import SettingError

SCRATCH = "scratch"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """The recipe of brief training.

    init: `scratch`, or a file of backbone weights. steps: of `pairs_per_step` pairs of frames each.
    learning_rate: Adam's at its highest; layers that came with all their weights take
    `pretrained_rate` times it. Layers that were cut take the whole of it: they must find anew what
    the lost channels did. gate_pairs: pairs of frames that the gate learns from, made in tens.
    """

    init: str = SCRATCH
    steps: int = 300
    pairs_per_step: int = 8
    learning_rate: float = 4e-3
    pretrained_rate: float = 0.3
    gate_pairs: int = 320
    gate_steps: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("steps", 1, 10_000_000),
            ("pairs_per_step", 2, 1024),
            ("learning_rate", 1e-8, 1.0),
            ("pretrained_rate", 0.0, 1.0),
            ("gate_pairs", 10, 1_000_000),
            ("gate_steps", 1, 1_000_000),
            ("seed", 0, 2**31 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                nearest = low if value < low else high
                raise SettingError(
                    f"{name} is {value}; allowed: {low} to {high}. The nearest is {nearest}."
                )
