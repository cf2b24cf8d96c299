"""Tables of a flatbuffer by their slots: written and read without code generated from a schema.

A table's slots are counted as its schema lists the fields, a union for two: its type and its value.
Places are bytes from the buffer's start; offsets, as the builder counts, from its end.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatbuffers.table import Table  # type: ignore[import-untyped]


def write_table(builder: Any, fields: Mapping[int, tuple[str, Any]]) -> int:
    """Write a table of `fields` by slot, each its type and value or offset; return its offset."""
    put: dict[str, Callable[..., None]] = {
        "offset": builder.PrependUOffsetTRelativeSlot,
        "uint32": builder.PrependUint32Slot,
        "uint8": builder.PrependUint8Slot,
        "int8": builder.PrependInt8Slot,
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (kind, value) in fields.items():
        put[kind](slot, value, 0)
    return int(builder.EndObject())


def write_vector(builder: Any, offsets: Sequence[int]) -> int:
    """Write a vector of tables by their offsets; return its own."""
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


def place_of(table: Table, slot: int) -> int:
    """Return the place of the value in `slot`, 0 where there is none."""
    offset = int(table.Offset(4 + 2 * slot))
    return offset and int(table.Pos) + offset


def places_in(table: Table, slot: int) -> list[int]:
    """Return the places of the tables of the vector in `slot`."""
    if not place_of(table, slot):
        return []
    offset = table.Offset(4 + 2 * slot)
    start = table.Vector(offset)
    return [table.Indirect(start + 4 * number) for number in range(table.VectorLen(offset))]


def tables_in(table: Table, slot: int) -> list[Table]:
    """Return the tables of the vector in `slot`; none where there is no vector."""
    return [Table(table.Bytes, place) for place in places_in(table, slot)]


def text_in(table: Table, slot: int) -> str:
    """Return the text in `slot`, empty where there is none."""
    place = place_of(table, slot)
    return table.String(place).decode() if place else ""


def table_in(table: Table, slot: int) -> Table:
    """Return the table in `slot`. Raises `KeyError` where there is none."""
    place = place_of(table, slot)
    if not place:
        raise KeyError(f"slot {slot} is empty")
    return Table(table.Bytes, table.Indirect(place))


def number_in(table: Table, slot: int, flags: Any) -> int:
    """Return the number in `slot`, `flags` its type; 0 where there is none."""
    place = place_of(table, slot)
    return int(table.Get(flags, place)) if place else 0
