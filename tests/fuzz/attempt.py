"""Gives inputs to a parser in forked processes, so that nothing it does can end the run.

A process gets 2 GB of memory more than it has when it begins; one that dies, takes too long, or
raises anything but an error of ours has failed on the input it was at.
"""

import contextlib
import ctypes
import dataclasses
import faulthandler
import mmap
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from jejunet_nas.errors import JejunetError

MEMORY_BYTES = 2 << 30
MOST_SECONDS = 5.0  # for one input, while other processes compete
PREPARING_SECONDS = 60.0  # a fork of a process with threads may wait for a lock for ever
_LONGEST_MESSAGE = 3000
_ARENAS = -8  # of mallopt in glibc: the number of areas that threads allocate from
_STATE = struct.Struct("=qdq")  # number of the input (-1: none), when it began, inputs accepted


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parser:
    """A parser as the fuzzer sees it.

    make: returns an input. feed: parses it in a folder of its own. prepare: imports, and fills the
    folder, before memory is limited. allowed: errors that its callers expect. share: of all inputs.
    """

    name: str
    make: Callable[[random.Random], bytes]
    feed: Callable[[bytes, Path], object]
    prepare: Callable[[Path], object] = lambda folder: None
    allowed: tuple[type[Exception], ...] = ()
    share: float = 1.0
    seconds: float = MOST_SECONDS

    def input(self, seed: int, number: int) -> bytes:
        """Return input `number`, always the same for a seed."""
        return self.make(random.Random(f"{seed}/{self.name}/{number}"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong with one input; two failures of one kind have the same cause."""

    parser: str
    number: int
    kind: str


def outcome(parser: Parser, data: bytes, folder: Path) -> str | None:
    """Return what is wrong with how `parser` takes `data`; "" if it refuses it, None if not."""
    try:
        parser.feed(data, folder)
    except JejunetError as error:
        message = str(error)
        if "\n" in message.strip() or len(message) > _LONGEST_MESSAGE:
            return f"a message that is long, or has several lines, {_place(error)}"
        return ""
    except parser.allowed:
        return ""
    except MemoryError:
        return "memory"
    except Exception as error:
        return f"{type(error).__name__} {_place(error)}"
    return None


def _place(error: BaseException) -> str:
    """Return where in our code `error` arose."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "jejunet_nas/" in frame.filename] or frames
    file = ours[-1].filename.rpartition("jejunet_nas/")[2]
    return f"at {file}:{ours[-1].lineno} in {ours[-1].name}"


def run(parser: Parser, numbers: range, seed: int) -> tuple[list[Failure], int, int]:
    """Return the failures among the inputs `numbers`, peak resident bytes, and inputs accepted."""
    failures: list[Failure] = []
    peak, first, accepted = 0, numbers.start, 0
    while first < numbers.stop:
        shared = mmap.mmap(-1, _STATE.size)
        shared[:] = _STATE.pack(-1, time.monotonic(), accepted)
        found, status, memory = _child(parser, range(first, numbers.stop), seed, shared)
        failures += found
        peak = max(peak, memory)
        at, _, accepted = _STATE.unpack(shared[:])
        if status is None:
            break
        failures.append(Failure(parser=parser.name, number=at, kind=status))
        if at < 0:  # it could not be prepared
            break
        first = at + 1
    return failures, peak, accepted


def _child(
    parser: Parser, numbers: range, seed: int, shared: mmap.mmap
) -> tuple[list[Failure], str | None, int]:
    """Return failures that a process survived, how it ended if not well, and its peak memory."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        _work(parser, numbers, seed, shared, send)
    os.close(send)
    ended, usage, reason = 0, None, None
    while not ended:
        time.sleep(0.005)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        number, began, _ = _STATE.unpack(shared[:])
        limit = parser.seconds if number >= 0 else PREPARING_SECONDS
        if not ended and time.monotonic() - began > limit:
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            reason, ended = f"more than {limit:g} s", pid
    with os.fdopen(receive, encoding="utf-8", errors="replace") as opened:
        lines = opened.read().splitlines()
    if reason is None and status:
        by = os.waitstatus_to_exitcode(status)
        reason = f"ended by {signal.Signals(-by).name}" if by < 0 else f"exit code {by}"
    found = [line.split(" ", 1) for line in lines]
    failures = [Failure(parser=parser.name, number=int(n), kind=kind) for n, kind in found]
    return failures, reason, (usage.ru_maxrss * 1024 if usage else 0)


def _work(parser: Parser, numbers: range, seed: int, shared: mmap.mmap, send: int) -> None:
    try:
        accepted = _STATE.unpack(shared[:])[2]
        faulthandler.disable()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            parser.prepare(folder)
            _limit_memory()
            for number in numbers:
                data = parser.input(seed, number)
                shared[:] = _STATE.pack(number, time.monotonic(), accepted)
                wrong = outcome(parser, data, folder)
                accepted += wrong is None
                if wrong:
                    os.write(send, f"{number} {wrong}\n".encode())
            shared[:] = _STATE.pack(-1, time.monotonic(), accepted)
        os._exit(0)
    except BaseException:
        os._exit(99)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    with contextlib.suppress(AttributeError):  # else each of FFmpeg's threads reserves 64 MB
        ctypes.CDLL(None).mallopt(_ARENAS, 2)
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def minimised(parser: Parser, data: bytes, kind: str, *, seconds: float = 5.0) -> bytes:
    """Return a shorter input that fails in the same way, found within `seconds`."""
    until, piece = time.monotonic() + seconds, max(1, len(data) // 2)
    while piece and time.monotonic() < until:
        for shorter in _without(data, piece):
            if time.monotonic() > until:
                break
            fixed = dataclasses.replace(parser, make=lambda _, shorter=shorter: shorter)
            if any(failure.kind == kind for failure in run(fixed, range(1), 0)[0]):
                data = shorter
                break
        else:
            piece //= 2
    return data


def _without(data: bytes, piece: int) -> Iterator[bytes]:
    for at in range(0, len(data), piece):
        yield data[:at] + data[at + piece :]


def name_of(data: bytes) -> str:
    """Return a name for an input."""
    return f"{zlib.crc32(data):08x}"
