"""ADB's messages and streams, the phone's side of one TCP connection.

After AOSP's `protocol.txt` (packages/modules/adb): every message is a header of six little-endian
words and some data; streams are opened by the computer, and a side sends the next WRTE only after
an OKAY for the last. TLS (STLS) is not offered, so that every adb client speaks plainly.
"""

import contextlib
import dataclasses
import enum
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import BinaryIO

VERSION = 0x01000001  # of adbd since Android 9: from here on, no checksums after CNXN
MAX_DATA_BYTES = 256 * 1024
HEADER = struct.Struct("<6I")
AUTH_TOKEN = 1


class Command(enum.IntEnum):
    """What a message asks for: four letters, read as a little-endian word."""

    CNXN = int.from_bytes(b"CNXN", "little")
    AUTH = int.from_bytes(b"AUTH", "little")
    OPEN = int.from_bytes(b"OPEN", "little")
    OKAY = int.from_bytes(b"OKAY", "little")
    WRTE = int.from_bytes(b"WRTE", "little")
    CLSE = int.from_bytes(b"CLSE", "little")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; what the two numbers mean depends on the command."""

    command: Command
    first: int = 0
    second: int = 0
    data: bytes = b""

    def encode(self) -> bytes:
        """Return header and data; only messages before the connection stands carry a checksum."""
        early = self.command in (Command.CNXN, Command.AUTH)
        checksum = sum(self.data) & 0xFFFFFFFF if early else 0
        return (
            HEADER.pack(
                self.command,
                self.first,
                self.second,
                len(self.data),
                checksum,
                self.command ^ 0xFFFFFFFF,
            )
            + self.data
        )


def read_message(source: BinaryIO) -> Message | None:
    """Return the next message, None where the connection or the sense of what it says ends."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    word, first, second, length, _, magic = HEADER.unpack(header)
    if magic != word ^ 0xFFFFFFFF or word not in Command.__members__.values():
        return None
    data = source.read(length)
    if len(data) < length:
        return None
    return Message(command=Command(word), first=first, second=second, data=data)


class Stream:
    """One of many two-way pipes within a connection; both directions wait for the other side."""

    def __init__(self, connection: "Connection", local: int, remote: int) -> None:
        self.closed = False
        self._connection = connection
        self._local, self._remote = local, remote
        self._inbound: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._rest = b""
        self._may_write = threading.Semaphore(1)
        self._whole_writes = threading.Lock()

    def read(self) -> bytes:
        """Return the next piece that came in, b"" once the stream is closed."""
        if self._rest:
            piece, self._rest = self._rest, b""
            return piece
        received = None if self.closed and self._inbound.empty() else self._inbound.get()
        if received is None:
            return b""
        with contextlib.suppress(OSError):
            self._send(Command.OKAY)
        return received

    def read_exactly(self, count: int) -> bytes:
        """Return `count` bytes; raise `EOFError` where the stream closes before them."""
        pieces = []
        while count > 0:
            piece = self.read()
            if not piece:
                raise EOFError("the stream was closed by the computer")
            pieces.append(piece[:count])
            self._rest = piece[count:]
            count -= len(pieces[-1])
        return b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Send all of `data` in one go; raise `OSError` where the stream is closed."""
        size = self._connection.max_data_bytes
        with self._whole_writes:
            for start in range(0, len(data), size):
                self._may_write.acquire()
                if self.closed:
                    self._may_write.release()
                    raise BrokenPipeError("the stream is closed")
                self._send(Command.WRTE, data[start : start + size])

    def close(self) -> None:
        """Close the stream on both sides; once is enough."""
        if not self.closed:
            self.end()
            with contextlib.suppress(OSError):
                self._send(Command.CLSE)

    def end(self) -> None:
        """Wake up whoever waits in this stream: nothing more goes through it."""
        self.closed = True
        self._inbound.put(None)
        self._may_write.release()

    def receive(self, message: Message) -> None:
        """Take one message that is meant for this stream."""
        if message.command is Command.OKAY:
            self._may_write.release()
        elif message.command is Command.WRTE:
            self._inbound.put(message.data)
        else:
            self.close()

    def _send(self, command: Command, data: bytes = b"") -> None:
        self._connection.send(
            Message(command=command, first=self._local, second=self._remote, data=data)
        )


Service = Callable[[Stream], None]


class Connection:
    """One adb server that is connected to the phone; each of its streams has a thread."""

    def __init__(
        self,
        connected: socket.socket,
        *,
        banner: str,
        authorised: bool,
        find_service: Callable[[str], Service | None],
    ) -> None:
        self.max_data_bytes = MAX_DATA_BYTES
        self._socket = connected
        self._banner = banner
        self._authorised = authorised
        self._find_service = find_service
        self._whole_messages = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._workers: list[threading.Thread] = []

    def serve(self) -> None:
        """Answer until the connection breaks, then wait for what ran in its streams."""
        with self._socket, self._socket.makefile("rb") as source:
            with contextlib.suppress(OSError):
                while (message := read_message(source)) is not None:
                    self._answer(message)
            self.drop()
            for worker in self._workers:
                worker.join(timeout=5)

    def send(self, message: Message) -> None:
        """Send one message; raise `OSError` where the connection is broken."""
        with self._whole_messages:
            self._socket.sendall(message.encode())

    def drop(self) -> None:
        """Break the connection off, as a pulled cable does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for stream in list(self._streams.values()):
            stream.end()

    def _answer(self, message: Message) -> None:
        if message.command is Command.CNXN:
            self._introduce(message)
        elif message.command is Command.AUTH:
            self._ask_for_a_key(message)
        elif message.command is Command.OPEN:
            self._open(message)
        elif (stream := self._streams.get(message.second)) is not None:
            stream.receive(message)

    def _introduce(self, message: Message) -> None:
        self.max_data_bytes = min(MAX_DATA_BYTES, message.second)
        if self._authorised:
            self.send(
                Message(
                    command=Command.CNXN,
                    first=VERSION,
                    second=MAX_DATA_BYTES,
                    data=self._banner.encode(),
                )
            )
        else:
            self._ask_for_a_key(message)

    def _ask_for_a_key(self, message: Message) -> None:
        """Refuse signatures; leave a public key to the dialog that nobody answers."""
        is_public_key = message.command is Command.AUTH and message.first == 3
        if not is_public_key:
            self.send(Message(command=Command.AUTH, first=AUTH_TOKEN, data=bytes(range(20))))

    def _open(self, message: Message) -> None:
        service = self._find_service(message.data.rstrip(b"\0").decode(errors="surrogateescape"))
        if service is None or not self._authorised:
            self.send(Message(command=Command.CLSE, second=message.first))
            return
        local = len(self._workers) + 1
        stream = self._streams[local] = Stream(self, local, message.first)
        self.send(Message(command=Command.OKAY, first=local, second=message.first))
        worker = threading.Thread(target=self._work, args=(service, stream, local), daemon=True)
        self._workers.append(worker)
        worker.start()

    def _work(self, service: Service, stream: Stream, local: int) -> None:
        try:
            with contextlib.suppress(OSError, EOFError):
                service(stream)
        finally:
            stream.close()
            self._streams.pop(local, None)
