"""One clip of a video in the cache: two arrays, each a file.

CACHE_DIR/DATASET-CLIP-KEY/frames.npy   uint8 [time, height, width, 3]
CACHE_DIR/DATASET-CLIP-KEY/masks.npy    uint8 [time, height, width]
"""

import dataclasses
import math
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from jejunet_nas.datasets.clip_files import (
    ClipFiles,
    Size,
    Storage,
    check_sizes,
    read_frame,
    read_mask,
)
from jejunet_nas.datasets.pictures import Picture, StoredPictures
from jejunet_nas.datasets.write_once import note_use
from jejunet_nas.records import IGNORE, Clip
from jejunet_nas.resize import resize_mask


@dataclasses.dataclass(slots=True, kw_only=True)
class StoredClip:
    """The folder of one clip, an `Entry` of the cache."""

    files: ClipFiles
    folder: Path
    storage: Storage
    size: Size = (0, 0)  # of the frames on disk, once `check` has seen them

    @property
    def pictures(self) -> int:
        """One step a frame."""
        return len(self.files.frames)

    def open(self) -> list[Clip] | None:
        """Return the clip, None if it is not there or not whole."""
        try:
            note_use(self.folder)
            return [
                Clip(
                    name=self.files.name,
                    frames=_stored(self.folder / "frames.npy"),
                    masks=_stored(self.folder / "masks.npy"),
                    annotated=np.array([mask is not None for mask in self.files.masks]),
                    fps=self.files.fps,
                )
            ]
        except (OSError, ValueError, EOFError):
            return None

    def check(self) -> int:
        """Return the bytes of both arrays; raises `DataError` where sizes differ."""
        self.size = check_sizes(self.files)
        frame, mask = self.storage.frame_size(self.size), self.storage.mask_size(self.size)
        return self.pictures * (3 * math.prod(frame) + math.prod(mask))

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Decode masks, then frames, yielding after each frame."""
        frame, mask = self.storage.frame_size(self.size), self.storage.mask_size(self.size)
        masks = pool.map(lambda path: self._mask(path, mask), self.files.masks)
        frames = pool.map(lambda path: read_frame(path, frame), self.files.frames)
        for _ in _save(folder / "masks.npy", (self.pictures, *mask), masks):
            pass
        yield from _save(folder / "frames.npy", (self.pictures, *frame, 3), frames)

    def _mask(self, path: Path | None, size: Size) -> Picture:
        if path is None:
            return np.full(size, IGNORE, np.uint8)
        return resize_mask(read_mask(path, self.files.mask_code), *size)


def _stored(file: Path) -> StoredPictures:
    """Return the pictures of a .npy file; ValueError where it is cut short."""
    array = np.load(file, mmap_mode="r")
    return StoredPictures(file, array.offset, array.shape)


def _save(path: Path, shape: tuple[int, ...], pictures: Iterator[Picture]) -> Iterator[None]:
    """Write `pictures` one by one as one .npy file of `shape`, yielding after each.

    Not through a memory map: on a full disk that ends the process with a bus error.
    """
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for picture in pictures:
            assert picture.shape == shape[1:], (path, picture.shape)
            file.write(picture.tobytes())
            yield
