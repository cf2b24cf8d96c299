"""Ctrl-C held back for the moment in which it would tear a file."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Run the block to its end, then deliver a Ctrl-C that came meanwhile.

    `KeyboardInterrupt` is raised as soon as an encoder returns, and what it returned, often one
    packet of many that build on each other, would be lost: a second of rubbish in the video.
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
