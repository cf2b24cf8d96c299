"""Metadata follow the published schema, and change nothing of what a graph computes."""

import contextlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import number_types as types  # type: ignore[import-untyped]
from flatbuffers.table import Table  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.compression.metadata import (
    LABELS,
    add_metadata,
    labels_of,
    metadata_of,
    write_metadata,
)
from jejunet_nas.errors import SettingError
from jejunet_nas.litert import Graph, list_operators
from jejunet_nas.records import GRAPH_NAMES
from tests.builders import tiny_run

NAMES = ("background", "dærk <b>", "'quoted'", "on two\nlines")
LINES = ("background", "dærk <b>", "'quoted'", "on two lines")


@pytest.fixture(scope="module")
def plain() -> bytes:
    return tiny_run().graphs["key"].read_bytes()


@pytest.fixture(scope="module")
def described(plain: bytes) -> bytes:
    return add_metadata(plain, "key", NAMES)


@settings(max_examples=60)
@given(data=st.data())
def test_garbled_metadata_are_labels_or_an_error_of_ours(
    described: bytes, data: st.DataObject
) -> None:
    content = bytearray(described)
    for _ in range(data.draw(st.integers(1, 6))):
        # Where flatbuffers keep their tables, and where the zip is.
        place = data.draw(st.integers(0, 400) | st.integers(len(content) - 3000, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))

    with contextlib.suppress(SettingError):
        assert all(isinstance(label, str) for label in labels_of(bytes(content)))


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\xff" * 64, b"\x04\0\0\0TFL3" + b"\xff" * 40])
def test_metadata_of_what_is_no_graph_cannot_be_read(content: bytes) -> None:
    with pytest.raises(SettingError, match=r"the file is not a \.tflite graph: "):
        labels_of(content)


def test_labels_that_unpack_without_end_are_refused(plain: bytes) -> None:
    named = add_metadata(plain, "key", NAMES)
    file = io.BytesIO(named[: named.index(b"PK\3\4")])
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(LABELS, "a\n" * (1 << 20))

    with pytest.raises(SettingError, match=r"labels\.txt cannot be read \(.*longer than 1048576"):
        labels_of(file.getvalue())


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


def table_in(table: Table, slot: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(4 + 2 * slot)))


def floats(table: Table) -> list[float]:
    """The first value of each vector in the slots 0 and 1."""
    starts = (table.Vector(table.Offset(4 + 2 * slot)) for slot in (0, 1))
    return [float(table.Get(types.Float32Flags, start)) for start in starts]


def tensors(graph: bytes, slot: int) -> list[Table]:
    """The tables TensorMetadata of the inputs (slot 2) or outputs (slot 3)."""
    (subgraph,) = tables_in(root_of(metadata_of(graph)), 3)
    return tables_in(subgraph, slot)


def test_what_is_written_follows_the_schema(described: bytes) -> None:
    root = root_of(metadata_of(described))
    (image,), (class_map, context) = tensors(described, 2), tensors(described, 3)

    assert [bytes_in(root, slot) for slot in (0, 7)] == [b"key graph", b"1.0.0"]
    assert b"Segments a keyframe" in bytes_in(root, 1)
    assert [bytes_in(each, 0) for each in (image, class_map, context)] == [
        *(b"image", b"class_map", b"context")
    ]
    kinds = [number_in(table_in(each, 3), 0, types.Uint8Flags) for each in (image, context)]
    assert kinds == [2, 1]  # ImageProperties, FeatureProperties
    (unit,) = tables_in(image, 4)
    assert number_in(unit, 0, types.Uint8Flags) == 1  # NormalizationOptions
    assert floats(table_in(unit, 1)) == [127.5, 127.5]
    assert floats(table_in(image, 5)) == [1.0, -1.0]  # Stats: max, min
    (file,) = tables_in(class_map, 6)
    assert (bytes_in(file, 0), number_in(file, 2, types.Int8Flags)) == (LABELS.encode(), 3)
    assert tables_in(context, 6) == []


def test_all_tensors_of_a_network_are_described(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in GRAPH_NAMES}
    for name, file in files.items():
        file.write_bytes(tiny_run().graphs[name].read_bytes())

    write_metadata(files, NAMES)

    for file in files.values():
        graph = Graph(file)
        for slot, names in ((2, graph.input_names), (3, graph.output_names)):
            assert [bytes_in(t, 0).decode() for t in tensors(file.read_bytes(), slot)] == [*names]
    labels = {name: labels_of(file.read_bytes()) for name, file in files.items()}
    assert labels == {"key": LINES, "propagate": LINES, "gate": ()}
    assert not zipfile.is_zipfile(files["gate"])


def test_outputs_are_equal_bit_for_bit_and_every_operator_is_delegated_as_before(
    plain: bytes, described: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "key.tflite"
    file.write_bytes(described)
    before, after = Graph(tiny_run().graphs["key"]), Graph(file)

    for frame in tiny_run().val_frames[:3]:
        wanted, found = before.run(image=frame[None]), after.run(image=frame[None])
        assert wanted.keys() == found.keys()
        np.testing.assert_equal(found, wanted)
    assert after.not_delegated() == before.not_delegated()
    assert after.tensors == before.tensors
    assert list_operators(file) == list_operators(tiny_run().graphs["key"])
    assert len(described) - len(plain) < 3000


def test_the_labels_are_a_zip_behind_the_graph_and_one_graph_gives_one_file(
    plain: bytes, described: bytes
) -> None:
    with zipfile.ZipFile(io.BytesIO(described)) as archive:
        assert archive.namelist() == [LABELS]
        assert archive.read(LABELS).decode() == "".join(f"{line}\n" for line in LINES)
    assert add_metadata(plain, "key", NAMES) == described


def test_identifiers_are_where_the_format_has_them(described: bytes) -> None:
    assert described[4:8] == b"TFL3"
    at = described.index(b"M001") - 4
    assert at % 4 == 0  # aligned: no field of the schema that is written is wider
    (root,) = struct.unpack_from("<I", described, at)
    assert 0 < root < 1000


def test_metadata_that_are_missing_or_of_another_type_are_named(
    plain: bytes, described: bytes
) -> None:
    assert metadata_of(plain) == b""
    for graph in (plain, described.replace(b"M001", b"M002")):
        with pytest.raises(SettingError, match=r"TFLITE_METADATA is missing or is not of type M0"):
            labels_of(graph)


def test_labels_that_cannot_be_read_are_refused(described: bytes) -> None:
    with pytest.raises(SettingError, match=r"its labels\.txt cannot be read"):
        labels_of(described[: described.index(b"PK\x03\x04")])
