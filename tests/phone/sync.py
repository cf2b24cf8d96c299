"""The `sync:` service, which `adb push` and `adb pull` speak.

After AOSP's `SYNC.TXT` (packages/modules/adb): every request is four letters, a little-endian
length and that many bytes; a file travels as DATA pieces and a DONE.
"""

import contextlib
import os
import struct
from pathlib import Path
from typing import Protocol

from tests.phone.transport import Stream

PIECE_BYTES = 64 * 1024  # what a DATA piece may hold at most
WRITABLE = ("/data/local/tmp", "/sdcard")


class Storage(Protocol):
    """What the service needs of the phone."""

    pushed: list[str]
    free_bytes: int | None

    def locate(self, path: str) -> Path:
        """Return the path in the sandbox of the device path `path`."""

    def interrupt_push(self) -> bool:
        """Return whether the cable is to be pulled now; then it has been."""


class SyncService:
    """Reads and writes files of the sandbox for one stream."""

    def __init__(self, storage: Storage, stream: Stream) -> None:
        self._storage = storage
        self._stream = stream

    def serve(self) -> None:
        """Answer requests until the computer says QUIT or closes the stream."""
        answers = {
            b"STAT": self._stat,
            b"LIST": self._list,
            b"SEND": self._take,
            b"RECV": self._hand,
        }
        while True:
            kind, length = self._read_head()
            if kind == b"QUIT":
                return
            argument = self._stream.read_exactly(length).decode(errors="surrogateescape")
            if kind not in answers:
                self._fail(f"unknown command {kind!r}")
                return
            answers[kind](argument)

    def _read_head(self) -> tuple[bytes, int]:
        kind, length = struct.unpack("<4sI", self._stream.read_exactly(8))
        return kind, length

    def _send(self, kind: bytes, data: bytes = b"") -> None:
        self._stream.write(struct.pack("<4sI", kind, len(data)) + data)

    def _fail(self, reason: str) -> None:
        self._send(b"FAIL", reason.encode())

    def _stat(self, path: str) -> None:
        self._stream.write(struct.pack("<4sIII", b"STAT", *_status(self._storage.locate(path))))

    def _list(self, path: str) -> None:
        with contextlib.suppress(OSError):
            for file in sorted(self._storage.locate(path).iterdir()):
                name = os.fsencode(file.name)
                head = struct.pack("<4sIIII", b"DENT", *_status(file), len(name))
                self._stream.write(head + name)
        self._stream.write(struct.pack("<4sIIII", b"DONE", 0, 0, 0, 0))

    def _hand(self, path: str) -> None:
        try:
            data = self._storage.locate(path).read_bytes()
        except OSError as error:
            self._fail(f"open failed: {os.strerror(error.errno or 0)}")
            return
        for start in range(0, len(data), PIECE_BYTES):
            self._send(b"DATA", data[start : start + PIECE_BYTES])
        self._send(b"DONE")

    def _take(self, request: str) -> None:
        """Write the file that comes; a failure is told at once, the rest of the file ignored."""
        path, _, mode = request.rpartition(",")
        file = self._storage.locate(path)
        failure = (
            None if path.startswith(WRITABLE) else "couldn't create file: Read-only file system"
        )
        if failure is None:
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():
                failure = "couldn't create file: Is a directory"
        failure = self._write(file, failure)
        if failure is None:
            file.chmod(int(mode) & 0o777 | 0o600)
            self._storage.pushed.append(path)
            self._send(b"OKAY")

    def _write(self, file: Path, failure: str | None) -> str | None:
        """Take all pieces into `file`; return why that failed, if it did."""
        written = 0
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(file.open("wb", buffering=0)) if failure is None else None
            if failure is not None:
                self._fail(failure)
            while True:
                kind, number = self._read_head()
                if kind != b"DATA":  # DONE; its number is the time of the last change
                    break
                piece = self._stream.read_exactly(number)
                if target is None:
                    continue
                written += len(piece)
                free = self._storage.free_bytes
                if free is not None and written > free:
                    failure = "write failed: No space left on device"
                    self._fail(failure)
                    file.unlink()
                    target = None
                    continue
                half = len(piece) // 2
                target.write(piece[:half])
                if half and self._storage.interrupt_push():
                    raise EOFError("the cable was pulled")
                target.write(piece[half:])
        return failure


def _status(file: Path) -> tuple[int, int, int]:
    """Return mode, size and time of the last change; zeros where there is no such file."""
    try:
        status = file.lstat()
    except OSError:
        return 0, 0, 0
    return status.st_mode, status.st_size & 0xFFFFFFFF, int(status.st_mtime) & 0xFFFFFFFF
