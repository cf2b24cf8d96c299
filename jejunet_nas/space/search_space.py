"""SearchSpace: for each dimension of an architecture the values it may take; YAML both ways.

A file lists the choices of each dimension, or a range of whole numbers:

    depth_multiplier: [0.35, 0.5]
    resolution: {from: 128, to: 320, step: 32}     # square; "192x320" is height x width
    reuse_below: [off, 0.05]

`asynchronous`, `pruning` and `quantization` may be left out: off, 0 and post_training then.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.files import read_mapping
from jejunet_nas.space.architecture import Architecture, Network, Policy

Choice: TypeAlias = bool | int | float | str | None

# Any other dimension may be set in this one to any value that is allowed at all.
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
_TYPES: dict[str, tuple[type, ...]] = {
    "depth_multiplier": (float, int),
    "last_block": (int,),
    "output_stride": (int,),
    "decoder_channels": (int,),
    "detail": (str,),
    "logit_stride": (int,),
    "resolution": (int, str),
    "keyframe_interval": (int,),
    "between_keyframes": (str,),
    "reuse_below": (float, int, type(None)),
    "refresh_above": (float, int, type(None)),
    "asynchronous": (bool,),
    "pruning": (float, int),
    "quantization": (str,),
}
_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a word",
    bool: "on or off",
    type(None): "off",
}


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
    pruning: tuple[float, ...] = (0.0,)
    quantization: tuple[str, ...] = ("post_training",)

    def __post_init__(self) -> None:
        for name, choices in self.choices().items():
            _check_choices(name, choices)
        if True in self.asynchronous and "propagate" not in self.between_keyframes:
            raise SettingError(
                "asynchronous holds on and between_keyframes no propagate, which is what frames "
                "get then; allowed: both. Add propagate, or remove on."
            )
        reuse = [value for value in self.reuse_below if value is not None]
        refresh = [value for value in self.refresh_above if value is not None]
        if reuse and refresh and max(reuse) >= min(refresh):
            raise SettingError(
                f"reuse_below holds {max(reuse)}; allowed: less than every refresh_above, whose "
                f"least is {min(refresh)}. Lower the first or raise the second."
            )

    def choices(self) -> dict[str, tuple[Choice, ...]]:
        """Return the choices of each dimension by its name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


DIMENSIONS = tuple(field.name for field in dataclasses.fields(SearchSpace))
_OPTIONAL = ("asynchronous", "pruning", "quantization")


def read_search_space(file: Path) -> SearchSpace:
    """Return the space in a YAML file. Raises `SettingError` naming file, key and value."""
    return space_from_mapping(read_mapping(file), str(file))


def space_from_mapping(content: Mapping[str, Any], where: str) -> SearchSpace:
    """Return the space that `content` lists; errors begin with `where`."""
    for name in content:
        if name not in DIMENSIONS:
            raise SettingError(
                f"{where}: {name} is no dimension; allowed: {', '.join(DIMENSIONS)}."
                f"{closest(str(name), DIMENSIONS)}"
            )
    missing = [name for name in DIMENSIONS if name not in content and name not in _OPTIONAL]
    if missing:
        raise SettingError(
            f"{where}: {missing[0]} is missing; allowed: every dimension, with a choice at least. "
            f"Add a line `{missing[0]}: [...]`."
        )
    try:
        choices: dict[str, Any] = {
            name: _expand(name, content[name]) for name in DIMENSIONS if name in content
        }
        return SearchSpace(**choices)
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None


def to_yaml(space: SearchSpace) -> str:
    """Return the YAML text that reads back as `space`."""
    content = {
        name: [in_yaml(choice) for choice in choices] for name, choices in space.choices().items()
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)


def in_yaml(choice: Choice) -> int | float | str:
    """Return `choice` as a file has it."""
    return "off" if choice is None else choice


def in_words(choice: Choice) -> str:
    """Return `choice` as one who writes a file would say it."""
    if isinstance(choice, bool):
        return "on" if choice else "off"
    return str(in_yaml(choice))


