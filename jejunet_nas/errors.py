"""Errors a user can fix: each message names the value, what is allowed, and the fix.

Every error takes one finished sentence, so that it crosses process borders unchanged; the command
line prints the sentence alone and exits with the class's `exit_code`.
"""

import difflib
from collections.abc import Iterable, Sequence


class JejunetError(Exception):
    """Base of all errors that are raised on purpose."""

    exit_code = 1


class SettingError(JejunetError):
    """A value in a file, an argument or a record is not allowed."""

    exit_code = 2


class DataError(SettingError):
    """A data set on disk is not what its layout promises."""


class NothingFeasibleError(JejunetError):
    """The search ended, and no architecture meets the target."""

    exit_code = 3


class DeviceError(JejunetError):
    """The phone, or the program that drives it, failed."""

    exit_code = 4


class DeviceAwayError(DeviceError):
    """The phone cannot be reached now; it may come back."""


class StoppedError(JejunetError):
    """A person stopped what was being done; the message says what is kept of it."""

    exit_code = 130


class TrialError(JejunetError):
    """One trial cannot be finished; the study goes on without it."""


def closest(value: str, allowed: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the allowed word nearest to `value`, or ''."""
    matches = difflib.get_close_matches(value, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else ""


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise `SettingError` where `value` is not from `low` to `high`, both included."""
    if not low <= value <= high:
        nearest = low if value < low else high
        raise SettingError(
            f"{name} is {value}; allowed: {low} to {high}. The nearest is {nearest}."
        )


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """Raise `SettingError` where `value` is none of `allowed`."""
    if value not in allowed:
        words = [str(each) for each in allowed]
        raise SettingError(
            f"{name} is {value}; allowed: {', '.join(words)}.{closest(str(value), words)}"
        )
