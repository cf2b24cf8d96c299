"""The `shell` services: a command runs in the sandbox, its output and exit code go back.

After AOSP's `shell_protocol.h` and `SERVICES.TXT` (packages/modules/adb). `shell,v2,...:COMMAND`
sends packets of one byte (what it is), a little-endian length and that many bytes;
`shell:COMMAND` and `exec:COMMAND` send plain bytes, without an exit code.
"""

import contextlib
import dataclasses
import enum
import os
import re
import signal
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from tests.phone.transport import Stream

SANDBOXED = re.compile(r"(?<![\w.])(?=/(?:data/local/tmp|sys/devices|sys/class|system/bin)\b)")
RUNS_BENCHMARK = re.compile(r"--graph=|benchmark_model['\"]?\s+-")  # under any name


class Packet(enum.IntEnum):
    """What a packet of the shell protocol carries."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    CLOSE_STDIN = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A folder that stands for `/`, and what its programs find in their environment."""

    root: Path
    environment: Mapping[str, str]

    def start(self, command: str, *, stderr: int) -> subprocess.Popen[bytes]:
        """Start `command` by /bin/sh, device paths led into the sandbox."""
        inside = SANDBOXED.sub(str(self.root), command)
        return subprocess.Popen(
            ["/bin/sh", "-c", inside] if inside else ["/bin/sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=self.root,
            env=dict(self.environment),
            start_new_session=True,
            bufsize=0,
        )


class Rewriter:
    """Takes the sandbox's path out of a flow of bytes, wherever the flow is cut into pieces."""

    def __init__(self, root: Path) -> None:
        self._needle = os.fsencode(root)
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what is certain by now: an end that may begin the path is held back."""
        text = (self._held + piece).replace(self._needle, b"")
        longest = min(len(text), len(self._needle) - 1)
        held = next((n for n in range(longest, 0, -1) if text.endswith(self._needle[:n])), 0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> bytes:
        """Return what was held back."""
        return self._held


class ShellService:
    """Runs one command for one stream."""

    def __init__(
        self,
        sandbox: Sandbox,
        stream: Stream,
        *,
        packets: bool,
        on_output: Callable[[], None] = lambda: None,
    ) -> None:
        self._sandbox = sandbox
        self._stream = stream
        self._packets = packets
        self._on_output = on_output

    def serve(self, command: str) -> None:
        """Run `command` to its end, or until the computer goes away."""
        stderr = subprocess.PIPE if self._packets else subprocess.STDOUT
        with self._sandbox.start(command, stderr=stderr) as process:
            pumps = [threading.Thread(target=self._take_input, args=(process,), daemon=True)]
            for source, kind in ((process.stdout, Packet.STDOUT), (process.stderr, Packet.STDERR)):
                if source is not None:
                    pumps.append(
                        threading.Thread(target=self._send_output, args=(source, kind), daemon=True)
                    )
            for pump in pumps:
                pump.start()
            for pump in pumps[1:]:
                pump.join()
            code = _wait(process)
            if self._packets:
                with contextlib.suppress(OSError):
                    self._send(Packet.EXIT, bytes([code]))
            self._stream.close()
            pumps[0].join()

    def _send(self, kind: Packet, data: bytes) -> None:
        head = struct.pack("<BI", kind, len(data)) if self._packets else b""
        if data:
            self._stream.write(head + data)

    def _send_output(self, source: BinaryIO, kind: Packet) -> None:
        """Send what the command prints; where nobody listens any more, just read it away."""
        rewriter = Rewriter(self._sandbox.root)
        while piece := source.read(32 * 1024):
            with contextlib.suppress(OSError):
                self._send(kind, rewriter.feed(piece))
            self._on_output()
        with contextlib.suppress(OSError):
            self._send(kind, rewriter.flush())

    def _take_input(self, process: subprocess.Popen[bytes]) -> None:
        """Feed what the computer types; hang up when it leaves before the command has ended."""
        assert process.stdin is not None, "stdin is a pipe"
        with contextlib.suppress(EOFError):
            while True:
                kind, data = self._read_input()
                if kind == Packet.STDIN:
                    with contextlib.suppress(OSError, ValueError):
                        process.stdin.write(data)
                elif kind == Packet.CLOSE_STDIN:
                    with contextlib.suppress(OSError):
                        process.stdin.close()
        hang_up(process)

    def _read_input(self) -> tuple[int, bytes]:
        if self._packets:
            kind, length = struct.unpack("<BI", self._stream.read_exactly(5))
            return kind, self._stream.read_exactly(length)
        if not (data := self._stream.read()):
            raise EOFError("the stream was closed by the computer")
        return Packet.STDIN, data


def hang_up(process: subprocess.Popen[bytes]) -> None:
    """End the command and its children, politely at first; one that has ended is left alone."""
    for number in (signal.SIGHUP, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code as a shell tells it: 128 more than the signal that ended it."""
    code = process.wait()
    return code if code >= 0 else 128 - code
