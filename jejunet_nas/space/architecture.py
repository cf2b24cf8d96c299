"""Architecture: one point of the search space, as plain validated values.

The first stage of a trial: a sampler draws an `Architecture`, `networks.build` makes Keras models,
`video.policy` runs them. This module does not import TensorFlow, so that thousands of architectures
can be checked before one is built.

Units: heights and widths in pixels; strides in input pixels per feature pixel.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from jejunet_nas.errors import SettingError, check_choice, check_range

Detail = Literal["shared", "thin", "narrow", "none"]
BetweenKeyframes = Literal["propagate", "warp", "move", "reuse"]
FOLLOWING = ("warp", "move")  # those that follow the motion of the picture
Quantization = Literal["post_training", "quantization_aware"]

GRID_PX = 32  # the deepest stride, so that every feature map has whole pixels
FIRST_BLOCK_AT_STRIDE_32 = 13
LAST_BLOCKS = range(6, 17)  # block 6 is the first at stride 16, block 16 the last of MobileNetV2
LEAST_PRUNING, MOST_PRUNING = 0.01, 0.9  # unless it is 0
PRUNED_BLOCKS = 4  # the last blocks, whose expanded channels are pruned
# These dimensions were added later. Their defaults are left out of the JSON text from which the id
# of a network is computed, so that older ids stay valid.
_LATER = ("pruning", "quantization")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The part of an architecture that is trained.

    depth_multiplier: scales MobileNetV2's channels. last_block: the backbone has the blocks 0 to
    `last_block` and the expansion of the next block. output_stride: of the backbone. detail: the
    kind of high-resolution features that the decoder gets beside the context; "none" means no
    decoder: logits are computed from the context and upsampled (DeepLabv3), and frames between
    keyframes reuse the keyframe's mask. decoder_channels, logit_stride: of the decoder.

    pruning: the share of channels that is removed from the decoder and from inside the last blocks
    after training; the pruned network is fine-tuned. quantization: int8 after training, or
    quantisation-aware training.
    """

    depth_multiplier: float
    last_block: int
    output_stride: int
    decoder_channels: int
    detail: Detail
    logit_stride: int
    input_height: int
    input_width: int
    pruning: float = 0.0
    quantization: Quantization = "post_training"

    def __post_init__(self) -> None:
        check_range("depth_multiplier", self.depth_multiplier, 0.1, 1.4)
        check_choice("last_block", self.last_block, LAST_BLOCKS)
        if self.output_stride not in (16, 32):
            raise SettingError(
                f"output_stride is {self.output_stride}; allowed: 16 or 32. "
                "Use 32 for speed, 16 for sharper edges."
            )
        if self.output_stride == 32 and self.last_block < FIRST_BLOCK_AT_STRIDE_32:
            raise SettingError(
                f"output_stride is 32 with last_block {self.last_block}; stride 32 begins at block "
                f"{FIRST_BLOCK_AT_STRIDE_32}. Use output_stride 16, or a later last_block."
            )
        _check_grid("decoder_channels", self.decoder_channels, 8, 8, 256)
        check_choice("detail", self.detail, get_args(Detail))
        if self.propagates:
            check_choice("logit_stride", self.logit_stride, (4, 8))
        elif self.logit_stride != self.output_stride:
            raise SettingError(
                f"logit_stride is {self.logit_stride} with detail none, where logits have the "
                f"stride of the context; allowed: {self.output_stride}. Use this output_stride."
            )
        _check_grid("input_height", self.input_height, GRID_PX, 64, 1024)
        _check_grid("input_width", self.input_width, GRID_PX, 64, 1024)
        if self.pruning != 0:
            check_range("pruning", self.pruning, LEAST_PRUNING, MOST_PRUNING)
        check_choice("quantization", self.quantization, get_args(Quantization))

    @property
    def propagates(self) -> bool:
        """Whether the propagate path exists: a frame decoded with the context of a keyframe."""
        return self.detail != "none"

    @property
    def as_trained(self) -> "Network":
        """The unpruned network without quantisation-aware training that this one starts from."""
        return dataclasses.replace(self, pruning=0.0, quantization="post_training")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a network runs on video; a policy is not trained.

    keyframe_interval: the largest number of frames from one keyframe to the next.
    between_keyframes: the path of the frames between. They are propagated (their own detail with
    the keyframe's context), with the context as it is or warped by the motion of the picture; or
    the keyframe's mask moves with the picture, or is reused as it is.

    reuse_below, refresh_above: thresholds on the score of the gate, which predicts how much a
    frame's mask differs from the keyframe's (None: off). Below `reuse_below` the frame reuses the
    keyframe's mask, above `refresh_above` it becomes a keyframe.

    asynchronous: the whole network runs in the background, while the following frames use the
    context or the mask of the previous keyframe; only a stream's first frame waits. The next
    keyframe starts when the last one is done and `keyframe_interval` frames have passed since it
    started.

    ahead: where a policy follows the motion of the picture, the screen shows each mask moved on by
    the last motion, as the next frame is expected to look.
    """

    keyframe_interval: int
    between_keyframes: BetweenKeyframes = "propagate"
    reuse_below: float | None = None
    refresh_above: float | None = None
    asynchronous: bool = False
    ahead: bool = False

    def __post_init__(self) -> None:
        check_range("keyframe_interval", self.keyframe_interval, 1, 120)
        check_choice("between_keyframes", self.between_keyframes, get_args(BetweenKeyframes))
        for name in ("reuse_below", "refresh_above"):
            threshold = getattr(self, name)
            if threshold is not None:
                check_range(name, threshold, 0.0, 1.0)
                if not self.spares_frames:
                    why = "keyframe_interval 1, where the gate never runs"
                    self._refuse(name, why, "a longer keyframe_interval")
        if self.reuse_below is not None and self.between_keyframes != "propagate":
            why = f"between_keyframes {self.between_keyframes}, where no frame is propagated"
            self._refuse("reuse_below", why, "between_keyframes propagate")
        if self.asynchronous and self.between_keyframes == "reuse":
            raise SettingError(
                "between_keyframes is reuse with asynchronous on; allowed: propagate, warp, move. "
                "Use one of these, or asynchronous off."
            )
        if self.ahead and not self.follows_motion:
            raise SettingError(
                "ahead is on with a policy that follows no motion; allowed: off. Use off, or "
                "between_keyframes warp or move."
            )
        if self.refresh_above is not None and self.keyframe_interval == 1:
            why = (
                "keyframe_interval 1 and asynchronous on, where a new keyframe always starts as "
                "soon as possible"
            )
            self._refuse("refresh_above", why, "a longer keyframe_interval")
        below, above = self.reuse_below, self.refresh_above
        if below is not None and above is not None and below >= above:
            raise SettingError(
                f"reuse_below is {below}; allowed: less than refresh_above, which is {above}. "
                "Lower the first or raise the second."
            )

    def _refuse(self, name: str, why: str, instead: str) -> None:
        raise SettingError(
            f"{name} is {getattr(self, name)} with {why}; allowed: off. Use off, or {instead}."
        )

    @property
    def spares_frames(self) -> bool:
        """Whether some frames skip the whole network."""
        return self.keyframe_interval > 1 or self.asynchronous

    @property
    def propagates(self) -> bool:
        """Whether the frames between keyframes may be propagated."""
        return self.spares_frames and self.between_keyframes in ("propagate", "warp")

    @property
    def follows_motion(self) -> bool:
        """Whether the motion of the picture is found on each frame, to move masks or contexts."""
        return self.spares_frames and self.between_keyframes in FOLLOWING

    @property
    def moves(self) -> bool:
        """Whether masks move with the picture between keyframes."""
        return self.spares_frames and self.between_keyframes == "move"

    @property
    def gated(self) -> bool:
        """Whether the gate runs on the frames between keyframes."""
        return self.reuse_below is not None or self.refresh_above is not None


EVERY_FRAME = Policy(keyframe_interval=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network and the policy that runs it."""

    network: Network
    policy: Policy

    def __post_init__(self) -> None:
        if self.policy.propagates and not self.network.propagates:
            between = self.policy.between_keyframes
            raise SettingError(
                f"between_keyframes is {between} with detail none, where there is no decoder; "
                "allowed: move, reuse. Use one of these, or keyframe_interval 1."
            )


def canonical_json(value: Network | Policy | Architecture | Mapping[str, Any]) -> str:
    """Return the canonical JSON of `value`: sorted keys, no spaces, shortest floats."""
    plain = dict(value) if isinstance(value, Mapping) else dataclasses.asdict(value)
    if isinstance(value, Network):
        _leave_out_defaults(plain)
    elif isinstance(value, Architecture):
        _leave_out_defaults(plain["network"])
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _leave_out_defaults(network: dict[str, Any]) -> None:
    for field in dataclasses.fields(Network):
        if field.name in _LATER and network[field.name] == field.default:
            del network[field.name]


def network_id(network: Network, recipe: Mapping[str, Any]) -> str:
    """Return the id of `network` trained by `recipe` (plain JSON values): 12 hex digits."""
    text = canonical_json(network) + canonical_json(recipe)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def architecture_from_dict(plain: Mapping[str, Any]) -> Architecture:
    """Return the architecture whose `dataclasses.asdict` is `plain`."""
    return Architecture(network=Network(**plain["network"]), policy=Policy(**plain["policy"]))


def _check_grid(name: str, value: int, step: int, low: int, high: int) -> None:
    if value % step or not low <= value <= high:
        nearest = min(max(round(value / step) * step, low), high)
        raise SettingError(
            f"{name} is {value}; allowed: multiples of {step} from {low} to {high}. "
            f"The nearest is {nearest}."
        )
