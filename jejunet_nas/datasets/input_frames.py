"""Small copies of training frames in the cache, which are faster to crop.

CACHE_DIR/DATASET-CLIP-WIDTHxHEIGHT-KEY/frames.bin   uint8, frame after frame without gaps

They are resized from the data set's cached frames, without keeping the aspect, just as a network's
input is. Masks have no copy, and scoring never uses these frames.

Sizes are (height, width) in pixels.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from jejunet_nas.datasets.camera import SIDE, MovingPictures
from jejunet_nas.datasets.clip_files import Size
from jejunet_nas.datasets.index import check_pictures, read_index, write_index
from jejunet_nas.datasets.pictures import Picture, StoredPictures
from jejunet_nas.datasets.view import PLAIN, Augment
from jejunet_nas.datasets.write_once import open_entries
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, Pictures
from jejunet_nas.resize import resize_frame

_VERSION = 1  # of a folder's content
_WORTH = 0.8  # share of the pixels, at most: frames that would hardly shrink are not copied

_Copied = tuple[StoredPictures, Size]  # pictures on disk, and the size of their copy


def input_frames(
    split: DataSplit,
    *,
    height: int,
    width: int,
    augment: Augment = PLAIN,
    progress: Tell | None = None,
) -> tuple[Pictures, ...]:
    """Return the frames of each of `split`'s clips, for training networks of `height` x `width`.

    Their size is `Augment.least_size`. They are resized at the first call, with `progress`, and
    only opened later. Frames in memory, and frames that are small already, are returned unchanged.
    Raises `DataError` if the split's cached frames are missing, or the disk is full.
    """
    least = augment.least_size(height, width)
    frames = [clip.frames for clip in split.clips]
    in_file: dict[Path, dict[int, _Copied]] = defaultdict(dict)
    for number, pictures in enumerate(frames):
        if copied := _copied(pictures, least):
            in_file[copied[0].file][number] = copied
    entries = [_entry([*copies.values()], least) for copies in in_file.values()]
    size = f"{height}" if height == width else f"{height}x{width}"
    what = f"{split.dataset} {split.split} for {size} px"
    opened = open_entries(entries, what, progress, verb="resizing")
    numbers = [number for copies in in_file.values() for number in copies]
    for number, smaller in zip(numbers, opened, strict=True):
        own = frames[number]
        if isinstance(own, MovingPictures):
            frames[number] = dataclasses.replace(own, photo=smaller)
        else:
            frames[number] = smaller
    return tuple(frames)


@dataclasses.dataclass(slots=True, kw_only=True)
class _Resized:
    """The folder of the resized pictures of one file, an `Entry` of the cache."""

    folder: Path
    copies: Sequence[_Copied]

    @property
    def pictures(self) -> int:
        """One step a frame."""
        return sum(len(source) for source, _ in self.copies)

    def open(self) -> list[StoredPictures]:
        """Return the pictures of each source."""
        sums, untouched = read_index(self.folder)
        stored = self._lay_out(self.folder)
        if len(sums) != self.pictures:
            raise ValueError(f"{stored[-1].file} has other pictures")
        left = iter(sums)
        stored = [
            dataclasses.replace(each, sums=tuple(itertools.islice(left, len(each))))
            for each in stored
        ]
        check_pictures(stored, untouched)
        return stored

    def check(self) -> int:
        """Return the bytes of the file; the sources were checked before."""
        return self._lay_out(self.folder)[-1].end

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Resize all pictures, yielding after each."""
        places = [(source, t, size) for source, size in self.copies for t in range(len(source))]
        sums = []
        with self._lay_out(folder)[0].file.open("wb") as file:
            for picture in pool.map(_resize, *zip(*places, strict=True)):
                data = picture.tobytes()
                file.write(data)
                sums.append(zlib.crc32(data))
                yield
        write_index(folder, sums)

    def _lay_out(self, folder: Path) -> list[StoredPictures]:
        stored, end = [], 0
        for source, size in self.copies:
            stored.append(StoredPictures(folder / "frames.bin", end, (len(source), *size, 3)))
            end = stored[-1].end
        return stored


def _resize(source: StoredPictures, t: int, size: Size) -> Picture:
    return resize_frame(source[t], *size)


def _entry(copies: Sequence[_Copied], least: Size) -> _Resized:
    # The key hashes the name of the sources' folder, which changes when a picture does.
    original = copies[0][0].file.parent
    places = [(source.offset, source.shape) for source, _ in copies]
    identity = json.dumps([_VERSION, original.name, places, [size for _, size in copies]])
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    name = original.name.rpartition("-")[0]
    folder = original.with_name(f"{name}-{least[0]}x{least[1]}-{key}")
    return _Resized(folder=folder, copies=copies)


def _copied(pictures: Pictures, least: Size) -> _Copied | None:
    """Return the source of `pictures` on disk and the size of its copy; None if it has no copy."""
    source = pictures.photo if isinstance(pictures, MovingPictures) else pictures
    if not isinstance(source, StoredPictures):
        return None
    share = 1.0 if source is pictures else SIDE  # a photo is larger than the frames of its clip
    height, width = (
        min(side, math.ceil(wanted / share))
        for side, wanted in zip(source.shape[1:3], least, strict=True)
    )
    worth_it = height * width <= _WORTH * math.prod(source.shape[1:3])
    return (source, (height, width)) if worth_it else None
