"""Arrays in an .npz that may be cut, damaged, or made to fill the memory.

NumPy believes the shape in an array's header and the sizes in the archive's directory. Here both
are compared, and bounded, before memory is taken.
"""

import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from jejunet_nas.documents.bounds import require_file, shortened

MOST_BYTES = 1 << 30  # of all arrays of a file: about 10 times the largest network's
_MOST_DIRECTORY_BYTES = 8 << 20  # of the archive: 100,000 arrays
_END_BYTES = 22 + (1 << 16)  # of an archive's last record, with its longest comment
_KINDS = "biufUS"  # numbers and text; an object would be unpickled


def read_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays in `file`, an .npz, by their names.

    Raises ValueError, in words that follow the file's name, if it is not complete; `SettingError`
    if it is missing; OSError if it cannot be read.
    """
    require_file(file, MOST_BYTES)
    with file.open("rb") as opened:
        try:
            count = _members_in_directory(opened)
            with zipfile.ZipFile(opened) as archive:
                if len(archive.infolist()) != count:  # damaged lengths hide members
                    raise ValueError(f"its directory lists {len(archive.infolist())} of {count}")
                return _members(archive)
        except MemoryError:
            raise
        except Exception as reason:  # zipfile, zlib and NumPy raise a dozen types for damage
            words = shortened(str(reason)) or type(reason).__name__
            raise ValueError(f"it is not a complete .npz ({words})") from None


def require_finite(arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Raise ValueError naming the first of `arrays` that has a NaN or an infinite value."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are NaN or infinite")


def _members_in_directory(opened: BinaryIO) -> int:
    """Return the number of members that an archive says it has.

    Refuses one whose directory alone would fill the memory, before zipfile reads it.
    """
    size = opened.seek(0, 2)
    opened.seek(max(0, size - _END_BYTES))
    end = opened.read()
    at = end.rfind(b"PK\x05\x06")
    directory = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    if directory > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"its directory has {directory} bytes")
    opened.seek(0)
    return int.from_bytes(end[at + 10 : at + 12], "little")


def _members(archive: zipfile.ZipFile) -> dict[str, npt.NDArray[Any]]:
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > MOST_BYTES:
        raise ValueError(f"it unpacks to {total} bytes, more than {MOST_BYTES}")
    arrays = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in arrays:
            raise ValueError(f"{name} is there twice")
        with archive.open(member) as stored:
            arrays[name] = _array(stored, member.file_size, name)
            if stored.read(1):
                raise ValueError(f"{name} has bytes after its values")
    return arrays


def _array(stored: Any, size: int, name: str) -> npt.NDArray[Any]:
    version = np.lib.format.read_magic(stored)
    if version == (1, 0):
        shape, fortran, kind = np.lib.format.read_array_header_1_0(stored)
    else:
        shape, fortran, kind = np.lib.format.read_array_header_2_0(stored)
    if kind.kind not in _KINDS or kind.hasobject:
        raise ValueError(f"{name} holds {kind}, not numbers")
    count = math.prod(shape)
    wanted = count * kind.itemsize
    if min(shape, default=0) < 0 or max(wanted, count) > size:
        raise ValueError(f"{name} has the shape {shape} in {size} bytes")
    content = stored.read(wanted)
    array = np.frombuffer(content, kind, count) if wanted else np.zeros(count, kind)
    ordered = array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    return ordered.copy()  # writable, and in C's order
