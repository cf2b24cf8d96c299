"""Unpacks the `.zip` of a bundle, which may come from anybody, into one folder of plain files.

Refused are paths that lead out of the folder, links, folders, duplicate names, and more bytes than
a bundle can have.
"""

import lzma
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from jejunet_nas.errors import SettingError

MOST_FILES = 64
MOST_BYTES = 1 << 30  # of all files, unpacked: about a thousand times a usual bundle
_BLOCK = 1 << 20
_FAILURES = (  # of a damaged or encrypted .zip, and of a full disk
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError),
)
_FIX = "Export the bundle again: jejunet-nas export STUDY --out FILE.zip."


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of `archive` into `folder`.

    Raises `SettingError` if a file is refused: before anything is written if its name is at fault.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(archive, members)
            left = MOST_BYTES
            for member in members:
                left = _write(opened, member, folder / member.filename, left, archive)
    except _FAILURES as error:
        raise SettingError(
            f"{archive} cannot be unpacked ({error}). Copy the bundle again, or free disk space."
        ) from error


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    size = sum(each.file_size for each in members)
    if len(members) > MOST_FILES or size > MOST_BYTES:
        raise SettingError(
            f"{archive} contains {len(members)} files of {size} bytes; allowed: up to "
            f"{MOST_FILES} files of {MOST_BYTES} bytes. {_FIX}"
        )
    seen: set[str] = set()
    for member in members:
        fault = _fault(member, seen)
        if fault:
            raise SettingError(
                f"{archive} contains {member.orig_filename!r}: {fault}. A bundle has plain files "
                f"only. {_FIX}"
            )
        seen.add(member.filename.casefold())


def _fault(member: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """Return the reason to refuse a member, or None."""
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        return "an absolute path"
    if ".." in (*PurePosixPath(name).parts, *PureWindowsPath(name).parts):
        return "a path out of the folder"
    if member.is_dir():
        return "a folder"
    if kind not in (0, stat.S_IFREG):
        return "a link or special file"
    if len(PurePosixPath(name).parts) != 1:
        return "a file in a folder"
    if any(letter in name for letter in "\\:\0"):
        return "not a file name"
    if name.casefold() in seen:
        return "a duplicate name"
    return None


def _write(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, left: int, archive: Path
) -> int:
    """Write one member; return the bytes left. Counts them, since the header's size may lie."""
    with opened.open(member) as source, file.open("xb") as target:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise SettingError(f"{archive} contains more than {MOST_BYTES} bytes. {_FIX}")
            target.write(block)
    return left
