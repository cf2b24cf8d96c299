"""LiteRT metadata: what a `.tflite` file says of itself to tools that know nothing of this project.

    graph with metadata = head | the graph, byte for byte | padding | zip of labels.txt

The head is a new root of the flatbuffer, with one buffer more than the old one had: the metadata,
a flatbuffer of its own, named `TFLITE_METADATA`. All else it refers to where it lies in the old
graph, since a flatbuffer's references are relative and point forward. LiteRT reads up to the
flatbuffer's end; the zip behind it is found from the file's end.

Tables and their slots are those of `metadata_schema.fbs` in github.com/tensorflow/tflite-support
(schema version 1.1.0, identifier M001) and, for the graph, of LiteRT's `schema.fbs` (TFL3).
"""

import dataclasses
import io
import zipfile
from collections.abc import Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers import number_types as types
from flatbuffers.table import Table  # type: ignore[import-untyped]

from jejunet_nas.errors import SettingError
from jejunet_nas.export.flat import (
    number_in,
    place_of,
    places_in,
    root_of,
    table_in,
    tables_in,
    text_in,
    write_float,
    write_table,
    write_vector,
)

NAME = "TFLITE_METADATA"
LABELS = "labels.txt"
IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"  # of the schema: nothing here came later
MEAN = STD = 127.5  # (pixel - MEAN) / STD lies in [-1, 1]; the graphs do it themselves

_GRAPH_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of the graph's buffers
_BUFFERS, _METADATA, _VERSION = 4, 6, 0  # of Model
_MODEL_SLOTS = 8
_IMAGE, _FEATURE = 2, 1  # of the union ContentProperties
_RGB = 1
_NORMALIZATION = 1  # of the union ProcessUnitOptions
_VALUE_LABELS = 3  # an associated file that names the tensor's values
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest: one bundle is one sequence of bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TensorNote:
    """What is said of one input or output.

    picture: whether it holds RGB pixels, normalised as the graph does it. labels: whether its
    values are classes.
    """

    name: str
    description: str
    picture: bool = False
    labels: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphNote:
    """What is said of one graph; tensors in the order in which the graph has them."""

    name: str
    description: str
    version: str
    inputs: tuple[TensorNote, ...]
    outputs: tuple[TensorNote, ...]


def add_metadata(graph: bytes, note: GraphNote, labels: Sequence[str]) -> bytes:
    """Return `graph` with `note` in it and the classes behind it, one a line."""
    has_labels = any(tensor.labels for tensor in note.outputs)
    made = _with_buffer(graph, _metadata(note))
    if not has_labels:
        return made
    file = io.BytesIO(made)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS, _ZIP_DATE), "".join(f"{n}\n" for n in labels))
    return file.getvalue()


def read_metadata(graph: bytes) -> tuple[GraphNote, tuple[str, ...]]:
    """Return what `graph` says of itself, and its labels; none where no tensor has any.

    Raises `SettingError` where it says nothing, or says it wrongly.
    """
    try:
        note = _read_note(_buffer(graph))
        if not any(tensor.labels for tensor in note.outputs):
            return note, ()
        with zipfile.ZipFile(io.BytesIO(graph)) as archive:
            return note, tuple(archive.read(LABELS).decode().splitlines())
    except (KeyError, ValueError, TypeError, IndexError, zipfile.BadZipFile) as error:
        raise SettingError(
            f"its metadata cannot be read ({error}); allowed: {NAME} as {IDENTIFIER.decode()}. "
            "Export it again."
        ) from error
    except Exception as error:  # struct.error, and what flatbuffers raises on offsets gone astray
        raise SettingError(
            f"its metadata cannot be read ({type(error).__name__}); allowed: a whole graph. "
            "Copy the whole bundle again."
        ) from error


