"""The `.zip` of a bundle, unpacked without trust: it writes plain files into one folder.

What is refused is told by its name: paths that lead elsewhere, links, folders, names that are there
twice, and more bytes than a bundle can have.
"""

import lzma
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from jejunet_nas.errors import SettingError

MOST_FILES = 64
MOST_BYTES = 1 << 30  # of all files, unpacked: a thousand times a usual bundle
_BLOCK = 1 << 20
_FIX = "Make the bundle again: jejunet-nas export STUDY --out FILE.zip."


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of `archive` into `folder`.

    Raises `SettingError` where one is refused: by its name before anything is written, by what it
    holds once that is found out.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(archive, members)
            left = MOST_BYTES
            for member in members:
                left = _write(opened, member, folder / member.filename, left, archive)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise SettingError(
            f"{archive} is no whole .zip ({error}); allowed: a bundle, a folder or a .zip. Copy it "
            "again."
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingError(
            f"{archive} cannot be unpacked ({error}); allowed: a bundle's .zip, and room for what "
            "it holds. Copy it again, or make room."
        ) from error


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_FILES or sum(each.file_size for each in members) > MOST_BYTES:
        raise SettingError(
            f"{archive} holds {len(members)} files of {sum(each.file_size for each in members)} "
            f"bytes; allowed: {MOST_FILES} of {MOST_BYTES}. {_FIX}"
        )
    seen: set[str] = set()
    for member in members:
        fault = _fault(member, seen)
        if fault:
            raise SettingError(
                f"{archive} holds {member.orig_filename!r}, {fault}; allowed: plain files at its "
                f"top. {_FIX}"
            )
        seen.add(member.filename.casefold())


def _fault(member: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """Return what is wrong with a member, None where nothing is."""
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        return "an absolute path"
    if ".." in (*PurePosixPath(name).parts, *PureWindowsPath(name).parts):
        return "which leads out of it"
    if member.is_dir():
        return "a folder"
    if kind not in (0, stat.S_IFREG):
        return "which is a link or something else that is no file"
    if len(PurePosixPath(name).parts) != 1:
        return "which lies in a folder"
    if any(letter in name for letter in "\\:\0"):
        return "which is no file's name"
    if name.casefold() in seen:
        return "which is there twice"
    return None


def _write(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, left: int, archive: Path
) -> int:
    """Write one member; return how many bytes are left: what a header says is not believed."""
    with opened.open(member) as source, file.open("xb") as target:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise SettingError(
                    f"{archive} holds more than {MOST_BYTES} bytes; allowed: at most that. {_FIX}"
                )
            target.write(block)
    return left
