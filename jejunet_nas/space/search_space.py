"""SearchSpace: the values that each dimension of an architecture may have."""

import dataclasses
import math
import re
from typing import Any, TypeAlias

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.space.architecture import FOLLOWING, Architecture, Network, Policy

Choice: TypeAlias = bool | int | float | str | None

MOST_CHOICES = 1000  # of one dimension
MOST_POLICIES = 5000  # of a network: all are looked at, which takes some ms each
POLICY_DIMENSIONS = tuple(field.name for field in dataclasses.fields(Policy))
# The dimensions that are on or off.
SWITCHES = tuple(field.name for field in dataclasses.fields(Policy) if field.type is bool)
# Each choice is checked by setting it in this architecture, in which any valid choice fits.
_EXAMPLE = Architecture(
    network=Network(
        depth_multiplier=0.5,
        last_block=16,
        output_stride=16,
        decoder_channels=32,
        detail="shared",
        logit_stride=8,
        input_height=224,
        input_width=224,
    ),
    policy=Policy(keyframe_interval=4),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """The choices of each dimension, in the order in which they are drawn.

    `resolution` is the side of a square, or "HEIGHTxWIDTH"; None in a threshold means off.
    """

    depth_multiplier: tuple[float, ...]
    last_block: tuple[int, ...]
    output_stride: tuple[int, ...]
    decoder_channels: tuple[int, ...]
    detail: tuple[str, ...]
    logit_stride: tuple[int, ...]
    resolution: tuple[int | str, ...]
    keyframe_interval: tuple[int, ...]
    between_keyframes: tuple[str, ...]
    reuse_below: tuple[float | None, ...]
    refresh_above: tuple[float | None, ...]
    asynchronous: tuple[bool, ...] = (False,)
    ahead: tuple[bool, ...] = (False,)
    pruning: tuple[float, ...] = (0.0,)
    quantization: tuple[str, ...] = ("post_training",)

    def __post_init__(self) -> None:
        for name, choices in self.choices().items():
            _check_choices(name, choices)
        policies = math.prod(len(getattr(self, name)) for name in POLICY_DIMENSIONS)
        if policies > MOST_POLICIES:
            raise SettingError(
                f"{', '.join(POLICY_DIMENSIONS)} have {policies} combinations; allowed: up to "
                f"{MOST_POLICIES}, since all policies of each network are scored. Use fewer "
                "keyframe intervals or thresholds."
            )
        if True in self.asynchronous and self.between_keyframes == ("reuse",):
            raise SettingError(
                "asynchronous holds on, but between_keyframes holds none of propagate, warp and "
                "move, one of which the frames between asynchronous keyframes need. Add one, or "
                "remove on."
            )
        if True in self.ahead and not {*FOLLOWING} & {*self.between_keyframes}:
            raise SettingError(
                "ahead holds on, but between_keyframes holds neither warp nor move, whose "
                "motion it needs. Add one, or remove on."
            )
        reuse = [value for value in self.reuse_below if value is not None]
        refresh = [value for value in self.refresh_above if value is not None]
        if reuse and refresh and max(reuse) >= min(refresh):
            raise SettingError(
                f"reuse_below holds {max(reuse)}; allowed: less than every refresh_above, whose "
                f"smallest is {min(refresh)}. Lower the first or raise the second."
            )

    def choices(self) -> dict[str, tuple[Choice, ...]]:
        """Return the choices of each dimension by its name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


DIMENSIONS = tuple(field.name for field in dataclasses.fields(SearchSpace))
NETWORK_DIMENSIONS = tuple(name for name in DIMENSIONS if name not in POLICY_DIMENSIONS)


def in_words(choice: Choice) -> str:
    """Return `choice` as it is written in a search space file: `on`, `off`, or the value."""
    if isinstance(choice, bool):
        return "on" if choice else "off"
    return "off" if choice is None else str(choice)


def size_of(resolution: Choice) -> tuple[int, int]:
    """Return (height, width) of a resolution choice. Raises `SettingError`."""
    if isinstance(resolution, int):
        return resolution, resolution
    height, cross, width = str(resolution).partition("x")
    if not cross or not all(re.fullmatch("[0-9]{1,5}", side) for side in (height, width)):
        raise SettingError(
            f"resolution holds {shortened(str(resolution))}; allowed: a side such as 256, or "
            "HEIGHTxWIDTH such as 192x320. Write one of these."
        )
    if height == width:
        raise SettingError(
            f"resolution holds {resolution}; a square is written as its side. Write {height}."
        )
    return int(height), int(width)


def set_dimension(architecture: Architecture, name: str, choice: Choice) -> Architecture:
    """Return `architecture` with one dimension set. Raises `SettingError` if it is not allowed."""
    network, policy = architecture.network, architecture.policy
    if name == "resolution":
        height, width = size_of(choice)
        network = dataclasses.replace(network, input_height=height, input_width=width)
    elif name in {field.name for field in dataclasses.fields(Network)}:
        changes: dict[str, Any] = {name: choice}
        if "none" in (choice, network.detail):  # without detail these two have only one value
            changes["logit_stride"] = changes.get("output_stride", network.output_stride)
            policy = dataclasses.replace(policy, between_keyframes="reuse", ahead=False)
        network = dataclasses.replace(network, **changes)
    elif name == "keyframe_interval":
        policy = Policy(
            keyframe_interval=choice,  # type: ignore[arg-type]
            between_keyframes="propagate" if network.propagates else "reuse",
        )
    else:
        changes = {name: choice}
        if name == "between_keyframes" and choice not in FOLLOWING:
            changes["ahead"] = False
        if name == "ahead" and choice and not policy.follows_motion:  # which it needs
            changes |= {"between_keyframes": "warp", "reuse_below": None}
        policy = dataclasses.replace(policy, **changes)
    return Architecture(network=network, policy=policy)


def check_count(name: str, count: int) -> None:
    """Raise `SettingError` if a dimension has more choices than a sampler can use."""
    if count > MOST_CHOICES:
        raise SettingError(
            f"{name} has {count} choices; allowed: up to {MOST_CHOICES}. Use a larger step, or "
            "fewer choices."
        )


def check_choice_of(name: str, choice: Choice) -> None:
    """Raise `SettingError` if the dimension `name` cannot have the value `choice`."""
    try:
        set_dimension(_EXAMPLE, name, choice)
    except SettingError as error:
        named = "" if str(error).startswith(name) else f"{name}: "
        raise SettingError(f"{named}{error}") from None


def _check_choices(name: str, choices: tuple[Choice, ...]) -> None:
    if not choices:
        raise SettingError(f"{name} has no choices. Add one to its list.")
    check_count(name, len(choices))
    for position, choice in enumerate(choices):
        if choice in choices[:position]:
            raise SettingError(f"{name} holds {shortened(in_words(choice))} twice. Remove one.")
        check_choice_of(name, choice)