def _with_buffer(graph: bytes, data: bytes) -> bytes:
    """Return `graph` behind a root that has `data` as one buffer more, by the name `NAME`."""
    model = root_of(graph)
    builder = flatbuffers.Builder(len(graph) + len(data) + 4096)
    builder.Prep(_ALIGNMENT, len(graph))
    builder.head -= len(graph)
    builder.Bytes[builder.head : builder.head + len(graph)] = graph
    end = int(builder.Offset())

    def at(place: int) -> int:
        """Return a place in the old graph as the builder counts, from the end."""
        return end - place

    builder.StartVector(1, len(data), _ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    values = builder.EndVector()
    buffer = write_table(builder, {0: ("offset", values)})
    buffers = [at(place) for place in places_in(model, _BUFFERS)]
    name = builder.CreateString(NAME)
    entry = write_table(builder, {0: ("offset", name), 1: ("uint32", len(buffers))})
    vectors = {
        _BUFFERS: write_vector(builder, [*buffers, buffer]),
        _METADATA: write_vector(
            builder, [*(at(place) for place in places_in(model, _METADATA)), entry]
        ),
    }
    fields: dict[int, tuple[str, Any]] = {
        _VERSION: ("uint32", model.Get(types.Uint32Flags, model.Pos + model.Offset(4)))
    }
    for slot in range(1, _MODEL_SLOTS):
        if slot in vectors:
            fields[slot] = ("offset", vectors[slot])
        elif place := place_of(model, slot):
            fields[slot] = ("offset", at(model.Indirect(place)))
    builder.Finish(write_table(builder, fields), file_identifier=_GRAPH_IDENTIFIER)
    return bytes(builder.Output())


def _metadata(note: GraphNote) -> bytes:
    """Return the table ModelMetadata of `note` as a flatbuffer."""
    builder = flatbuffers.Builder(1024)
    texts = {
        slot: ("offset", builder.CreateString(text))
        for slot, text in (
            (0, note.name),
            (1, note.description),
            (2, note.version),
            (7, PARSER_VERSION),
        )
    }
    subgraph = write_table(
        builder,
        {
            2: ("offset", write_vector(builder, [_tensor(builder, each) for each in note.inputs])),
            3: ("offset", write_vector(builder, [_tensor(builder, each) for each in note.outputs])),
        },
    )
    root = write_table(builder, {**texts, 3: ("offset", write_vector(builder, [subgraph]))})
    builder.Finish(root, file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: Any, note: TensorNote) -> int:
    """Write the table TensorMetadata."""
    fields = {
        0: ("offset", builder.CreateString(note.name)),
        1: ("offset", builder.CreateString(note.description)),
    }
    kind, properties = _FEATURE, write_table(builder, {})
    if note.picture:
        kind, properties = _IMAGE, write_table(builder, {0: ("int8", _RGB)})
        options = {
            0: ("offset", write_float(builder, MEAN)),
            1: ("offset", write_float(builder, STD)),
        }
        unit = {0: ("uint8", _NORMALIZATION), 1: ("offset", write_table(builder, options))}
        fields[4] = ("offset", write_vector(builder, [write_table(builder, unit)]))
        ends = {0: ("offset", write_float(builder, 1.0)), 1: ("offset", write_float(builder, -1.0))}
        fields[5] = ("offset", write_table(builder, ends))
    if note.labels:
        file = {0: ("offset", builder.CreateString(LABELS)), 2: ("int8", _VALUE_LABELS)}
        fields[6] = ("offset", write_vector(builder, [write_table(builder, file)]))
    content = {0: ("uint8", kind), 1: ("offset", properties)}
    fields[3] = ("offset", write_table(builder, content))
    return write_table(builder, fields)


def _buffer(graph: bytes) -> bytes:
    """Return the metadata of `graph`. Raises `KeyError` where it has none."""
    model = root_of(graph)
    for entry in tables_in(model, _METADATA):
        if text_in(entry, 0) == NAME:
            table = Table(graph, places_in(model, _BUFFERS)[number_in(entry, 1, types.Uint32Flags)])
            offset = table.Offset(4)
            start, length = table.Vector(offset), table.VectorLen(offset)
            return graph[start : start + length]
    raise KeyError(f"no {NAME}")


def _read_note(data: bytes) -> GraphNote:
    if data[4:8] != IDENTIFIER:
        raise ValueError(f"identifier {data[4:8]!r}")
    root = root_of(data)
    (subgraph,) = tables_in(root, 3)
    if text_in(root, 7) != PARSER_VERSION:
        raise ValueError(f"min_parser_version {text_in(root, 7)!r}")
    return GraphNote(
        name=text_in(root, 0),
        description=text_in(root, 1),
        version=text_in(root, 2),
        inputs=tuple(map(_read_tensor, tables_in(subgraph, 2))),
        outputs=tuple(map(_read_tensor, tables_in(subgraph, 3))),
    )


def _read_tensor(table: Table) -> TensorNote:
    picture = number_in(table_in(table, 3), 0, types.Uint8Flags) == _IMAGE
    if picture and _normalisation(table) != (MEAN, STD):
        raise ValueError(f"normalisation {_normalisation(table)}")
    files = {text_in(file, 0): number_in(file, 2, types.Int8Flags) for file in tables_in(table, 6)}
    return TensorNote(
        name=text_in(table, 0),
        description=text_in(table, 1),
        picture=picture,
        labels=files.get(LABELS) == _VALUE_LABELS,
    )


def _normalisation(table: Table) -> tuple[float, ...]:
    """Return mean and standard deviation of a picture's only process unit."""
    (unit,) = tables_in(table, 4)
    options = table_in(unit, 1)
    starts = [options.Vector(options.Offset(4 + 2 * slot)) for slot in (0, 1)]
    return tuple(float(options.Get(types.Float32Flags, start)) for start in starts)
