"""The standard streams of a command: they take any text, and losing them stops no work.

Native libraries (TensorFlow, LiteRT) write messages to file descriptor 2, below Python's logging.
While a command runs, that descriptor leads nowhere, or to a log; our own words go to a duplicate.
A closed stream discards text. A full one, or a pipe without a reader, loses it: the work goes on,
and `exit_code` says at the end that a result was lost.
"""

import contextlib
import dataclasses
import errno
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
RESULT_LOST = 4
_ERROR = 2  # the file descriptor of standard error


class Stream:
    """A text stream that never raises: `lost` is the first error of writing, `used` whether any.

    Characters that its encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.used = False
        self.lost: Exception | None = None

    def write(self, text: str) -> int:
        """Write `text`, and return its length."""
        self.used = self.used or bool(text)
        if self.lost is None:
            encoding = self._stream.encoding or "utf-8"
            try:
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                self.lost = error
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        if self.lost is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.lost = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Where a command's words go: results to `out`, messages to `err`."""

    out: Stream
    err: Stream

    def exit_code(self, code: int) -> int:
        """Return `code`, or that of a lost result if all else went well; say what was lost."""
        self.out.flush()
        lost = self.out.lost
        if isinstance(lost, BrokenPipeError):  # as of `| head`: its reader has what it wanted
            return code or BROKEN_PIPE
        if lost is not None:
            reason = getattr(lost, "strerror", None) or lost
            self.err.write(
                f"jejunet-nas: standard output cannot be written: {reason}. Send it elsewhere and "
                "run the command again.\n"
            )
            return code or RESULT_LOST
        return code


_STREAMS: ContextVar[Streams | None] = ContextVar("streams", default=None)


def streams() -> Streams:
    """Return the streams of the running command, or those of Python outside of one."""
    return _STREAMS.get() or Streams(out=Stream(sys.stdout), err=Stream(sys.stderr))


@contextlib.contextmanager
def standard_streams() -> Iterator[Streams]:
    """Take over the standard streams inside the block."""
    _occupy()
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        python_out, python_err = sys.stdout, sys.stderr
        ours = Streams(
            out=Stream(python_out or nowhere),
            err=Stream(_duplicate(stack) if _is_standard(python_err) else python_err or nowhere),
        )
        token = _STREAMS.set(ours)
        # What libraries print in Python follows the descriptor; the parser's help goes to `out`.
        sys.stdout, sys.stderr = ours.out, python_err or nowhere
        try:
            with native_log(Path(os.devnull)):
                yield ours
        finally:
            sys.stdout, sys.stderr = python_out, python_err
            _STREAMS.reset(token)
            ours.out.flush()
            ours.err.flush()
            _forget(python_out, ours.out)


@contextlib.contextmanager
def native_log(file: Path) -> Iterator[None]:
    """Append to `file` what is written to file descriptor 2 inside the block."""
    log = _open_log(file)
    _flush_python()
    kept = os.dup(_ERROR)
    try:
        os.dup2(log, _ERROR)
        yield
    finally:
        _flush_python()
        os.dup2(kept, _ERROR)
        os.close(kept)
        os.close(log)


def _open_log(file: Path) -> int:
    """Open `file` to append to it; where nothing may be written, the output is discarded.

    A study on a read-only file system can be exported to another.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, flags, 0o644)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        return os.open(os.devnull, flags)


def _occupy() -> None:
    """Open the closed ones of descriptors 0, 1 and 2, so that no file of ours becomes one."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _is_standard(stream: TextIO | None) -> bool:
    """Whether `stream` writes to descriptor 2; a notebook or a test may have put another there."""
    try:
        return stream is not None and stream.fileno() == _ERROR
    except (OSError, ValueError):
        return False


def _duplicate(stack: contextlib.ExitStack) -> TextIO:
    """Return a stream of our own to where descriptor 2 leads now."""
    opened = os.fdopen(os.dup(_ERROR), "w", encoding=sys.stderr.encoding, buffering=1)

    def close() -> None:
        with contextlib.suppress(OSError, ValueError):
            opened.close()

    stack.callback(close)
    return opened


def _flush_python() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _forget(python_out: TextIO | None, out: Stream) -> None:
    """Send what a lost standard output still buffers nowhere: Python flushes it at its end."""
    if out.lost is None or python_out is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, python_out.fileno())
        os.close(nowhere)
