"""Errors that a user can fix: each message names the value, what is allowed, and the fix.

    output_stride is 12; allowed: 16 or 32. Use 32 for speed, 16 for sharper edges.
    adb did not answer within 20 s. Replug the phone.

"allowed:" is followed by a set or a range of values. If something failed or is missing, the message
says what, and what to do. Each error takes one finished message, so it can be pickled. The command
line prints only the message and exits with the class's `exit_code`.
"""

import difflib
from collections.abc import Iterable, Sequence


class JejunetError(Exception):
    """Base class of all errors of this package."""

    exit_code = 1


class SettingError(JejunetError):
    """A value in a file, an argument or a record is not allowed."""

    exit_code = 2


class DataError(SettingError):
    """A data set on disk does not have the expected layout or content.

    others: the messages of faults that were found together with this one.
    """

    others: tuple[str, ...] = ()


class NothingFeasibleError(JejunetError):
    """The search ended without an architecture that meets the target."""

    exit_code = 3


class DeviceError(JejunetError):
    """The phone, or the program that controls it, failed."""

    exit_code = 4


class DeviceAwayError(DeviceError):
    """The phone is not reachable now; it may come back."""


class MachineError(JejunetError):
    """The disk, the memory or a database of this computer failed."""

    exit_code = 4


class StorageError(MachineError):
    """The database of a study cannot be used now; it may come back."""


class StoppedError(JejunetError):
    """The user interrupted the work; the message says what was saved."""

    exit_code = 130


class TrialError(JejunetError):
    """One trial failed; the study continues without it."""


def closest(value: str, allowed: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the allowed word most similar to `value`, or ''."""
    matches = difflib.get_close_matches(value, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else ""


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise `SettingError` unless low <= value <= high."""
    if not low <= value <= high:
        nearest = low if value < low else high
        raise SettingError(
            f"{name} is {value}; allowed: {low} to {high}. The nearest is {nearest}."
        )


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """Raise `SettingError` unless `value` is one of `allowed`."""
    # 0 equals False in Python, but a file that says 0 does not mean off.
    if not any(value == each and (value is each or not isinstance(each, bool)) for each in allowed):
        words = [str(each).lower() if isinstance(each, bool) else str(each) for each in allowed]
        raise SettingError(
            f"{name} is {str(value)[:100]}; allowed: {', '.join(words)}."
            f"{closest(str(value)[:100], words)}"
        )
