"""Decoded pictures in the cache: a folder for each clip of a video, and shards of photos.

CACHE_DIR/DATASET-CLIP-KEY/frames.npy       uint8 [time, height, width, 3]
CACHE_DIR/DATASET-CLIP-KEY/masks.npy        uint8 [time, height, width]
CACHE_DIR/DATASET-photos-KEY/pictures.bin   photo, mask, photo, mask, ...: uint8, without gaps
CACHE_DIR/DATASET-*-KEY/index.json          see `index`; places and checksums of the pictures,
                                            and pixels of each value of the masks
"""

import dataclasses
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

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
from jejunet_nas.datasets.index import check_pictures, read_index, write_index
from jejunet_nas.datasets.pictures import Picture, StoredPictures, pixels_of
from jejunet_nas.records import IGNORE, Clip, Pictures
from jejunet_nas.resize import resize_mask

_ARRAYS = ("frames.npy", "masks.npy")
Pixels = Sequence[tuple[int, int]]  # of masks: values that occur, each with its pixels
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
        content, untouched = read_index(self.folder)
        frames, masks = (_stored(self.folder / name, content[name]) for name in _ARRAYS)
        check_pictures((frames, masks), untouched)
        annotated = [path is not None for path in self.files[0].masks]
        return [_clip(self.files[0], frames, masks, annotated, content["pixels"])]

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Decode masks, then frames, yielding after each frame."""
        clip, size, count = self.files[0], self.sizes[0], self.pictures
        masks = pool.map(lambda path: self._mask(clip, path, size), clip.masks)
        frames = pool.map(lambda path: self._frame(path, size), clip.frames)
        mask_shape = (count, *self.storage.mask_size(size))
        frame_shape = (count, *self.storage.frame_size(size), 3)
        kept = {name: _Written() for name in _ARRAYS}
        for _ in kept["masks.npy"].save(folder / "masks.npy", mask_shape, masks):
            pass
        yield from kept["frames.npy"].save(folder / "frames.npy", frame_shape, frames)
        places = {name: written.place for name, written in kept.items()}
        pixels = kept["masks.npy"].pixels
        pixels[IGNORE] -= clip.masks.count(None) * math.prod(mask_shape[1:])
        write_index(folder, {**places, "pixels": sorted((+pixels).items())})


@dataclasses.dataclass(slots=True, kw_only=True)
class StoredPhotos(_Stored):
    """A shard of photos: opening ten thousand folders would take long."""

    motion: Motion

    def open(self) -> list[Clip]:
        """Return a clip of each photo. Raises as `Entry.open` does."""
        rows, untouched = read_index(self.folder)
        clips, stored = [], []
        for files, (*place, sums, pixels) in zip(self.files, rows, strict=True):
            offset, height, width, *mask_size = place
            file = self.folder / "pictures.bin"
            photo = StoredPictures(file, offset, (1, height, width, 3), (sums[0],))
            mask = StoredPictures(file, photo.end, (1, *mask_size), (sums[1],))
            clips.append(self._moving(files, photo, mask, pixels))
            stored += [photo, mask]
        check_pictures(stored, untouched)
        return clips

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Decode all photos with their masks, yielding after each pair."""
        offset, rows = 0, []
        with (folder / "pictures.bin").open("wb") as file:
            for pair in pool.map(self._decode, self.files, self.sizes):
                data = [picture.tobytes() for picture in pair]
                file.writelines(data)
                photo, mask = pair
                sums, pixels = [zlib.crc32(each) for each in data], sorted(pixels_of(mask).items())
                rows.append([offset, *photo.shape[:2], *mask.shape, sums, pixels])
                offset += photo.size + mask.size
                yield
        write_index(folder, rows)

    def _decode(self, files: ClipFiles, size: Size) -> tuple[Picture, Picture]:
        return self._frame(files.frames[0], size), self._mask(files, files.masks[0], size)

    def _moving(
        self, files: ClipFiles, photo: StoredPictures, mask: StoredPictures, pixels: Pixels
    ) -> Clip:
        if self.motion.frames == 1:
            clip = _clip(files, photo, mask, [True], pixels)
            return dataclasses.replace(clip, origin="photo")
        aspect = mask.shape[2] / mask.shape[1]
        frames, masks = (MovingPictures(p, files.name, aspect, self.motion) for p in (photo, mask))
        clip = _clip(files, frames, masks, [True] * self.motion.frames, pixels)
        return dataclasses.replace(clip, origin="photo")


def _clip(
    files: ClipFiles,
    frames: Pictures,
    masks: Pictures,
    annotated: Sequence[bool],
    pixels: Pixels,
) -> Clip:
    return Clip(
        name=files.name,
        frames=frames,
        masks=masks,
        annotated=np.array(annotated),
        fps=files.fps,
        pixels={value: int(count) for value, count in pixels},
    )


def _stored(file: Path, place: Sequence[Any]) -> StoredPictures:
    offset, shape, sums = place
    return StoredPictures(file, offset, tuple(shape), tuple(sums))


class _Written:
    """The pictures of one .npy file: where they are, their checksums and their values."""

    def __init__(self) -> None:
        self.place: list[Any] = []  # byte offset, shape, CRC-32 of each picture
        self.pixels = Counter[int]()  # of masks, by value

    def save(
        self, path: Path, shape: tuple[int, ...], pictures: Iterator[Picture]
    ) -> Iterator[None]:
        """Write `pictures` as one file of `shape`, yielding after each.

        Not through a memory map: on a full disk, that ends the process with a bus error.
        """
        sums = list[int]()
        with path.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            self.place = [file.tell(), shape, sums]
            for picture in pictures:
                assert picture.shape == shape[1:], (path, picture.shape)
                data = picture.tobytes()
                file.write(data)
                sums.append(zlib.crc32(data))
                if picture.ndim == 2:
                    self.pixels += pixels_of(picture)
                yield
