"""Reads the flatbuffer of a `.tflite` file, with every offset checked against the file's bytes.

LiteRT follows offsets without a look: a file with one wrong byte can end the process. The tables
below are those of `schema.fbs` (github.com/google-ai-edge/LiteRT, tflite/converter/schema), as far
as LiteRT reads them for the operators of TensorFlow Lite.

    table = offset to its vtable | fields          vtable = sizes | offset of each field by slot
"""

import dataclasses
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

IDENTIFIER = b"TFL3"
# Of a table and the offset that leads to it, at least. Offsets that share one table could make a
# small file take for ever.
LEAST_TABLE_BYTES = 8

# The fields of each table by slot. A field has a name and what it is: the letter of a scalar (as in
# `struct`), a vector of scalars (* and the letter), a string (s), a table, a vector of tables
# ([Table]), or a union (? and its key in UNIONS), whose type is in the slot before; - is not read.
_SCHEMA = """
Model: version I, operator_codes [OperatorCode], subgraphs [SubGraph], description s, \
    buffers [Buffer], metadata_buffer *i, metadata [Metadata], signatures [SignatureDef]
OperatorCode: old_code b, custom s, version i, code i
SubGraph: tensors [Tensor], inputs *i, outputs *i, operators [Operator], name s
Tensor: shape *i, type b, buffer I, name s, quantization Quantization, variable B, \
    sparsity Sparsity, shape_signature *i, -, variant_tensors [VariantSubType]
VariantSubType: shape *i, type b
Quantization: min *f, max *f, scale *f, zero_point *q, -, details ?quantization, axis i
CustomQuantization: custom *B
BlockwiseQuantization: scales i, zero_points i, block i
Sparsity: traversal_order *i, block_map *i, dimensions [Dimension]
Dimension: format b, dense_size i, -, segments ?index, -, indices ?index
Int32Vector: values *i
Uint16Vector: values *H
Uint8Vector: values *B
Operator: code_index I, inputs *i, outputs *i, -, options ?options, custom_options *B, -, \
    mutating_inputs *B, intermediates *i, large_offset Q, large_size Q, -, options_2 ?options_2
Scalars: -
EmbeddingOptions: -, columns *i, dimensions *i
VectorOptions: values *i
VariableOptions: container s, name s
SubgraphOptions: subgraph i
SubgraphsOptions: subgraph i, other_subgraph i
Buffer: data *B, offset Q, size Q
Metadata: name s, buffer I
SignatureDef: inputs [TensorMap], outputs [TensorMap], key s, -, subgraph I
TensorMap: name s, tensor I
"""
TABLES: Mapping[str, tuple[tuple[int, str, str], ...]] = {
    table: tuple(
        (slot, field.split()[0], field.split()[1])
        for slot, field in enumerate(fields.split(", "))
        if field != "-"
    )
    for table, fields in (line.split(": ") for line in _SCHEMA.strip().splitlines())
}
# The table of each member of a union, and that of all others.
UNIONS: Mapping[str, tuple[Mapping[int, str], str]] = {
    "quantization": ({1: "CustomQuantization", 2: "BlockwiseQuantization"}, "Scalars"),
    "index": ({1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}, "Scalars"),
    "options": (
        {
            **{3: "EmbeddingOptions", 16: "SubgraphOptions", 17: "VectorOptions"},
            **{30: "VectorOptions", 92: "SubgraphsOptions", 93: "SubgraphsOptions"},
            **{103: "SubgraphOptions", 111: "VariableOptions", 115: "VectorOptions"},
        },
        "Scalars",
    ),
    "options_2": ({}, "Scalars"),
}


class DamagedError(ValueError):
    """The bytes are no flatbuffer of a graph; the message says what is wrong with them."""


@dataclasses.dataclass(slots=True)
class Reader:
    """Reads tables of `data`; `tables` counts those that were read."""

    data: bytes
    tables: int = 0

    def model(self) -> dict[str, Any]:
        """Return the file's root table, all tables below it included, by the names of fields.

        Vectors of scalars are read-only arrays over the file's bytes. Raises `DamagedError`.
        """
        if self.data[4:8] != IDENTIFIER:
            raise DamagedError(f"it does not have {IDENTIFIER.decode()} at byte 4")
        return self._table("Model", self._scalar("I", 0))

    def _table(self, kind: str, at: int) -> dict[str, Any]:
        self.tables += 1
        if self.tables * LEAST_TABLE_BYTES > len(self.data):
            raise DamagedError("its tables are more than it has room for")
        vtable = at - self._scalar("i", at)
        slots_bytes, table_bytes = self._scalar("H", vtable), self._scalar("H", vtable + 2)
        if slots_bytes < 4 or slots_bytes % 2 or table_bytes < 4:
            raise DamagedError(f"a {kind} has a table of fields of {slots_bytes} bytes")
        self._inside(vtable, slots_bytes, kind)
        self._inside(at, table_bytes, kind)
        slots = self._vector("H", vtable + 4, slots_bytes // 2 - 2, kind).tolist()
        if any(offset >= table_bytes for offset in slots):
            raise DamagedError(f"a field of a {kind} is outside its table")
        return self._fields(kind, at, slots)

    def _fields(self, kind: str, at: int, slots: list[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for slot, name, what in TABLES[kind]:
            offset = slots[slot] if slot < len(slots) else 0
            if not offset:
                continue
            where = at + offset
            if what.startswith("?"):
                members, others = UNIONS[what[1:]]
                chosen = slots[slot - 1]  # the union's type
                member = self._scalar("B", at + chosen) if chosen else 0
                found[name] = self._table(members.get(member, others), self._target(where))
            elif len(what) == 1 and what != "s":
                found[name] = self._scalar(what, where)
            elif what in TABLES:
                found[name] = self._table(what, self._target(where))
            else:
                found[name] = self._list(what, self._target(where), f"{name} of a {kind}")
        return found

    def _list(self, what: str, at: int, of: str) -> Any:
        count = self._scalar("I", at)
        if what == "s":
            return self._text(at + 4, count, of)
        if what.startswith("*"):
            return self._vector(what[1], at + 4, count, of)
        offsets = self._vector("I", at + 4, count, of).tolist()
        kind = what.strip("[]")
        return [self._table(kind, at + 4 + 4 * i + offset) for i, offset in enumerate(offsets)]

    def _text(self, at: int, count: int, of: str) -> str:
        try:
            return self._vector("B", at, count, of).tobytes().decode()
        except UnicodeDecodeError:  # LiteRT's interpreter cannot return it to Python
            raise DamagedError(f"{of} is not text in UTF-8") from None

    def _target(self, at: int) -> int:
        return at + self._scalar("I", at)

    def _scalar(self, letter: str, at: int) -> int:
        self._inside(at, struct.calcsize(f"<{letter}"), "an offset or a number")
        return int(struct.unpack_from(f"<{letter}", self.data, at)[0])

    def _vector(self, letter: str, at: int, count: int, of: str) -> np.ndarray[Any, Any]:
        kind = np.dtype(f"<{letter}")
        self._inside(at, count * kind.itemsize, of)
        return np.frombuffer(self.data, kind, count, at)

    def _inside(self, at: int, size: int, what: str) -> None:
        if at < 0 or at + size > len(self.data):
            raise DamagedError(f"{what} is outside its {len(self.data):,} bytes")
