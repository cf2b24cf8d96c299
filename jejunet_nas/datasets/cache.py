"""Decoded pictures, kept in a folder of the user: decoded once, and then opened in no time.

Clips of videos lie each in a folder (`stored_clip`), photos in shards (`stored_photos`). A folder's
name ends in a key that hashes its files' paths below the root, sizes and modification times: a
changed file is a new key.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import platformdirs

from jejunet_nas.datasets.clip_files import MaskCode, SplitFiles, Storage
from jejunet_nas.datasets.options import Progress
from jejunet_nas.datasets.stored_clip import StoredClip
from jejunet_nas.datasets.stored_photos import SHARD_PHOTOS, StoredPhotos
from jejunet_nas.datasets.write_once import Entry, open_entries
from jejunet_nas.errors import DataError
from jejunet_nas.records import Clip, DataSplit

_VERSION = 1  # of what a cached folder holds


def default_cache_dir() -> Path:
    """Return the folder for cached clips in this user's cache."""
    return Path(platformdirs.user_cache_dir("jejunet_nas")) / "clips"


def open_clips(
    files: SplitFiles, *, cache_dir: Path | None = None, progress: Progress | None = None
) -> DataSplit:
    """Return the split with its pictures in the cache, decoding what that does not hold yet.

    Every header is checked before the first picture is decoded. Raises `DataError`, naming the
    file.
    """
    parent = cache_dir or default_cache_dir()
    described = [*_clip_entries(files, parent), *_photo_entries(files, parent)]
    entries = [entry for _, entry in described]
    clips = open_entries(entries, f"{files.dataset} {files.split}", progress)
    return DataSplit(
        dataset=files.dataset,
        split=files.split,
        class_names=files.class_names,
        clips=tuple(clips),
        fingerprint=_hash(*(description for description, _ in described)),
    )


def _clip_entries(files: SplitFiles, parent: Path) -> Iterator[tuple[bytes, Entry[Clip]]]:
    """Yield where each clip is kept, after what tells it from others, wherever it lies."""
    for clip in files.clips:
        head = _head(clip.mask_code, files.storage)
        known, changing = _describe((*clip.frames, *clip.masks), files.root)
        folder = parent / f"{files.dataset}-{clip.name}-{_hash(head, known, changing)}"
        yield head + known, StoredClip(files=clip, folder=folder, storage=files.storage)


def _photo_entries(files: SplitFiles, parent: Path) -> Iterator[tuple[bytes, Entry[Clip]]]:
    """Yield where each shard of photos is kept, after what tells it from others."""
    for first in range(0, len(files.photos), SHARD_PHOTOS):
        assert files.photo_code, files.dataset
        photos = files.photos[first : first + SHARD_PHOTOS]
        head = _head(files.photo_code, files.storage)
        known, changing = _describe(
            [path for photo in photos for path in (photo.frame, photo.mask)], files.root
        )
        yield (
            repr(files.motion).encode() + head + known,  # one stored photo serves any motion
            StoredPhotos(
                files=photos,
                mask_code=files.photo_code,
                folder=parent / f"{files.dataset}-photos-{_hash(head, known, changing)}",
                storage=files.storage,
                motion=files.motion,
            ),
        )


def _hash(*texts: bytes) -> str:
    return hashlib.sha256(b"".join(texts)).hexdigest()[:16]


def _head(code: MaskCode, storage: Storage) -> bytes:
    both = [True] if storage.shrink_masks else []
    return code.classes + json.dumps([_VERSION, storage.shorter_side_px, *both]).encode() + b"\0"


def _describe(paths: Iterable[Path | None], root: Path) -> tuple[bytes, bytes]:
    """Return names and sizes, which a copy has too, and modification times, which it has not.

    Names and sizes stand for content: to read it all would take longer than to decode it.
    """
    known, changing, above = [], [], len(root.as_posix()) + 1
    for path in paths:
        if path is None:
            known.append("none")
            continue
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}); expected: a readable file. Copy or "
                "download it again, or check its permissions."
            ) from error
        known.append(f"{path.as_posix()[above:]}\0{state.st_size}")
        changing.append(str(state.st_mtime_ns))
    return "\0".join(known).encode(), "\0".join(changing).encode()
