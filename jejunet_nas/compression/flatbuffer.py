"""Flatbuffer tables by slot number, written and read without code generated from a schema.

A slot is a field's position in its schema's table; a union takes two slots: its type and its value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatbuffers.table import Table  # type: ignore[import-untyped]


def write_table(builder: Any, fields: Mapping[int, tuple[str, Any]]) -> int:
    """Write a table of `fields` by slot, each its type and value or offset; return its offset."""
    put: dict[str, Callable[..., None]] = {
        "offset": builder.PrependUOffsetTRelativeSlot,
        "uint8": builder.PrependUint8Slot,
        "int8": builder.PrependInt8Slot,
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (kind, value) in fields.items():
        put[kind](slot, value, 0)
    return int(builder.EndObject())


def write_vector(builder: Any, offsets: Sequence[int]) -> int:
    """Write a vector of tables, given by their offsets; return its offset."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def write_float(builder: Any, value: float) -> int:
    """Write a vector of one float; return its offset."""
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return int(builder.EndVector())


def root_of(data: bytes) -> Table:
    """Return the root table of a flatbuffer."""
    return Table(data, int.from_bytes(data[:4], "little"))


def tables_in(table: Table, slot: int) -> list[Table]:
    """Return the tables of the vector in `slot`; an empty list without a vector."""
    offset = table.Offset(4 + 2 * slot)
    if not offset:
        return []
    start = table.Vector(offset)
    places = (table.Indirect(start + 4 * number) for number in range(table.VectorLen(offset)))
    return [Table(table.Bytes, place) for place in places]


def bytes_in(table: Table, slot: int) -> bytes:
    """Return the bytes of the string or byte vector in `slot`; empty without one."""
    offset = table.Offset(4 + 2 * slot)
    if not offset:
        return b""
    start = table.Vector(offset)
    return bytes(table.Bytes[start : start + table.VectorLen(offset)])


def number_in(table: Table, slot: int, flags: Any) -> int:
    """Return the number of type `flags` in `slot`; 0 without one."""
    offset = table.Offset(4 + 2 * slot)
    return int(table.Get(flags, table.Pos + offset)) if offset else 0
