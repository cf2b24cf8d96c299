"""Lists the pictures and folders in a folder, for frames, photos and masks alike.

Pictures are ordered so that `frame2` comes before `frame10`. Files that operating systems leave
behind are ignored, and so is whatever is no picture (`notes.txt`); a picture of a kind that is not
read (`.heic`) raises `DataError`. Names are compared in one Unicode form, because macOS writes
another one (NFD) than other systems (NFC).
"""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from jejunet_nas.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
EXACT_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")  # of masks: JPEG and WebP change values
_UNREAD = frozenset(
    (".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".dng", ".tga", ".exr", ".ppm", ".pgm")
)
_SYSTEM = frozenset(
    (
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle"),
        *("$recycle.bin", "system volume information", "lost+found"),
    )
)


def pictures_in(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> list[Path]:
    """Return the files of `folder` with one of `suffixes` in any case, in order; [] for no folder.

    Raises `DataError` for a picture of a kind that is not read, a name that no text file can hold,
    or a folder that cannot be read.
    """
    wanted = frozenset(suffixes)
    files, unread = [], []
    for name in _names(folder):
        suffix = os.path.splitext(name)[1].lower()
        if suffix in wanted and not (folder / name).is_dir():
            files.append(folder / checked(name, folder))
        elif suffix in _UNREAD:
            unread.append(checked(name, folder))
    if unread:
        first = folder / min(unread, key=natural_key)
        more = f" (and {len(unread) - 1} more in {folder})" if unread[1:] else ""
        raise DataError(
            f"{first}{more} is a picture of a kind that is not read; expected: "
            f"{', '.join(SUFFIXES)}. Convert it to PNG, or move it elsewhere."
        )
    return sorted(files, key=lambda file: natural_key(file.name))


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in `folder`, by name; [] where it is no folder or cannot be read."""
    try:
        names = sorted(name for name in _names(folder) if (folder / name).is_dir())
    except DataError:
        return []
    return [folder / checked(name, folder) for name in names]


def is_left_behind(name: str) -> bool:
    """Whether an operating system, not the user, made the file or folder of this name."""
    return name.startswith(".") or name.lower() in _SYSTEM


def plain(name: str) -> str:
    """Return `name` in the Unicode form in which names are compared (NFC)."""
    return unicodedata.normalize("NFC", name)


def checked(name: str, folder: Path) -> str:
    """Return `name`, of a file or folder in `folder`; raises `DataError` unless it is plain text.

    Without a check, a list could not hold it, and a message could not print it.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        shown = ascii(name)[1:-1]
        raise DataError(
            f"{folder} contains {shown}, whose name has control characters or is not UTF-8. "
            "Rename it."
        )
    return name


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key that orders runs of digits by their value, before letters."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [*((0, int(part)) if part.isdecimal() else (1, part) for part in parts), (2, name)]


def _names(folder: Path) -> list[str]:
    try:
        found = os.listdir(folder) if folder.is_dir() else []
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    return [name for name in found if not is_left_behind(name)]
