"""What a graph says of itself is read back, and changes nothing of what it computes."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.export.metadata import (
    LABELS,
    GraphNote,
    TensorNote,
    add_metadata,
    read_metadata,
)
from jejunet_nas.litert import Graph, list_operators
from tests.builders import tiny_run

NOTE = GraphNote(
    name="<script>alert('tüt')</script>, trial 3: key",
    description='Says "hello".',
    version="0123456789ab",
    inputs=(TensorNote(name="image", description="Pixels.", picture=True),),
    outputs=(
        TensorNote(name="class_map", description="Classes.", labels=True),
        TensorNote(name="context", description="Features."),
    ),
)
NAMES = ("background", "dærk <b>", "'quoted'")


@pytest.fixture(scope="module")
def plain() -> bytes:
    return tiny_run().graphs["key"].read_bytes()


@pytest.fixture(scope="module")
def described(plain: bytes) -> bytes:
    return add_metadata(plain, NOTE, NAMES)


def test_what_was_said_is_read_back(described: bytes) -> None:
    assert read_metadata(described) == (NOTE, NAMES)


def test_the_graph_stays_as_it_was_byte_for_byte(plain: bytes, described: bytes) -> None:
    assert plain in described
    assert len(described) - len(plain) < 3000


def test_outputs_are_equal_bit_for_bit_and_every_operator_is_delegated_as_before(
    described: bytes, tmp_path: Path
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


def test_the_labels_are_a_zip_behind_the_graph_and_one_graph_gives_one_file(
    plain: bytes, described: bytes
) -> None:
    with zipfile.ZipFile(io.BytesIO(described)) as archive:
        assert archive.namelist() == [LABELS]
        assert archive.read(LABELS).decode() == "background\ndærk <b>\n'quoted'\n"
    assert add_metadata(plain, NOTE, NAMES) == described


def test_a_graph_without_classes_needs_no_labels(plain: bytes) -> None:
    note = GraphNote(name="g", description="", version="", inputs=(), outputs=())

    described = add_metadata(plain, note, NAMES)

    assert read_metadata(described) == (note, ())
    assert not zipfile.is_zipfile(io.BytesIO(described))


def test_identifiers_are_where_the_format_has_them(described: bytes) -> None:
    assert described[4:8] == b"TFL3"
    # A reader of the published schema finds the metadata's own flatbuffer aligned to 16 bytes.
    at = described.index(b"M001") - 4
    assert at % 16 == 0
    (root,) = struct.unpack_from("<I", described, at)
    assert 0 < root < 1000


def test_a_graph_that_says_nothing_is_told_apart(plain: bytes) -> None:
    with pytest.raises(SettingError, match=r"cannot be read \('no TFLITE_METADATA'\); allowed"):
        read_metadata(plain)


def test_metadata_of_another_kind_are_refused(described: bytes) -> None:
    with pytest.raises(SettingError, match=r"identifier b'M002'"):
        read_metadata(described.replace(b"M001", b"M002"))
    with pytest.raises(SettingError, match=r"normalisation \(127\.5, 1\.0\)"):
        read_metadata(described.replace(struct.pack("<f", 127.5), struct.pack("<f", 1.0), 1))


def test_what_is_no_graph_is_refused() -> None:
    for content in (b"", b"TFL3", bytes(100), b"\xff" * 100):
        with pytest.raises(SettingError, match="its metadata cannot be read"):
            read_metadata(content)
