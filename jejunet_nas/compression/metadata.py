"""LiteRT metadata: what a `.tflite` file tells tools that do not know this project.

    graph with metadata = flatbuffer with one more buffer, TFLITE_METADATA | zip of labels.txt

The buffer is itself a flatbuffer. LiteRT reads up to the end of the outer flatbuffer; tools find
the zip from the end of the file. `compress` writes the metadata once, so that a bundle holds the
graphs of its study byte for byte. Metadata do not change what a graph computes.

The buffer's tables and their slots are those of `metadata_schema.fbs` in
github.com/tensorflow/tflite-support (version 1.1.0, identifier M001). TensorFlow and LiteRT ship
generated code for the graph's schema, but not for this one.
"""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.litert import metadata_buffer, vouch_for
from jejunet_nas.records import GraphName
from jejunet_nas.records.words import one_line

NAME = "TFLITE_METADATA"
LABELS = "labels.txt"
IDENTIFIER = b"M001"
MOST_LABEL_BYTES = 1 << 20
# What flatbuffers, NumPy and zipfile raise for garbage; a RuntimeError for unknown compression too.
_UNREADABLE = (
    *(struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, EOFError, RuntimeError),
    *(KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError),
)
PARSER_VERSION = "1.0.0"  # of the schema: no field used here was added later
MEAN = STD = 127.5  # (pixel - MEAN) / STD is in [-1, 1]; the graphs normalise by themselves

_ABOUT: dict[GraphName, str] = {
    "key": "Segments a keyframe, and returns the context for the frames after it.",
    "propagate": "Segments a frame with the context of the last keyframe.",
    "gate": "Estimates how outdated the mask of the last keyframe is.",
}
_TENSORS = {
    "image": "The frame: uint8 RGB pixels. The graph normalises them to [-1, 1].",
    "context": "Deep features of a keyframe, which the frames after it are decoded with.",
    "now": "Thumbnail of this frame: means of 8 x 8 pixels, rounded down; uint8 RGB.",
    "keyframe": "Thumbnail of the last keyframe.",
    "class_map": "The mask: one class index per pixel.",
    "score": "Expected share of pixels whose class differs, 0 to 1 once dequantised.",
}
_IMAGES = ("image", "now", "keyframe")
_IMAGE, _FEATURE = 2, 1  # of the union ContentProperties
_RGB = 1
_NORMALIZATION = 1  # of the union ProcessUnitOptions
_VALUE_LABELS = 3  # an associated file that names the tensor's values
_MOST_BYTES = 1 << 20  # of the labels
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest: the same graph always gives the same bytes


def write_metadata(files: Mapping[GraphName, Path], class_names: Sequence[str]) -> None:
    """Add metadata to the graphs in `files`, in place."""
    for name, file in files.items():
        file.write_bytes(add_metadata(file.read_bytes(), name, class_names))


def add_metadata(graph: bytes, name: GraphName, class_names: Sequence[str]) -> bytes:
    """Return `graph` with metadata, and with its labels if it returns a class map."""
    # Here, since `verify` reads metadata and must start without TensorFlow.
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(graph))
    (subgraph,) = model.subgraphs
    inputs, outputs = (
        [subgraph.tensors[tensor].name.decode() for tensor in tensors]
        for tensors in (subgraph.inputs, subgraph.outputs)
    )
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_metadata(name, inputs, outputs), np.uint8)
    entry.name, entry.buffer = NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    described = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    if "class_map" in outputs:
        described = _with_labels(described, class_names)
    vouch_for(described)
    return described


def metadata_of(graph: bytes) -> bytes:
    """Return the metadata of `graph`, a flatbuffer; empty without metadata.

    Raises `SettingError` where it is not a graph or is damaged.
    """
    try:
        return metadata_buffer(graph, NAME)
    except _UNREADABLE as error:
        raise SettingError(f"its {NAME} cannot be read ({_reason(error)}).") from None


def labels_of(graph: bytes) -> tuple[str, ...]:
    """Return the labels in the metadata of `graph`; an empty tuple if the metadata name no labels.

    Raises `SettingError` where metadata or labels are missing or cannot be read.
    """
    data = metadata_of(graph)
    if data[4:8] != IDENTIFIER:
        raise SettingError(f"its {NAME} is missing or is not of type {IDENTIFIER.decode()}.")
    if LABELS.encode() not in data:
        return ()
    try:
        with zipfile.ZipFile(io.BytesIO(graph)) as archive, archive.open(LABELS) as opened:
            content = opened.read(MOST_LABEL_BYTES + 1)
            if len(content) > MOST_LABEL_BYTES:  # the size in the header may lie
                raise ValueError(f"it is longer than {MOST_LABEL_BYTES} bytes")
            return tuple(content.decode().splitlines())
    except _UNREADABLE as error:
        raise SettingError(f"its {LABELS} cannot be read ({_reason(error)}).") from None


def _reason(error: Exception) -> str:
    return shortened(one_line(str(error)), 200)  # zipfile quotes whole names


def _with_labels(graph: bytes, class_names: Sequence[str]) -> bytes:
    file = io.BytesIO(graph)
    with zipfile.ZipFile(file, "a") as archive:
        lines = "".join(f"{one_line(name)}\n" for name in class_names)
        archive.writestr(zipfile.ZipInfo(LABELS, _ZIP_DATE), lines)
    return file.getvalue()


def _metadata(name: GraphName, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    subgraph = {2: [_tensor(each) for each in inputs], 3: [_tensor(each) for each in outputs]}
    root = {0: f"{name} graph", 1: _ABOUT[name], 3: [subgraph], 7: PARSER_VERSION}
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, root), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _tensor(name: str) -> dict[int, Any]:
    fields: dict[int, Any] = {0: name, 1: _TENSORS[name], 3: {0: _FEATURE, 1: {}}}
    if name in _IMAGES:
        fields[3] = {0: _IMAGE, 1: {0: _RGB}}
        fields[4] = [{0: _NORMALIZATION, 1: {0: MEAN, 1: STD}}]
        fields[5] = {0: 1.0, 1: -1.0}  # the highest and lowest value after normalisation
    if name == "class_map":
        fields[6] = [{0: LABELS, 2: _VALUE_LABELS}]
    return fields


def _write(builder: Any, value: str | float | list[Any] | dict[int, Any]) -> int:
    """Write a string, a vector of one float or of tables, or a table; return its offset.

    A table is a dictionary of its fields by slot; an int takes one byte.
    """
    match value:
        case str():
            return int(builder.CreateString(value))
        case float():
            builder.StartVector(4, 1, 4)
            builder.PrependFloat32(value)
            return int(builder.EndVector())
        case list():
            offsets = [_write(builder, each) for each in value]
            builder.StartVector(4, len(offsets), 4)
            for offset in reversed(offsets):
                builder.PrependUOffsetTRelative(offset)
            return int(builder.EndVector())
        case _:
            fields = {k: v if isinstance(v, int) else _write(builder, v) for k, v in value.items()}
            builder.StartObject(max(fields, default=-1) + 1)
            for slot, field in fields.items():
                if isinstance(value[slot], int):
                    builder.PrependUint8Slot(slot, field, 0)
                else:
                    builder.PrependUOffsetTRelativeSlot(slot, field, 0)
            return int(builder.EndObject())
