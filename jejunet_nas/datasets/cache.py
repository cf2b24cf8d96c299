"""The cache of decoded pictures, in a folder of the user: decoded once, then only opened.

The name of a folder (see `stored`) ends in a hash of its files' paths below the root, sizes and
modification times, so a changed file gets another folder.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import platformdirs

from jejunet_nas.datasets.clip_files import ClipFiles, SplitFiles, Storage
from jejunet_nas.datasets.stored import SHARD_PHOTOS, StoredClip, StoredPhotos
from jejunet_nas.datasets.write_once import Entry, open_entries
from jejunet_nas.errors import DataError
from jejunet_nas.progress import Tell
from jejunet_nas.records import Clip, DataSplit

_VERSION = 1  # of a cached folder's content


def default_cache_dir() -> Path:
    """Return the folder of decoded pictures in this user's cache."""
    return Path(platformdirs.user_cache_dir("jejunet_nas")) / "clips"


def open_clips(
    files: SplitFiles, *, cache_dir: Path | None = None, progress: Tell | None = None
) -> DataSplit:
    """Return the split with its pictures in the cache, after decoding those not cached yet.

    Every header is checked before the first picture is decoded. Raises `DataError`, naming the
    file.
    """
    described = list(_entries(files, cache_dir or default_cache_dir()))
    entries = [entry for _, entry in described]
    clips = open_entries(entries, f"{files.dataset} {files.split}", progress)
    return DataSplit(
        dataset=files.dataset,
        split=files.split,
        class_names=files.class_names,
        clips=tuple(clips),
        fingerprint=_hash(*(identity for identity, _ in described)),
        notes=files.notes,
    )


def _entries(files: SplitFiles, parent: Path) -> Iterator[tuple[bytes, Entry[Clip]]]:
    """Yield the identity and the cache entry of each clip, then of each shard of photos."""
    storage, motion = files.storage, files.motion
    for clip in files.clips:
        identity, key = _describe([clip], storage, files.root)
        folder = parent / f"{files.dataset}-{clip.name}-{key}"
        yield identity, StoredClip(files=[clip], folder=folder, storage=storage)
    for first in range(0, len(files.photos), SHARD_PHOTOS):
        photos = files.photos[first : first + SHARD_PHOTOS]
        identity, key = _describe(photos, storage, files.root)
        folder = parent / f"{files.dataset}-photos-{key}"
        shard = StoredPhotos(files=photos, folder=folder, storage=storage, motion=motion)
        yield repr(motion).encode() + identity, shard  # a stored photo serves any motion


def _hash(*texts: bytes) -> str:
    return hashlib.sha256(b"".join(texts)).hexdigest()[:16]


def _describe(clips: Sequence[ClipFiles], storage: Storage, root: Path) -> tuple[bytes, str]:
    """Return the identity of the files, which a copy of them shares, and the key of their folder.

    The identity consists of paths below `root` and sizes, because hashing the contents would take
    longer than decoding. The key also depends on the modification times.
    """
    known, times, above = [], [], len(root.as_posix()) + 1
    # All frames of a clip, then all its masks; a photo and its mask, photo by photo.
    for path in (path for clip in clips for path in (*clip.frames, *clip.masks)):
        if path is None:
            known.append("none")
            continue
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}). Copy or download it again, or check "
                "its permissions."
            ) from error
        known.append(f"{path.as_posix()[above:]}\0{state.st_size}")
        times.append(str(state.st_mtime_ns))
    version = [_VERSION, storage.shorter_side_px, *([True] if storage.shrink_masks else [])]
    head = clips[0].mask_code.classes + json.dumps(version).encode() + b"\0"
    identity = head + "\0".join(known).encode()
    return identity, _hash(identity, "\0".join(times).encode())
