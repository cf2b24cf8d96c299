"""How a trained network is compressed: one frozen settings class a method.

Methods are applied one after the other (`chain`): what makes a network smaller, then one of the
formats that its graphs can be written in.
"""

import dataclasses
from typing import Literal, TypeAlias, get_args

from jejunet_nas.datasets.calibration import CalibrationChoice
from jejunet_nas.errors import SettingError, check_choice, check_range
from jejunet_nas.space.architecture import LEAST_PRUNING, MOST_PRUNING

When = Literal["auto", "always", "never"]
PruningKind = Literal["channels", "magnitude"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Float32:
    """No compression: the graphs as they were trained."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Float16:
    """Weights in 16 bits; LiteRT computes in 32."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DynamicRange:
    """Weights in int8; activations are rounded on the fly, each time by their own range."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostTrainingInt8:
    """Full integer quantisation after training: int8 activations, int8 weights per channel.

    `calibration_frames` training frames are run in float to find the range of each activation:
    evenly spread over the clips, drawn at `random`, or as `varied` as can be found. equalize,
    correct_bias: `auto` keeps what brings the rounded network nearer to the float one.
    """

    calibration_frames: int = 8
    calibration_choice: CalibrationChoice = "spread"
    equalize: When = "auto"
    correct_bias: When = "auto"

    def __post_init__(self) -> None:
        check_range("post_training.calibration_frames", self.calibration_frames, 1, 1024)
        check_choice(
            "post_training.calibration_choice", self.calibration_choice, get_args(CalibrationChoice)
        )
        check_choice("post_training.equalize", self.equalize, get_args(When))
        check_choice("post_training.correct_bias", self.correct_bias, get_args(When))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationAware:
    """int8 whose rounding the network was trained with: `steps` more, from the trained weights.

    At five times the rate the widest networks forget what they knew (CONTRIBUTING, "Decisions").
    """

    steps: int = 100
    learning_rate: float = 1e-4
    gate_steps: int = 100

    def __post_init__(self) -> None:
        check_range("quantization_aware.steps", self.steps, 1, 10_000_000)
        check_range("quantization_aware.learning_rate", self.learning_rate, 1e-8, 1.0)
        check_range("quantization_aware.gate_steps", self.gate_steps, 1, 1_000_000)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Takes out the `share` of the weights that matters least, and trains what is left.

    kind: `channels` of the decoder and of the last blocks, which leaves a smaller network; or the
    single weights of least `magnitude`, which leaves zeros, that only a compressed file is smaller
    for.
    """

    kind: PruningKind = "channels"
    share: float = 0.5
    steps: int = 150
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        check_choice("pruning.kind", self.kind, get_args(PruningKind))
        check_range("pruning.share", self.share, LEAST_PRUNING, MOST_PRUNING)
        check_range("pruning.steps", self.steps, 1, 10_000_000)
        check_range("pruning.learning_rate", self.learning_rate, 1e-8, 1.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """Leaves each kernel no more than `clusters` values, which a compressed file is smaller for."""

    clusters: int = 16
    steps: int = 150
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_range("clustering.clusters", self.clusters, 3, 256)
        check_range("clustering.steps", self.steps, 1, 10_000_000)
        check_range("clustering.learning_rate", self.learning_rate, 1e-8, 1.0)


Format: TypeAlias = Float32 | Float16 | DynamicRange | PostTrainingInt8 | QuantizationAware
Method: TypeAlias = Pruning | Clustering | Format
Chain: TypeAlias = tuple[Method, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompressionSettings:
    """What a study's trials are compressed by: each method as it is used where one asks for it.

    A trial's own `pruning` overrides the share.
    """

    post_training: PostTrainingInt8 = PostTrainingInt8()
    quantization_aware: QuantizationAware = QuantizationAware()
    pruning: Pruning = Pruning()

    def __post_init__(self) -> None:
        if self.pruning.kind != "channels":
            raise SettingError(
                f"pruning.kind is {self.pruning.kind}; allowed in a search: channels, which leaves "
                "a smaller network to time. Leave kind out; `jejunet-nas compress` prunes by "
                "magnitude."
            )
