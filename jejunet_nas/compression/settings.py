"""Settings of compression: one frozen class a method.

A chain applies methods that make a network smaller, then writes its graphs in one format.
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
    """No compression: float32 graphs."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Float16:
    """Weights in 16 bits; LiteRT computes in 32."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DynamicRange:
    """Weights in int8; activations are rounded at run time, by their current range."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostTrainingInt8:
    """Full integer quantisation after training: int8 activations, int8 weights per channel.

    `calibration_frames` training frames give the range of each activation: evenly spread over the
    clips, drawn at `random`, or as `varied` as possible. equalize, correct_bias: `auto` keeps the
    correction if it brings the int8 network nearer to the float one.
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
    """int8, after fine-tuning with rounding for `steps` from the trained weights.

    At five times the default rate the widest networks get worse (reports/decisions.md).
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
    """Removes the least important `share` of the weights and fine-tunes the rest.

    kind: `channels` of the decoder and of the last blocks, for a smaller and faster network; or
    `magnitude`: the smallest single weights become zeros, for a smaller compressed file only.
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
    """Gives each kernel at most `clusters` different values, for a smaller compressed file."""

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
    """A study's settings of the methods that its trials can use.

    A trial's own `pruning` replaces the share.
    """

    post_training: PostTrainingInt8 = PostTrainingInt8()
    quantization_aware: QuantizationAware = QuantizationAware()
    pruning: Pruning = Pruning()

    def __post_init__(self) -> None:
        if self.pruning.kind != "channels":
            raise SettingError(
                f"pruning.kind is {self.pruning.kind}; allowed in a search: channels. Leave kind "
                "out; `jejunet-nas compress` prunes by magnitude."
            )
