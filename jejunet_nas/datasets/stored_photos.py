"""Single photos in the cache: shards of some hundred, so that ten thousand open in no time.

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

from jejunet_nas.datasets.camera import FPS, Motion, MovingPictures
from jejunet_nas.datasets.clip_files import (
    MaskCode,
    PhotoFiles,
    Size,
    Storage,
    check_photo,
    read_frame,
    read_mask,
)
from jejunet_nas.datasets.pictures import Picture, StoredPictures
from jejunet_nas.datasets.write_once import note_use
from jejunet_nas.records import Clip
from jejunet_nas.resize import resize_mask

SHARD_PHOTOS = 256  # of VOC's size: 190 MB, decoded in a second or two


@dataclasses.dataclass(slots=True, kw_only=True)
class StoredPhotos:
    """The folder of one shard, an `Entry` of the cache."""

    files: Sequence[PhotoFiles]
    mask_code: MaskCode
    folder: Path
    storage: Storage
    motion: Motion
    sizes: Sequence[Size] = ()  # of the photos on disk, once `check` has seen them

    @property
    def pictures(self) -> int:
        """One step a photo."""
        return len(self.files)

    def open(self) -> list[Clip] | None:
        """Return a clip of each photo, None if the shard is not there or not whole."""
        file = self.folder / "pictures.bin"
        try:
            note_use(self.folder)
            rows: list[list[int]] = json.loads((self.folder / "index.json").read_bytes())
            length = file.stat().st_size
            stored = [_stored(file, *row) for row in rows]
        except (OSError, ValueError, TypeError):
            return None
        if len(stored) != len(self.files) or length != stored[-1][1].end:
            return None
        annotated = np.ones(self.motion.frames, np.bool_)
        return [
            self._clip(photo, *pair, annotated)
            for photo, pair in zip(self.files, stored, strict=True)
        ]

    def check(self) -> int:
        """Return the bytes of the shard; raises `DataError` where a mask's size is another."""
        self.sizes = [check_photo(photo) for photo in self.files]
        return sum(
            3 * math.prod(self.storage.frame_size(size)) + math.prod(self.storage.mask_size(size))
            for size in self.sizes
        )

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

    def _decode(self, files: PhotoFiles, size: Size) -> tuple[Picture, Picture]:
        photo = read_frame(files.frame, self.storage.frame_size(size))
        mask = read_mask(files.mask, self.mask_code)
        return photo, resize_mask(mask, *self.storage.mask_size(size))

    def _clip(
        self,
        files: PhotoFiles,
        photo: StoredPictures,
        mask: StoredPictures,
        annotated: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> Clip:
        still = self.motion.frames == 1
        aspect = mask.shape[2] / mask.shape[1]
        return Clip(
            name=files.name,
            frames=photo if still else MovingPictures(photo, files.name, aspect, self.motion),
            masks=mask if still else MovingPictures(mask, files.name, aspect, self.motion),
            annotated=annotated,
            fps=FPS,
        )


def _stored(
    file: Path, offset: int, height: int, width: int, mask_height: int, mask_width: int
) -> tuple[StoredPictures, StoredPictures]:
    photo = StoredPictures(file, offset, (1, height, width, 3))
    return photo, StoredPictures(file, photo.end, (1, mask_height, mask_width))