def size_of(resolution: Choice) -> tuple[int, int]:
    """Return (height, width) of a resolution choice. Raises `SettingError`."""
    if isinstance(resolution, int):
        return resolution, resolution
    height, cross, width = str(resolution).partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise SettingError(
            f"resolution holds {resolution}; allowed: a side such as 256, or HEIGHTxWIDTH such as "
            "192x320. Write one of these."
        )
    if height == width:
        raise SettingError(
            f"resolution holds {resolution}; allowed for a square: its side. Write {height}."
        )
    return int(height), int(width)


def _expand(name: str, value: Any) -> tuple[Choice, ...]:
    if isinstance(value, dict):
        return _expand_range(name, value)
    if not isinstance(value, list):
        raise SettingError(
            f"{name} is {value}; allowed: a list of choices, or a range. Write [{value}] for "
            "one choice."
        )
    return tuple(_plain(name, choice) for choice in value)


def _expand_range(name: str, value: dict[str, Any]) -> tuple[Choice, ...]:
    whole = {k: v for k, v in value.items() if isinstance(v, int) and not isinstance(v, bool)}
    steps = whole.get("step", 1)
    if set(whole) != set(value) or not {"from", "to"} <= set(whole) <= {"from", "to", "step"}:
        raise SettingError(
            f"{name} is {value}; allowed: {{from: 1, to: 12}}, with a step where one is wanted, "
            "all whole numbers. Write it so, or as a list."
        )
    if steps < 1 or whole["to"] < whole["from"]:
        raise SettingError(
            f"{name} runs from {whole['from']} to {whole['to']} by {steps}; allowed: upwards. "
            "Exchange the ends, or use a positive step."
        )
    return tuple(_plain(name, each) for each in range(whole["from"], whole["to"] + 1, steps))


def _plain(name: str, choice: Any) -> Choice:
    """Check the choice's type; `off`, which YAML 1.1 reads as false, becomes None."""
    allowed: tuple[Any, ...] = _TYPES[name]
    if type(None) in allowed and (choice is False or choice == "off"):
        return None
    if (
        choice is None
        or isinstance(choice, bool) is not (bool in allowed)
        or not isinstance(choice, allowed)
    ):
        kinds = [kind for kind in allowed if not (kind is int and float in allowed)]
        words = " or ".join(_WORDS[kind] for kind in kinds)
        raise SettingError(f"{name} holds {choice!r}; allowed: {words}. Mend that choice.")
    plain: Choice = float(choice) if float in allowed else choice
    return plain


def _check_choices(name: str, choices: tuple[Choice, ...]) -> None:
    if not choices:
        raise SettingError(f"{name} has no choices; allowed: one at least. Add one to its list.")
    twice = [choice for position, choice in enumerate(choices) if choice in choices[:position]]
    if twice:
        raise SettingError(f"{name} holds {in_words(twice[0])} twice; allowed: once. Remove one.")
    for choice in choices:
        try:
            set_dimension(_EXAMPLE, name, choice)
        except SettingError as error:
            raise SettingError(
                str(error) if str(error).startswith(name) else f"{name}: {error}"
            ) from None


def set_dimension(architecture: Architecture, name: str, choice: Choice) -> Architecture:
    """Return `architecture` with one dimension set. Raises `SettingError` where it may not be."""
    network, policy = architecture.network, architecture.policy
    if name == "resolution":
        height, width = size_of(choice)
        network = dataclasses.replace(network, input_height=height, input_width=width)
    elif name in {field.name for field in dataclasses.fields(Network)}:
        changes: dict[str, Any] = {name: choice}
        if "none" in (choice, network.detail):  # no detail leaves these no choice
            changes["logit_stride"] = changes.get("output_stride", network.output_stride)
            policy = dataclasses.replace(policy, between_keyframes="reuse")
        network = dataclasses.replace(network, **changes)
    elif name == "keyframe_interval":
        policy = Policy(
            keyframe_interval=choice,  # type: ignore[arg-type]
            between_keyframes="propagate" if network.propagates else "reuse",
        )
    else:
        policy = dataclasses.replace(policy, **{name: choice})  # type: ignore[arg-type]
    return Architecture(network=network, policy=policy)
