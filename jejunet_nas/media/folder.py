"""A folder of pictures as a source of frames, in the order of their names."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from jejunet_nas.errors import DataError
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Frame, Picture, ReadingEndedError, Size, Source

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")

# What Pillow raises on a broken file, depending on the format and on where it breaks.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
_TURNED = range(5, 9)  # EXIF orientations that swap height and width
_ORIENTATION = 0x0112


def open_folder(folder: Path, fps: float) -> Source:
    """Return the frames in `folder` at `fps`, sorted so that 2 comes before 10.

    Raises `DataError`, naming the file, where a header cannot be read or has another size than the
    first. A file whose pixels are damaged ends the iteration.
    """
    files = sorted(
        (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()),
        key=lambda file: natural_key(file.name),
    )
    if not files:
        raise DataError(
            f"{folder} contains no pictures ({', '.join(SUFFIXES)}). Use another folder, or a "
            "video file."
        )
    size = _size(files[0])
    for file in files[1:]:
        if (other := _size(file)) != size:
            raise DataError(
                f"{file} is {other[1]}x{other[0]} pixels, but the first frame {files[0].name} is "
                f"{size[1]}x{size[0]}. Resize it, or move it elsewhere."
            )
    return Source(
        name=str(folder),
        fps=fps,
        frame_count=len(files),
        size=size,
        frames=_frames(files, fps),
        close=lambda: None,
    )


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key that orders runs of digits by their value, before letters."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [*((0, int(part)) if part.isdecimal() else (1, part) for part in parts), (2, name)]


def _frames(files: Sequence[Path], fps: float) -> Iterator[Frame]:
    for number, file in enumerate(files):
        try:
            picture = _read(file)
        except _UNREADABLE as error:
            raise ReadingEndedError(
                f"cannot be read beyond {file.name} ({reason(error)}); copy that file again."
            ) from error
        yield Frame(time_s=number / fps, picture=picture)


def _read(file: Path) -> Picture:
    """Return the picture upright; of 16-bit grey, the upper eight bits."""
    with Image.open(file) as image:
        if image.mode.startswith("I"):
            grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        upright = ImageOps.exif_transpose(image)
        if "transparency" in upright.info:  # Pillow warns of palettes with alpha otherwise
            upright = upright.convert("RGBA")
        return np.array(upright.convert("RGB"))


def _size(file: Path) -> Size:
    try:
        with Image.open(file) as image:
            # For a PNG without EXIF, Pillow would decode all pixels to look for it after them.
            known = image.format == "JPEG" or "exif" in image.info
            turned = known and image.getexif().get(_ORIENTATION) in _TURNED
            return (image.width, image.height) if turned else (image.height, image.width)
    except _UNREADABLE as error:
        raise DataError(
            f"{file} cannot be read ({reason(error)}). Copy it again, or move it elsewhere."
        ) from error
