"""Pictures of a clip that are read from disk on access, in place of arrays.

No file stays open, because a process cannot have ten thousand open files.
"""

import abc
import contextlib
import dataclasses
import math
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import DataError
from jejunet_nas.images.read import MOST_PIXELS

_MOST = 2**40  # bytes of a file, pictures or a checksum: more than any has
Picture = npt.NDArray[np.uint8]


class LazyPictures(abc.ABC):
    """`records.Pictures`, from a shape and an index operation."""

    shape: tuple[int, ...]

    @abc.abstractmethod
    def __getitem__(self, index: SupportsIndex | slice, /) -> Picture:
        """Return one picture, or a stack of the pictures of a slice."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Picture]:
        return (self[t] for t in range(len(self)))

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.uint8]:
        return np.array(self[:], dtype, copy=copy)


@dataclasses.dataclass(frozen=True)
class StoredPictures(LazyPictures):
    """Pictures of one size in a file, without gaps from byte `offset` on.

    sums: CRC-32 of each picture, compared at every access; none: nothing is compared. The figures
    may come from a damaged file: raises ValueError unless they can be those of pictures.
    """

    file: Path
    offset: int
    shape: tuple[int, ...]
    sums: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.sums)
        if not all(type(number) is int and 0 <= number < _MOST for number in numbers):
            raise ValueError(f"the place of a picture in {self.file} is not in whole numbers")
        whole = len(self.shape) in (3, 4) and min(self.shape) > 0
        if not whole or math.prod(self.shape[1:]) > 3 * MOST_PIXELS:
            raise ValueError(f"pictures in {self.file} have the shape {self.shape}")
        if self.sums and len(self.sums) != len(self):
            raise ValueError(f"{self.file} has {len(self.sums)} checksums of {len(self)} pictures")

    def __getitem__(self, index: SupportsIndex | slice, /) -> Picture:
        times = range(len(self))[index]
        try:
            if isinstance(times, int):
                return self._read(times)
            pictures = [self._read(t) for t in times]
        except ValueError as error:
            with contextlib.suppress(OSError):  # an entry without its index is written again
                (self.file.parent / "index.json").unlink()
            raise DataError(
                f"{self.file} was damaged or changed after it was written ({error}). Run the same "
                "command again: it is made again from the data set."
            ) from error
        except OSError as error:
            raise DataError(
                f"{self.file} cannot be read any more ({error}); it was removed or changed after "
                "the data set was opened. Run the same command again."
            ) from error
        return np.stack(pictures) if pictures else np.empty((0, *self.shape[1:]), np.uint8)

    def check(self) -> None:
        """Read all pictures. Raises OSError or ValueError for one that is missing or damaged."""
        for t in range(len(self)):
            self._read(t)

    def _read(self, t: int) -> Picture:
        """Return one picture, without a memory map: mapping takes longer than reading."""
        size = math.prod(self.shape[1:])
        opened = os.open(self.file, os.O_RDONLY)
        try:
            data = os.pread(opened, size, self.offset + t * size)
        finally:
            os.close(opened)
        if len(data) < size:
            raise ValueError(f"{size - len(data)} bytes are missing at its end")
        if self.sums and zlib.crc32(data) != self.sums[t]:
            raise ValueError(f"the checksum of picture {t} differs")
        return np.frombuffer(data, np.uint8).reshape(self.shape[1:])

    @property
    def end(self) -> int:
        """The first byte of the file after the pictures."""
        return self.offset + math.prod(self.shape)


def pixels_of(masks: Picture) -> Counter[int]:
    """Return the pixels of each value that occurs in a mask or in masks."""
    counts = np.bincount(masks.ravel(), minlength=256)
    return Counter({value: int(counts[value]) for value in np.flatnonzero(counts).tolist()})
