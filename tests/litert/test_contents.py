"""Whatever bytes a graph has, they are read whole or refused in one line."""

import contextlib
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.litert.contents import contents_of
from jejunet_nas.litert.flatbuffer import DamagedError
from tests.litert.graphs import changed, small

FLIPS = st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(0, 255)), min_size=1, max_size=4)


def is_read_or_refused(data: bytes) -> None:
    """Read `data`; any other error than the reader's own fails the test."""
    with contextlib.suppress(DamagedError):
        contents_of(data)


def test_our_graphs_are_read() -> None:
    contents = contents_of(small())

    assert [each.shape for each in contents.inputs] == [(1, 4, 4, 4)]
    assert (contents.other_signatures, contents.custom_operators) == ((), frozenset())


@settings(max_examples=200)
@given(flips=FLIPS)
def test_changed_bytes_are_read_or_refused(flips: list[tuple[int, int]]) -> None:
    data = bytearray(small())
    for place, value in flips:
        data[place % len(data)] = value

    is_read_or_refused(bytes(data))


@given(end=st.integers(0, 5000), more=st.binary(max_size=64))
def test_a_cut_graph_is_read_or_refused(end: int, more: bytes) -> None:
    is_read_or_refused(small()[:end] + more)


@given(data=st.binary(max_size=200))
def test_any_bytes_behind_the_identifier_are_read_or_refused(data: bytes) -> None:
    is_read_or_refused(b"\x08\0\0\0TFL3" + data)


def test_tables_that_many_offsets_share_are_not_read_for_ever() -> None:
    builder = flatbuffers.Builder(0)

    def table(**fields: int) -> int:
        builder.StartObject(3)
        for slot, field in fields.items():
            builder.PrependUOffsetTRelativeSlot(int(slot[1:]), field, 0)
        return int(builder.EndObject())

    def shared(offset: int) -> int:
        builder.StartVector(4, 1000, 4)
        for _ in range(1000):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    builder.Finish(table(_2=shared(table(_0=shared(table())))), file_identifier=b"TFL3")

    with pytest.raises(DamagedError, match="its tables are more than it has room for"):
        contents_of(bytes(builder.Output()))


def _quantization(model: Any) -> Any:
    return model.subgraphs[0].tensors[0].quantization


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: setattr(m, "version", 2), "its schema has version 2, not 3"),
        (lambda m: setattr(m, "subgraphs", []), "it has no subgraph"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "opcodeIndex", 9), r"code of an .*\[9\]"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "inputs", [4, 99]), r"inputs of an oper"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [-1]), r"outputs of an oper"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [77]), r"outputs of a subgraph: \[77\]"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "buffer", 50), r"buffer of tensor x: \[50\]"),
        (
            lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1, -4]),
            r"has the shape \[1, -4\]",
        ),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1 << 30, 9]), "over 1024 MiB"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "type", 77), "the unknown type 77"),
        (lambda m: setattr(m.subgraphs[0].tensors[3], "shape", [9, 3, 3, 9]), "bytes has 144 stor"),
        (lambda m: _quantization(m).__setattr__("scale", [float("nan")]), "negative or not finite"),
        (lambda m: _quantization(m).__setattr__("scale", [-1.0]), "negative or not finite"),
        (lambda m: _quantization(m).__setattr__("scale", [1.0, 2.0]), r"has 2 scales"),
        (lambda m: _quantization(m).__setattr__("zeroPoint", [300]), "outside its type's range"),
        (lambda m: setattr(m.subgraphs[0], "inputs", [0, 5]), r"writes tensors \[5\], inputs"),
    ],
)
def test_a_wrong_number_is_named(change: Callable[[Any], None], words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        contents_of(changed(change))


def test_a_name_that_is_not_text_is_refused() -> None:
    name = b"quantize"
    assert name in small()

    with pytest.raises(DamagedError, match=r"^name of a Tensor is not text in UTF-8$"):
        contents_of(small().replace(name, b"\xff" + name[1:]))
