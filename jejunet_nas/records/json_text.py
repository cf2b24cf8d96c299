"""Records as JSON text, and back."""

from typing import Any, TypeVar

from pydantic import TypeAdapter

Record = TypeVar("Record")

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:  # creating one takes milliseconds
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: Any, *, indent: int | None = None) -> str:
    """Return a record as JSON text."""
    return _adapter(type(record)).dump_json(record, indent=indent).decode()


def from_json(kind: type[Record], text: str | bytes) -> Record:
    """Return the record of type `kind` that `to_json` wrote."""
    record: Record = _adapter(kind).validate_json(text)
    return record
