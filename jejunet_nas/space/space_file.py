"""A search space as YAML: the choices of each dimension, or a range of whole numbers.

    depth_multiplier: [0.35, 0.5]
    resolution: {from: 128, to: 320, step: 32}     # square; "192x320" is height x width
    reuse_below: [off, 0.05]

`asynchronous`, `ahead`, `pruning` and `quantization` are optional; their defaults are off, off,
0 and post_training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.files import read_mapping
from jejunet_nas.space.search_space import (
    DIMENSIONS,
    Choice,
    SearchSpace,
    check_choice_of,
    check_count,
)

_OPTIONAL = ("asynchronous", "ahead", "pruning", "quantization")
_OFF = type(None)
_WORDS = {int: "a whole number", float: "a number", str: "a word", bool: "on or off", _OFF: "off"}


def read_search_space(file: Path) -> SearchSpace:
    """Return the space in a YAML file. Raises `SettingError` naming file, key and value."""
    return space_from_mapping(read_mapping(file), str(file))


def space_from_mapping(content: Mapping[str, Any], where: str) -> SearchSpace:
    """Return the space that `content` lists; errors begin with `where`."""
    for name in content:
        if name not in DIMENSIONS:
            raise SettingError(
                f"{where}: {shortened(str(name))} is not a dimension; allowed: "
                f"{', '.join(DIMENSIONS)}.{closest(str(name), DIMENSIONS)}"
            )
    for name in DIMENSIONS:
        if name not in content and name not in _OPTIONAL:
            raise SettingError(f"{where}: {name} is missing. Add a line `{name}: [...]`.")
    try:
        choices: dict[str, Any] = {
            name: _expand(name, content[name]) for name in DIMENSIONS if name in content
        }
        return SearchSpace(**choices)
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None


def _expand(name: str, value: Any) -> tuple[Choice, ...]:
    if isinstance(value, dict):
        value = _range(name, value)
    if not isinstance(value, list | range):
        quoted = shortened(str(value))
        raise SettingError(
            f"{name} is {quoted}; allowed: a list of choices, or a range. Write [{quoted}] for one "
            "choice."
        )
    check_count(name, len(value))
    return tuple(_choice(name, each) for each in value)


def _range(name: str, value: dict[str, Any]) -> range:
    whole = {k: v for k, v in value.items() if isinstance(v, int) and not isinstance(v, bool)}
    step = whole.get("step", 1)
    if set(whole) != set(value) or not {"from", "to"} <= set(whole) <= {"from", "to", "step"}:
        raise SettingError(
            f"{name} is {shortened(str(value))}; allowed: {{from: 1, to: 12}} or "
            "{from: 1, to: 12, step: 2}, with whole numbers. Write a range like these, or a list."
        )
    if step < 1 or whole["to"] < whole["from"]:
        raise SettingError(
            f"{name} runs from {whole['from']} to {whole['to']} in steps of {step}, which gives no "
            "choice. Swap the ends, or use a positive step."
        )
    for end in (whole["from"], whole["to"]):  # before the range is written out
        check_choice_of(name, _choice(name, end))
    check_count(name, (whole["to"] - whole["from"]) // step + 1)
    return range(whole["from"], whole["to"] + 1, step)


def _choice(name: str, choice: Any) -> Choice:
    """Return `choice` in the dimension's type; `off`, which is false in YAML 1.1, becomes None."""
    kind, _ = get_args(get_type_hints(SearchSpace)[name])  # of tuple[kind, ...]
    kinds: tuple[Any, ...] = get_args(kind) or (kind,)
    if _OFF in kinds and (choice is False or choice == "off"):
        return None
    allowed = (*kinds, int) if float in kinds else kinds
    if (
        choice is None
        or isinstance(choice, bool) is not (bool in kinds)
        or not isinstance(choice, allowed)
    ):
        words = " or ".join(_WORDS[kind] for kind in kinds)
        raise SettingError(
            f"{name} holds {shortened(repr(choice))}; allowed: {words}. Fix that choice."
        )
    plain: Choice = float(choice) if float in kinds else choice
    return plain
