"""Delays Ctrl-C while a file is written."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Run the block to its end, then deliver a Ctrl-C that was pressed meanwhile.

    Otherwise `KeyboardInterrupt` is raised as soon as an encoder returns, and its packets are lost.
    Later packets depend on them, so a second of the video would be garbage.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)
