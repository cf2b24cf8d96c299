"""Decoded pictures in the cache: a folder for each clip of a video, and shards of photos.

CACHE_DIR/DATASET-CLIP-KEY/frames.npy       uint8 [time, height, width, 3]
CACHE_DIR/DATASET-CLIP-KEY/masks.npy        uint8 [time, height, width]
CACHE_DIR/DATASET-photos-KEY/pictures.bin   photo, mask, photo, mask, ...: uint8, without gaps
CACHE_DIR/DATASET-photos-KEY/index.json     a photo each: byte offset, then the height and
                                            width of the photo and of its mask
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from jejunet_nas.datasets.camera import Motion, MovingPictures
from jejunet_nas.datasets.clip_files import (
    ClipFiles,
    Size,
    Storage,
    check_sizes,
    read_frame,
    read_mask,
)
from jejunet_nas.datasets.pictures import Picture, StoredPictures
from jejunet_nas.records import IGNORE, Clip, Pictures
from jejunet_nas.resize import resize_mask

SHARD_PHOTOS = 256  # of VOC's size: 190 MB, decoded in a second or two


@dataclasses.dataclass(slots=True, kw_only=True)
class _Stored:
    """An `Entry` of the cache, without its file format."""

    files: Sequence[ClipFiles]
    folder: Path
    storage: Storage
    sizes: Sequence[Size] = ()  # of the frames on disk, set by `check`

    @property
    def pictures(self) -> int:
        """The number of frames."""
        return sum(len(clip.frames) for clip in self.files)

    def check(self) -> int:
        """Return the bytes of all pictures. Raises `DataError` where sizes differ."""
        self.sizes = [check_sizes(clip) for clip in self.files]
        storage = self.storage
        return sum(
            len(clip.frames)
            * (3 * math.prod(storage.frame_size(size)) + math.prod(storage.mask_size(size)))
            for clip, size in zip(self.files, self.sizes, strict=True)
        )

    def _frame(self, path: Path, size: Size) -> Picture:
        return read_frame(path, self.storage.frame_size(size))

    def _mask(self, clip: ClipFiles, path: Path | None, size: Size) -> Picture:
        if path is None:
            return np.full(self.storage.mask_size(size), IGNORE, np.uint8)
        return resize_mask(read_mask(path, clip.mask_code), *self.storage.mask_size(size))


@dataclasses.dataclass(slots=True, kw_only=True)
class StoredClip(_Stored):
    """The folder of one clip of a video."""

    def open(self) -> list[Clip]:
        """Return the clip. Raises as `Entry.open` does."""
        frames, masks = (_array(self.folder / name) for name in ("frames.npy", "masks.npy"))
        annotated = [path is not None for path in self.files[0].masks]
        return [_clip(self.files[0], frames, masks, annotated)]

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Decode masks, then frames, yielding after each frame."""
        clip, size, count = self.files[0], self.sizes[0], self.pictures
        masks = pool.map(lambda path: self._mask(clip, path, size), clip.masks)
        frames = pool.map(lambda path: self._frame(path, size), clip.frames)
        for _ in _save(folder / "masks.npy", (count, *self.storage.mask_size(size)), masks):
            pass
        shape = (count, *self.storage.frame_size(size), 3)
        yield from _save(folder / "frames.npy", shape, frames)


@dataclasses.dataclass(slots=True, kw_only=True)
class StoredPhotos(_Stored):
    """A shard of photos: opening ten thousand folders would take long."""

    motion: Motion

    def open(self) -> list[Clip]:
        """Return a clip of each photo. Raises as `Entry.open` does."""
        file = self.folder / "pictures.bin"
        rows, clips, end = json.loads((self.folder / "index.json").read_bytes()), [], 0
        for files, (offset, height, width, *mask_size) in zip(self.files, rows, strict=True):
            photo = StoredPictures(file, offset, (1, height, width, 3))
            mask = StoredPictures(file, photo.end, (1, *mask_size))
            clips.append(self._moving(files, photo, mask))
            end = mask.end
        if file.stat().st_size != end:
            raise ValueError(f"{file} is not complete")
        return clips

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Decode all photos with their masks, yielding after each pair."""
        offset, index = 0, []
        with (folder / "pictures.bin").open("wb") as file:
            for photo, mask in pool.map(self._decode, self.files, self.sizes):
                file.write(photo.tobytes())
                file.write(mask.tobytes())
                index.append([offset, *photo.shape[:2], *mask.shape])
                offset += photo.size + mask.size
                yield
        (folder / "index.json").write_text(json.dumps(index))

    def _decode(self, files: ClipFiles, size: Size) -> tuple[Picture, Picture]:
        return self._frame(files.frames[0], size), self._mask(files, files.masks[0], size)

    def _moving(self, files: ClipFiles, photo: StoredPictures, mask: StoredPictures) -> Clip:
        if self.motion.frames == 1:
            return _clip(files, photo, mask, [True])
        aspect = mask.shape[2] / mask.shape[1]
        frames, masks = (MovingPictures(p, files.name, aspect, self.motion) for p in (photo, mask))
        return _clip(files, frames, masks, [True] * self.motion.frames)


def _clip(files: ClipFiles, frames: Pictures, masks: Pictures, annotated: Sequence[bool]) -> Clip:
    known = np.array(annotated)
    return Clip(name=files.name, frames=frames, masks=masks, annotated=known, fps=files.fps)


def _array(file: Path) -> StoredPictures:
    array = np.load(file, mmap_mode="r")  # raises ValueError for a truncated file
    return StoredPictures(file, array.offset, array.shape)


def _save(path: Path, shape: tuple[int, ...], pictures: Iterator[Picture]) -> Iterator[None]:
    """Write `pictures` as one .npy file of `shape`, yielding after each.

    Not through a memory map: on a full disk, that ends the process with a bus error.
    """
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for picture in pictures:
            assert picture.shape == shape[1:], (path, picture.shape)
            file.write(picture.tobytes())
            yield
