"""Unpacks the `.zip` of a bundle, which may come from anybody, into one folder of plain files.

Paths, folders, links, duplicate names, and more bytes than a bundle can have are refused.
"""

import lzma
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.records.words import one_line

MOST_FILES = 64
MOST_BYTES = 1 << 30  # of all files, unpacked: about a thousand times a usual bundle
MOST_DIRECTORY_BYTES = 1 << 20  # of the list of files, which is read whole
_BLOCK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # of a file in the folder itself
_SHOWN = 60  # characters of a name in a message
_SHOWN_REASON = 200
_END = b"PK\5\6"  # begins the record at the end of a .zip
_LONGEST_END = 22 + (1 << 16)  # bytes of that record with its comment
# Of a damaged or encrypted .zip, and of a full disk.
_FAILURES = (
    struct.error,
    IndexError,
    OverflowError,
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
        _require_short_list(archive)
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(archive, members)
            left = MOST_BYTES
            for member in members:
                left = _write(opened, member, folder / member.filename, left, archive)
    except _FAILURES as error:
        reason = shortened(one_line(str(error)), _SHOWN_REASON)  # zipfile quotes whole names
        raise SettingError(
            f"{archive} cannot be unpacked ({reason}). Copy the bundle again, or free disk space."
        ) from error


def _require_short_list(archive: Path) -> None:
    """Raise `SettingError` if the list of files, which `zipfile` reads whole, is too long.

    Each record that may be taken for the end of the .zip is looked at. A bundle needs no ZIP64.
    """
    with archive.open("rb") as opened:
        opened.seek(max(0, archive.stat().st_size - _LONGEST_END))
        tail = opened.read()
    for found in re.finditer(re.escape(_END), tail):
        size = int.from_bytes(tail[found.start() + 12 : found.start() + 16], "little")
        if size > MOST_DIRECTORY_BYTES:
            raise SettingError(
                f"{archive} has a list of files of {size} bytes; allowed: up to "
                f"{MOST_DIRECTORY_BYTES}. {_FIX}"
            )
        if tail[max(0, found.start() - 20) : found.start()].startswith(b"PK\6\7"):
            raise SettingError(f"{archive} is a ZIP64 file, which no bundle is. {_FIX}")


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
            f"{archive} contains {name[:_SHOWN]!r}: {fault}. A bundle has plain files only. {_FIX}"
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
