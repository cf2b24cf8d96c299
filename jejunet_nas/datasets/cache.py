"""Decoded frames, kept as memory-mapped arrays: a clip is decoded once and then opened in no time.

    CACHE_DIR/DATASET-CLIP-KEY/frames.npy   uint8 [time, height, width, 3]
    CACHE_DIR/DATASET-CLIP-KEY/masks.npy    uint8 [time, height, width], the annotation's own size

KEY hashes the files' paths below the root, sizes and modification times: a changed file is a new
key. A folder is written under another name and renamed into place, so a killed process leaves none
that is believed; a lock beside it keeps a second process from writing the same clip.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock

from jejunet_nas.datasets.clip_files import (
    ClipFiles,
    Picture,
    Size,
    SplitFiles,
    check_sizes,
    read_frame,
    read_mask,
)
from jejunet_nas.datasets.options import Progress
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, Clip, DataSplit
from jejunet_nas.resize import resize_frame

SHORTER_SIDE_PX = 480  # of stored frames at most: no network here sees more of a picture
_VERSION = 1  # of what a cached folder holds


def default_cache_dir() -> Path:
    """Return the folder for cached clips in this user's cache."""
    return Path(platformdirs.user_cache_dir("jejunet_nas")) / "clips"


def open_clips(
    files: SplitFiles,
    *,
    cache_dir: Path | None = None,
    shorter_side_px: int = SHORTER_SIDE_PX,
    progress: Progress | None = None,
) -> DataSplit:
    """Return the split with its arrays memory-mapped, decoding what the cache does not hold yet.

    Frames whose shorter side is over `shorter_side_px` are shrunk to it; masks never are. Every
    header is checked before the first picture is decoded. Raises `DataError`, naming the file.
    """
    keys = [_key(clip, files.root, shorter_side_px) for clip in files.clips]
    parent = cache_dir or default_cache_dir()
    folders = [
        parent / f"{files.dataset}-{clip.name}-{key}"
        for clip, key in zip(files.clips, keys, strict=True)
    ]
    clips = [_open(clip, folder) for clip, folder in zip(files.clips, folders, strict=True)]
    missing = [number for number, clip in enumerate(clips) if clip is None]
    if missing:
        _decode(
            [files.clips[number] for number in missing],
            [folders[number] for number in missing],
            shorter_side_px,
            f"decoding {files.dataset} {files.split}",
            progress,
        )
        for number in missing:
            clips[number] = _open(files.clips[number], folders[number])
    return DataSplit(
        dataset=files.dataset,
        split=files.split,
        class_names=files.class_names,
        clips=tuple(_present(clip) for clip in clips),
        fingerprint=_fingerprint(files, shorter_side_px),
    )


def _present(clip: Clip | None) -> Clip:
    assert clip is not None, "a clip that was just written must open"
    return clip


def _fingerprint(files: SplitFiles, shorter_side_px: int) -> str:
    """Return 16 hex digits that tell the split from others; a copy of its files has the same.

    Names and sizes stand for content: to read it all would take longer than to decode it.
    """
    digest = hashlib.sha256()
    for clip in files.clips:
        digest.update(_description(clip, files.root, shorter_side_px, times=False))
    return digest.hexdigest()[:16]


def _key(clip: ClipFiles, root: Path, shorter_side_px: int) -> str:
    """Return 16 hex digits that change when a file of the clip or the way of storing it does."""
    text = _description(clip, root, shorter_side_px, times=True)
    return hashlib.sha256(text).hexdigest()[:16]


def _description(clip: ClipFiles, root: Path, shorter_side_px: int, *, times: bool) -> bytes:
    words = [json.dumps([_VERSION, shorter_side_px])]
    for path in (*clip.frames, *clip.masks):
        if path is None:
            words.append("none")
            continue
        state = path.stat()
        words += [path.relative_to(root).as_posix(), str(state.st_size)]
        words += [str(state.st_mtime_ns)] if times else []
    return clip.mask_classes + "\0".join(words).encode()


def _open(clip: ClipFiles, folder: Path) -> Clip | None:
    """Return the clip that `folder` holds, None if it is not there or not whole."""
    try:
        return Clip(
            name=clip.name,
            frames=np.load(folder / "frames.npy", mmap_mode="r"),
            masks=np.load(folder / "masks.npy", mmap_mode="r"),
            annotated=np.array([mask is not None for mask in clip.masks]),
            fps=clip.fps,
        )
    except (OSError, ValueError, EOFError):
        return None


def _decode(
    clips: Sequence[ClipFiles],
    folders: Sequence[Path],
    shorter_side_px: int,
    what: str,
    progress: Progress | None,
) -> None:
    total, done = sum(len(clip.frames) for clip in clips), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        sizes = list(pool.map(check_sizes, clips))
        for clip, folder, size in zip(clips, folders, sizes, strict=True):
            for _ in _write_once(clip, folder, size, _stored(size, shorter_side_px), pool):
                done += 1
                if progress:
                    progress(what, done, total)


def _stored(size: Size, shorter_side_px: int) -> Size:
    shrink = min(1.0, shorter_side_px / min(size))
    return round(size[0] * shrink), round(size[1] * shrink)


def _write_once(
    clip: ClipFiles, folder: Path, size: Size, stored: Size, pool: ThreadPoolExecutor
) -> Iterator[None]:
    """Write `folder` unless another process just did, yielding after each frame."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if _open(clip, folder) is not None:
                yield from (None for _ in clip.frames)
                return
            partial = folder.with_name(f"{folder.name}.partial")
            for leftover in (partial, folder):
                shutil.rmtree(leftover, ignore_errors=True)
            partial.mkdir()
            try:
                yield from _fill(clip, partial, size, stored, pool)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"The cache {folder.parent} cannot be written ({error.strerror or error}); expected: "
            f"a writable folder with room for decoded frames. Free some room there, or set "
            f"XDG_CACHE_HOME or cache_dir to a folder on another disk."
        ) from error


def _fill(
    clip: ClipFiles, folder: Path, size: Size, stored: Size, pool: ThreadPoolExecutor
) -> Iterator[None]:
    time = len(clip.frames)
    masks = pool.map(lambda mask: _mask(mask, clip.mask_classes, size), clip.masks)
    frames = pool.map(lambda frame: resize_frame(read_frame(frame), *stored), clip.frames)
    for _ in _save(folder / "masks.npy", (time, *size), masks):
        pass
    yield from _save(folder / "frames.npy", (time, *stored, 3), frames)


def _mask(path: Path | None, mask_classes: bytes, size: Size) -> Picture:
    return np.full(size, IGNORE, np.uint8) if path is None else read_mask(path, mask_classes)


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
