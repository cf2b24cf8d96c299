"""Pictures of a clip that are read from disk on access, in place of arrays.

No file stays open, because a process cannot have ten thousand open files.
"""

import abc
import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import DataError

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
    """Pictures of one size in a file, without gaps from byte `offset` on."""

    file: Path
    offset: int
    shape: tuple[int, ...]

    def __getitem__(self, index: SupportsIndex | slice, /) -> Picture:
        try:
            if isinstance(index, int | np.integer):
                return self._read(range(len(self))[index])
            pictures = np.memmap(self.file, np.uint8, "r", self.offset, self.shape)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.file} cannot be read any more ({error}); it was removed or changed after "
                "the data set was opened. Run the same command again."
            ) from error
        return np.asarray(pictures[index])

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
        return np.frombuffer(data, np.uint8).reshape(self.shape[1:])

    @property
    def end(self) -> int:
        """The first byte of the file after the pictures."""
        return self.offset + math.prod(self.shape)
