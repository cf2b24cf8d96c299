"""Faults of the machine: a full disk, a read-only file system, a missing file, in one line.

They may arise wherever a file is read or written, so the command line and the search translate them
at their edge: what is wrong with which file, and the remedy. Only a reader that knows more about a
file, such as that of a data set, words its own.
"""

import contextlib
import errno
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from jejunet_nas.errors import JejunetError, MachineError, SettingError, StorageError

STORAGE_GONE_S = 600.0  # for which a search waits until a database or a shared store is back
_TRY_AGAIN_S = 2.0

Result = TypeVar("Result")

# The signals by which a user or the system ends a process.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_AGAIN = "then run the same command again; finished work is kept"
_ACCESS = "Change its permissions, or choose another folder"
_DRIVE = f"Check the drive or the network, {_AGAIN}"
_MOVE = "Move it away, or choose another name"
_SPACE = f"Free some space (`jejunet-nas data clean` empties the cache of frames), {_AGAIN}"

# By errno: the class of the error, what is wrong with the file, and the remedy.
_FAULTS: dict[int, tuple[type[JejunetError], str, str]] = {
    errno.ENOSPC: (MachineError, "cannot be written: the disk is full", _SPACE),
    errno.EDQUOT: (MachineError, "cannot be written: the disk quota is used up", _SPACE),
    errno.EFBIG: (MachineError, "is too large for its file system", "Choose another folder"),
    errno.EIO: (MachineError, "cannot be read or written: the drive failed", _DRIVE),
    errno.ESTALE: (MachineError, "is on a network drive that was replaced", _DRIVE),
    errno.ENODEV: (MachineError, "is on a drive that is gone", _DRIVE),
    errno.ENXIO: (MachineError, "is on a drive that is gone", _DRIVE),
    errno.EMFILE: (
        MachineError,
        "cannot be opened: this process has too many open files",
        f"Raise the limit with `ulimit -n 4096`, {_AGAIN}",
    ),
    errno.ENFILE: (
        MachineError,
        "cannot be opened: this computer has too many open files",
        f"Close other programs, {_AGAIN}",
    ),
    errno.ENOMEM: (
        MachineError,
        "cannot be opened: not enough memory",
        f"Close other programs, {_AGAIN}",
    ),
    errno.EROFS: (
        SettingError,
        "cannot be written: its file system is read-only",
        "Choose another folder, or mount it writable",
    ),
    errno.EACCES: (SettingError, "cannot be opened: permission denied", _ACCESS),
    errno.EPERM: (SettingError, "cannot be changed: not permitted", _ACCESS),
    errno.ENAMETOOLONG: (SettingError, "has a name that is too long", "Choose a shorter name"),
    errno.ELOOP: (SettingError, "is a symbolic link to itself", "Remove the link"),
    errno.ENOTDIR: (SettingError, "has a file in its path where a folder should be", _MOVE),
    errno.EEXIST: (SettingError, "is a file where a folder should be", _MOVE),
    errno.EISDIR: (SettingError, "is a folder where a file should be", _MOVE),
    errno.ENOENT: (SettingError, "does not exist", "Check the path"),
}
# Libraries raise errors of their own with these words of the system.
_WORDED = (errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EDQUOT, errno.EIO)
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")  # NumPy's words for a full disk

_USER_AND_PASSWORD = re.compile(r"(?s)(://[^:/@]*):(.*)@")
_SECRET_OPTION = re.compile(r"(?i)([?&;][^=&;]*(?:pass|pwd|secret|token|key)[^=&;]*=)([^&;\s]+)")
_HIDDEN = "***"


def fault_of(error: BaseException) -> JejunetError | None:
    """Return the fault of the machine that `error` came from, in one line, or None.

    An error of this package is returned as it is.
    """
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        if isinstance(each, JejunetError):
            return each
        if (number := _errno_of(each)) in _FAULTS:
            kind, problem, remedy = _FAULTS[number]
            return kind(f"{_file_of(each)} {problem}. {remedy}.")
        if isinstance(each, MemoryError):
            return MachineError(f"not enough memory. Close other programs, {_AGAIN}.")
        seen.append(each)
        each = each.__cause__  # its context may be an error that was handled
    return None


def disk_fault(file: Path, error: BaseException) -> JejunetError | None:
    """Return the fault of the disk on which `file` could not be written, or None.

    `error` may name another file, such as a temporary one.
    """
    number = _errno_of(error)
    return fault_of(OSError(number, "", str(file))) if number in _WORDED else None


def insist(call: Callable[[], Result]) -> Result:
    """Return what `call` does; try again for `STORAGE_GONE_S` while what it needs is away.

    Then raises `MachineError`: whoever caught a `StorageError` would wait again.
    """
    ends = time.monotonic() + STORAGE_GONE_S
    while True:
        try:
            return call()
        except StorageError as error:
            if time.monotonic() >= ends:
                raise MachineError(str(error)) from error
        time.sleep(_TRY_AGAIN_S)


@contextlib.contextmanager
def naming(file: Path, temporary: Path | None = None) -> Iterator[None]:
    """Have an `OSError` of the block name `file`: that of a full disk names none.

    temporary: the name under which the block writes it.
    """
    try:
        yield
    except OSError as error:
        number = _errno_of(error)
        if number is None or error.filename not in (None, str(temporary), temporary):
            raise
        raise OSError(number, os.strerror(number), str(file)) from error


def masked(url: str) -> str:
    """Return a database's URL without its password."""
    return _SECRET_OPTION.sub(rf"\1{_HIDDEN}", _USER_AND_PASSWORD.sub(rf"\1:{_HIDDEN}@", url))


def without_passwords(text: str, arguments: Iterable[str]) -> str:
    """Return `text` without the passwords of the URLs among a command's `arguments`."""
    for argument in (each for each in arguments if "://" in each):
        url = argument.partition("=")[2] if argument.startswith("-") else argument
        text = text.replace(url, masked(url))
        for secret in _passwords(url):
            # Short words stand in other texts too; whole URLs are masked above.
            if len(secret) > 2:
                text = text.replace(secret, _HIDDEN)
    return text


def _passwords(url: str) -> set[str]:
    found = {match[2] for match in _USER_AND_PASSWORD.finditer(url)}
    found |= {match[2] for match in _SECRET_OPTION.finditer(url)}
    return found | {unquote(each) for each in found}


def _errno_of(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    words = str(error)
    if isinstance(error, OSError) and _SHORT_WRITE.search(words):
        return errno.ENOSPC
    return next((number for number in _WORDED if os.strerror(number) in words), None)


def _file_of(error: BaseException) -> str:
    names = (getattr(error, "filename2", None), getattr(error, "filename", None))
    name = next((each for each in names if isinstance(each, str | bytes | os.PathLike)), None)
    return os.fsdecode(name) if name is not None else "a file"
