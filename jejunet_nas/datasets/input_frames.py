"""Training frames kept once more, as small as a network's input lets them be: quicker to crop.

CACHE_DIR/DATASET-CLIP-WIDTHxHEIGHT-KEY/frames.bin   uint8, frame after frame without gaps

They are resized from the frames that the data set keeps, heights and widths apart, as a network's
input is. Masks have no copy, and what is scored is never read from here.

Sizes are (height, width) in pixels.
"""

import dataclasses
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from jejunet_nas.datasets.camera import SIDE, MovingPictures
from jejunet_nas.datasets.clip_files import Size
from jejunet_nas.datasets.options import Progress
from jejunet_nas.datasets.pictures import Picture, StoredPictures
from jejunet_nas.datasets.view import PLAIN, Augment
from jejunet_nas.datasets.write_once import note_use, open_entries
from jejunet_nas.records import DataSplit, Pictures
from jejunet_nas.resize import resize_frame

_VERSION = 1  # of what a folder holds
_WORTH = 0.8  # of the pixels, at most: frames that would hardly shrink are not kept again


def input_frames(
    split: DataSplit,
    *,
    height: int,
    width: int,
    augment: Augment = PLAIN,
    progress: Progress | None = None,
) -> tuple[Pictures, ...]:
    """Return the frames of each of `split`'s clips, to train networks of `height` x `width` on.

    Crops of them are about as large as the input at least, as `Augment.least_size` tells. They are
    resized when first asked for, and `progress` is told; after that they are only opened. Frames
    that are in memory, or small as they are, come back unchanged. Raises `DataError` where the
    split's own frames are gone, or the cache has no room.
    """
    least = augment.least_size(height, width)
    frames = [clip.frames for clip in split.clips]
    in_file: dict[Path, list[int]] = defaultdict(list)
    for number, pictures in enumerate(frames):
        if (stored := _stored(pictures)) and _is_worth(stored, _kept_size(pictures, least)):
            in_file[stored.file].append(number)
    entries = [_entry([frames[n] for n in numbers], least) for numbers in in_file.values()]
    pixels = f"{height}" if height == width else f"{width}x{height}"
    opened = open_entries(
        entries, f"{split.dataset} {split.split} for {pixels} px", progress, verb="resizing"
    )
    numbers = [number for numbers in in_file.values() for number in numbers]
    for number, smaller in zip(numbers, opened, strict=True):
        frames[number] = _in_place_of(frames[number], smaller)
    return tuple(frames)


@dataclasses.dataclass(slots=True, kw_only=True)
class _Resized:
    """What was resized from the pictures of one file, an `Entry` of the cache."""

    folder: Path
    sources: Sequence[StoredPictures]
    sizes: Sequence[Size]

    @property
    def pictures(self) -> int:
        """One step a frame."""
        return sum(len(source) for source in self.sources)

    def open(self) -> list[StoredPictures] | None:
        """Return the pictures of each source, None if they are not there or not whole."""
        stored = self._lay_out(self.folder)
        try:
            note_use(self.folder)
            whole = stored[-1].file.stat().st_size == stored[-1].end
        except OSError:
            return None
        return stored if whole else None

    def check(self) -> int:
        """Return the bytes of the file; what is resized was checked before."""
        return self._lay_out(self.folder)[-1].end

    def write(self, folder: Path, pool: Executor) -> Iterator[None]:
        """Resize all pictures, yielding after each."""
        places = [
            (source, t, size)
            for source, size in zip(self.sources, self.sizes, strict=True)
            for t in range(len(source))
        ]
        with self._lay_out(folder)[0].file.open("wb") as file:
            for picture in pool.map(_resize, *zip(*places, strict=True)):
                file.write(picture.tobytes())
                yield

    def _lay_out(self, folder: Path) -> list[StoredPictures]:
        """Return where the pictures of each source lie in the file of `folder`."""
        stored, end = [], 0
        for source, size in zip(self.sources, self.sizes, strict=True):
            shape = (len(source), *size, 3)
            stored.append(StoredPictures(folder / "frames.bin", end, shape))
            end = stored[-1].end
        return stored


def _resize(source: StoredPictures, t: int, size: Size) -> Picture:
    return resize_frame(source[t], *size)


def _entry(frames: Sequence[Pictures], least: Size) -> _Resized:
    """Return where the frames of one file are kept again.

    Their folder's name hashes that of the originals, which is another when a picture is.
    """
    sources = [source for pictures in frames if (source := _stored(pictures))]
    sizes = [_kept_size(pictures, least) for pictures in frames]
    original = sources[0].file.parent
    places = [(source.offset, source.shape) for source in sources]
    told = json.dumps([_VERSION, original.name, places, sizes])
    key = hashlib.sha256(told.encode()).hexdigest()[:16]
    name = original.name.rpartition("-")[0]
    folder = original.with_name(f"{name}-{least[1]}x{least[0]}-{key}")
    return _Resized(folder=folder, sources=sources, sizes=sizes)


def _stored(pictures: Pictures) -> StoredPictures | None:
    """Return what of `pictures` lies on disk; None for what is in memory."""
    source = pictures.photo if isinstance(pictures, MovingPictures) else pictures
    return source if isinstance(source, StoredPictures) else None


def _in_place_of(pictures: Pictures, smaller: StoredPictures) -> Pictures:
    if isinstance(pictures, MovingPictures):
        return dataclasses.replace(pictures, photo=smaller)
    return smaller


def _kept_size(pictures: Pictures, least: Size) -> Size:
    """Return the size that is kept: no side is larger than it was.

    A photo that a camera moves over is larger than the frames it gives.
    """
    share = 1.0
    if isinstance(pictures, MovingPictures):
        share, pictures = SIDE, pictures.photo
    height, width = (
        min(side, math.ceil(wanted / share))
        for side, wanted in zip(pictures.shape[1:3], least, strict=True)
    )
    return height, width


def _is_worth(stored: StoredPictures, size: Size) -> bool:
    return math.prod(size) <= _WORTH * math.prod(stored.shape[1:3])
