"""Signals that end a command: SIGTERM and SIGHUP end it as Ctrl-C does, with a line.

The first one raises `KeyboardInterrupt`, so that outputs are closed and finished work is kept; a
second one ends the process at once. Programs that the command started are ended too: a terminal
sends Ctrl-C to them, but `kill` reaches only this process.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from jejunet_nas.faults import ENDING


class Ending:
    """The signal that ends the command; None so far."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """128 and the signal's number: 130 for Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def words(self) -> str:
        """How the command ended."""
        if self.signal in (None, signal.SIGINT):
            return "Interrupted"
        assert self.signal is not None
        return f"Ended by {self.signal.name}"

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            end_children()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = signal.Signals(number)
        raise KeyboardInterrupt


@contextlib.contextmanager
def ending_signals() -> Iterator[Ending]:
    """Handle the signals inside the block; yield which one came. Ignored ones stay ignored."""
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, ending._handle)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_children() -> None:
    """End the programs that this process started, such as adb. Linux only."""
    for tasks in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, tasks.read_text().split()):
                os.kill(child, signal.SIGTERM)
