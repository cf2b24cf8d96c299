"""Arrays in an .npz that is cut, damaged, or made to fill the memory."""

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.documents import arrays
from jejunet_nas.documents.arrays import read_arrays, require_finite


def saved(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


WHOLE = saved(weights=np.arange(6, dtype=np.float32).reshape(2, 3).T, name=np.array("x"))
VALUES = sorted([np.arange(6, dtype=np.float32).reshape(2, 3).T.tobytes(), np.array("x").tobytes()])


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def zipped(file: Path, header: str, values: bytes = b"") -> Path:
    """Write an archive of one array with any `header`."""
    text = header.encode().ljust(118) + b"\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00w\x00" + text + values)
    return file


def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    kinds = {"f": np.eye(3, dtype=np.float64), "e": np.zeros((0, 4)), "t": np.array(["a", "bc"])}
    file = write(tmp_path / "a.npz", saved(**kinds, order=np.asfortranarray(np.eye(2, 3))))

    found = read_arrays(file)

    with np.load(file) as wanted:
        assert set(found) == set(wanted.files)
        for name in wanted.files:
            np.testing.assert_array_equal(found[name], wanted[name], strict=True)


@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_is_refused_or_unchanged(
    at: int, byte: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = WHOLE[:at] if cut else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    file = write(tmp_path_factory.getbasetemp() / "damaged.npz", damaged)

    with contextlib.suppress(ValueError):
        found = read_arrays(file)
        # Then the byte was in a date, or in the name of an array.
        assert sorted(array.tobytes() for array in found.values()) == VALUES


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", "has the shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}", "has the shape"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "holds object, not numbers"),
        ("{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000,)}", "has the shape"),
        ("{'descr': '<f4', 'shape': (1,)}", "Header does not contain the correct keys"),
        ("{'descr': '<f4', 'shape': ((((", ""),
    ],
)
def test_a_header_is_not_believed(header: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"it is not a complete \.npz \(.*{problem}"):
        read_arrays(zipped(tmp_path / "a.npz", header))


def test_an_archive_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MOST_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1 << 18, np.float32))

    with pytest.raises(ValueError, match="it unpacks to 1048704 bytes, more than 1048576"):
        read_arrays(tmp_path / "a.npz")


def test_an_array_that_is_not_finite_is_named() -> None:
    found = {"a": np.zeros(2, np.float32), "b": np.array([1, np.nan]), "c": np.array(["x"])}

    with pytest.raises(ValueError, match="b has values that are NaN or infinite"):
        require_finite(found)
