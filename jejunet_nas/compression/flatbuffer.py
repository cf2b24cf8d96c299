"""Flatbuffers without code generated from a schema: tables by slot number, written and read.

A slot is a field's position in its schema's table; a union takes two slots: its type and its value.
"""

from typing import Any

from flatbuffers.table import Table  # type: ignore[import-untyped]


def write(builder: Any, value: str | float | list[Any] | dict[int, Any]) -> int:
    """Write `value` and return its offset.

    Written are a string, a vector of one float, a vector of tables from a list, or a table from a
    dictionary of its fields by slot. A field may also be an int, which takes one byte.
    """
    match value:
        case str():
            return int(builder.CreateString(value))
        case float():
            builder.StartVector(4, 1, 4)
            builder.PrependFloat32(value)
            return int(builder.EndVector())
        case list():
            offsets = [write(builder, each) for each in value]
            builder.StartVector(4, len(offsets), 4)
            for offset in reversed(offsets):
                builder.PrependUOffsetTRelative(offset)
            return int(builder.EndVector())
        case _:
            fields = {k: v if isinstance(v, int) else write(builder, v) for k, v in value.items()}
            builder.StartObject(max(fields, default=-1) + 1)
            for slot, field in fields.items():
                if isinstance(value[slot], int):
                    builder.PrependUint8Slot(slot, field, 0)
                else:
                    builder.PrependUOffsetTRelativeSlot(slot, field, 0)
            return int(builder.EndObject())


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
