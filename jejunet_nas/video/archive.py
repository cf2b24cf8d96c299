"""Unpacks the `.zip` of a bundle, which may come from anybody, into one folder of plain files.

Paths, folders, links, duplicate names, and more bytes than a bundle can have are refused.
"""

import lzma
import re
import stat
import zipfile
import zlib
from pathlib import Path

from jejunet_nas.errors import SettingError

MOST_FILES = 64
MOST_BYTES = 1 << 30  # of all files, unpacked: about a thousand times a usual bundle
_BLOCK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # of a file in the folder itself
# Of a damaged or encrypted .zip, and of a full disk.
_FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    OSError,
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
        name = member.orig_filename
        if not _NAME.fullmatch(name):
            fault = "not a plain file name"
        elif stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            fault = "a link or special file"
        elif name.casefold() in seen:
            fault = "a duplicate name"
        else:
            seen.add(name.casefold())
            continue
        raise SettingError(
            f"{archive} contains {name!r}: {fault}. A bundle has plain files only. {_FIX}"
        )


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
