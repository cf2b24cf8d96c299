"""The starting points of a study: choices that its first trials take from the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.space.search_space import DIMENSIONS, Choice, SearchSpace, in_words


def check_starts(starts: Sequence[Mapping[str, Choice]], space: SearchSpace, file: Path) -> None:
    """Raise `SettingError` if a point in `file` has a dimension or choice not in `space`."""
    for number, start in enumerate(starts):
        where = f"{file}: start_with[{number}]"
        for name, choice in start.items():
            if name not in DIMENSIONS:
                raise SettingError(
                    f"{where}: {name} is no dimension; allowed: {', '.join(DIMENSIONS)}."
                    f"{closest(name, DIMENSIONS)}"
                )
            choices = getattr(space, name)
            switch = isinstance(choices[0], bool)
            if choice not in choices or isinstance(choice, bool) is not switch:
                allowed = ", ".join(map(in_words, choices))
                raise SettingError(
                    f"{where}: {name} is {in_words(choice)}; allowed: {allowed}. "
                    "Use one of these, or add it to the space."
                )


def with_off(start: Any) -> Any:
    """Replace a threshold's `off`, which YAML 1.1 reads as false, by None."""
    if not isinstance(start, dict):
        return start
    return {
        k: None if k != "asynchronous" and (v is False or v == "off") else v
        for k, v in start.items()
    }
