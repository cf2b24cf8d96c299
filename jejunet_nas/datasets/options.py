"""Options of a data set: each has a frozen settings class, which a study's YAML file fills."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError, closest

Split = Literal["train", "val", "test"]
SEARCHED: tuple[Split, ...] = ("train", "val")  # of every data set; test is kept back

Settings = TypeVar("Settings")


def settings_from(
    kind: type[Settings], dataset: str, options: Mapping[str, Any] | None
) -> Settings:
    """Return the settings class `kind` of `dataset` filled from `options`.

    Raises `SettingError` for an unknown option.
    """
    allowed = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in options or {}:
        if name not in allowed:
            raise SettingError(
                f"{shortened(str(name))} is not an option of the data set {dataset}; "
                f"allowed: {', '.join(allowed)}.{closest(str(name), allowed)}"
            )
    return kind(**(options or {}))


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Raise `SettingError` unless `value` is a whole number from `low` to `high`."""
    if isinstance(value, int) and not isinstance(value, bool):
        if low <= value <= high:
            return
        fix = f"The nearest is {low if value < low else high}."
    else:
        fix = f"Write it as a plain number, as in {name}: {low}."
    quoted = shortened(repr(value))
    raise SettingError(f"{name} is {quoted}; allowed: whole numbers from {low} to {high}. {fix}")


def check_at_most(name: str, value: object, high: int) -> None:
    """Raise `SettingError` unless `value` is None (all) or a whole number from 1 to `high`."""
    if value is not None:
        check_whole(name, value, 1, high)


def check_share(name: str, value: object) -> None:
    """Raise `SettingError` unless `value` is between 0 and 1, both excluded."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return
    quoted = shortened(repr(value))
    raise SettingError(
        f"{name} is {quoted}; allowed: numbers over 0 and under 1. Use 0.1 for a tenth."
    )
