"""Pictures of a clip that lie on disk until they are asked for: what a `Clip` may hold for arrays.

No file stays open: ten thousand photos are more than a process may open at once.
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
    """What `records.Pictures` asks for, from a shape and a way to index."""

    shape: tuple[int, ...]

    @abc.abstractmethod
    def __getitem__(self, index: SupportsIndex | slice, /) -> Picture:
        """Return one picture, or a stack of those of a slice."""

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
    """Pictures of one size that lie in a file, one after the other from byte `offset` on."""

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
                f"{self.file} cannot be read any more ({error}); expected: the pictures that it "
                "held when the data set was opened. Run the same command again."
            ) from error
        return np.asarray(pictures[index])

    def _read(self, t: int) -> Picture:
        """Return one picture; setting up a memory map takes longer than reading one."""
        size = math.prod(self.shape[1:])
        opened = os.open(self.file, os.O_RDONLY)
        try:
            data = os.pread(opened, size, self.offset + t * size)
        finally:
            os.close(opened)
        if len(data) < size:
            raise ValueError(f"it ends {size - len(data)} bytes too early")
        return np.frombuffer(data, np.uint8).reshape(self.shape[1:])

    @property
    def end(self) -> int:
        """The first byte of the file after the pictures."""
        return self.offset + math.prod(self.shape)
