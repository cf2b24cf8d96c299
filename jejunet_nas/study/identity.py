"""The settings that all trials of a study must share, and the error when they differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from jejunet_nas.errors import SettingError

FORMAT = 4  # of a trial's files; a study of another format cannot be resumed


def require_same(study: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `SettingError` naming the first key of `now` whose value differs from `before`."""
    for key in now:
        for dotted, old, new in _differences(before.get(key), now[key], key):
            raise SettingError(
                f"{dotted} of {study} is {_short(new)}, but its earlier trials were made with "
                f"{_short(old)}. Restore that value, give the study another name, or remove its "
                "state folder."
            )


def _differences(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted key and both values of each difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}")
    elif old != new:
        yield key, old, new


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:197] + "..."
