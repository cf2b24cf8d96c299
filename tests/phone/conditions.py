"""The phone's live conditions, each a small file that its programs read and write too.

A test sets `phone.awake = False`; the sandbox's `dumpsys` reads the file `awake`, its `input`
writes it. Values are stored as JSON, which a shell script reads well enough.
"""

import json
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, overload

T = TypeVar("T")


class HasConditions(Protocol):
    """What a class needs to have `Condition` attributes."""

    conditions: Path


class Condition(Generic[T]):
    """An attribute that lives in a file of the folder `conditions`, named as the attribute is."""

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, phone: None, owner: type) -> "Condition[T]": ...
    @overload
    def __get__(self, phone: HasConditions, owner: type) -> T: ...
    def __get__(self, phone: HasConditions | None, owner: type) -> Any:
        if phone is None:
            return self
        return json.loads((phone.conditions / self._name).read_text())

    def __set__(self, phone: HasConditions, value: T) -> None:
        """Store `value`; a program that reads at this moment finds the old or the new one."""
        new = phone.conditions / f".{self._name}"
        new.write_text(json.dumps(value) + "\n")
        new.replace(phone.conditions / self._name)

    def reset(self, phone: HasConditions) -> None:
        """Store the value that a phone begins with."""
        self.__set__(phone, self._default)
