"""Frames that are in both splits: a network has seen them, so its score on val is too good.

Decoded frames are compared in the cache by their checksums, then pixel by pixel. `data check` does
not decode: it compares the bytes of files of one size.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from jejunet_nas.datasets.camera import MovingPictures
from jejunet_nas.datasets.clip_files import SplitFiles
from jejunet_nas.datasets.pictures import StoredPictures
from jejunet_nas.files import sha256_of
from jejunet_nas.records import Clip, DataSplit
from jejunet_nas.records.words import counted, one_line

Pair = tuple[str, str]  # the place of a frame in val, and of the same frame in train


def shared_frames(train: DataSplit, val: DataSplit) -> list[Pair]:
    """Return the frames of val that are in train too; a photo counts once."""
    known = defaultdict(list)
    for clip in train.clips:
        for stored, t, key in _stored(clip):
            known[key].append((stored, t, _place(clip, t)))
    return [
        (_place(clip, t), place)
        for clip in val.clips
        for stored, t, key in _stored(clip)
        for other, at, place in known.get(key, ())[:1]
        if np.array_equal(stored[t], other[at])
    ]


def shared_files(train: SplitFiles, val: SplitFiles) -> list[Pair]:
    """Return the frame files of val whose bytes are those of one in train."""
    sizes = _by_size(train), _by_size(val)
    found = []
    for size in sizes[0].keys() & sizes[1].keys():
        known = {digest: path for path, digest in _hashed(reversed(sizes[0][size]))}
        for path, digest in _hashed(sizes[1][size]):
            if other := known.get(digest):
                found.append((_below(path, val.root), _below(other, train.root)))
    return sorted(found)


def shared_warning(shared: Sequence[Pair]) -> list[str]:
    """Return a sentence on the shared frames; none where there is none."""
    if not shared:
        return []
    (mine, theirs), verb = shared[0], "is" if len(shared) == 1 else "are"
    example = f"val's {one_line(mine)} is train's {one_line(theirs)}"
    return [
        f"{counted(len(shared), 'frame')} of val {verb} in train too ({example}): the mIoU is too "
        "good. Keep them in one of the splits"
    ]


def _stored(clip: Clip) -> Iterator[tuple[StoredPictures, int, tuple[int, ...]]]:
    """Yield each stored frame of a clip, or its photo, and what equal frames share."""
    frames = clip.frames.photo if isinstance(clip.frames, MovingPictures) else clip.frames
    if isinstance(frames, StoredPictures):
        for t, checksum in enumerate(frames.sums):
            yield frames, t, (checksum, *frames.shape[1:])


def _place(clip: Clip, t: int) -> str:
    return clip.name if clip.origin == "photo" else f"frame {t} of {clip.name}"


def _by_size(files: SplitFiles) -> dict[int, list[Path]]:
    sizes = defaultdict(list)
    for clip in (*files.clips, *files.photos):
        for path in clip.frames:
            with contextlib.suppress(OSError):  # `data check` names what cannot be read
                sizes[path.stat().st_size].append(path)
    return sizes


def _hashed(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        with contextlib.suppress(OSError):  # `data check` lists what cannot be read
            yield path, sha256_of(path)


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
