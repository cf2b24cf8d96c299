"""Unpacks the `.zip` of a bundle or a network, from anybody, into one folder of plain files.

Paths, folders, links, duplicate names, and more bytes than a bundle can have are refused.
"""

import lzma
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

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


class Kind(NamedTuple):
    """What a `.zip` holds, what mends one that is refused, and one that cannot be unpacked."""

    what: str
    fix: str
    again: str


_BUNDLE = Kind(
    what="bundle",
    fix="Export the bundle again: jejunet-nas export STUDY --out FILE.zip.",
    again="Copy the bundle again, or free disk space.",
)


def unpack(archive: Path, folder: Path, kind: Kind = _BUNDLE, *, place: str | None = None) -> None:
    """Write the files of `archive` into `folder`.

    place: what errors call it, if not by its path. Raises `SettingError` if a file is refused:
    before anything is written if its name is at fault.
    """
    shown = place or f"{archive}"
    try:
        _require_short_list(archive, shown, kind)
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(shown, members, kind)
            left = MOST_BYTES
            for member in members:
                left = _write(opened, member, folder / member.filename, left)
                if left < 0:
                    raise SettingError(f"{shown} contains more than {MOST_BYTES} bytes. {kind.fix}")
    except _FAILURES as error:
        reason = shortened(one_line(str(error)), _SHOWN_REASON)  # zipfile quotes whole names
        raise SettingError(f"{shown} cannot be unpacked ({reason}). {kind.again}") from error


def _require_short_list(archive: Path, shown: str, kind: Kind) -> None:
    """Raise `SettingError` if the list of files, which `zipfile` reads whole, is too long.

    Each record that may be taken for the end of the .zip is looked at. Nothing here needs ZIP64.
    """
    with archive.open("rb") as opened:
        opened.seek(max(0, archive.stat().st_size - _LONGEST_END))
        tail = opened.read()
    for found in re.finditer(re.escape(_END), tail):
        size = int.from_bytes(tail[found.start() + 12 : found.start() + 16], "little")
        if size > MOST_DIRECTORY_BYTES:
            raise SettingError(
                f"{shown} has a list of files of {size} bytes; allowed: up to "
                f"{MOST_DIRECTORY_BYTES}. {kind.fix}"
            )
        if tail[max(0, found.start() - 20) : found.start()].startswith(b"PK\6\7"):
            raise SettingError(f"{shown} is a ZIP64 file, which no {kind.what} is. {kind.fix}")


def _check(shown: str, members: list[zipfile.ZipInfo], kind: Kind) -> None:
    size = sum(each.file_size for each in members)
    if len(members) > MOST_FILES or size > MOST_BYTES:
        raise SettingError(
            f"{shown} contains {len(members)} files of {size} bytes; allowed: up to "
            f"{MOST_FILES} files of {MOST_BYTES} bytes. {kind.fix}"
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
            f"{shown} contains {name[:_SHOWN]!r}: {fault}. A {kind.what} has plain files only. "
            f"{kind.fix}"
        )


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, left: int) -> int:
    """Write one member, but not many more than `left` bytes: the header's size may lie.

    Returns how many bytes are left; negative if there were more.
    """
    with opened.open(member) as source, file.open("xb") as target:
        while left >= 0 and (block := source.read(_BLOCK)):
            left -= len(block)
            target.write(block)
    return left
