"""Shares: work on the clips of an evaluation, divided among threads.

LiteRT, Pillow and zlib run without Python's global lock. Each thread has clips of its own, and
graphs of its own, so that no result depends on the number of threads. Two threads take 0.7 of the
time of one (2 cores; DAVIS, 645 frames, 160 px, all policies of `mobile_video`).
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from jejunet_nas.progress import Tell

MOST_THREADS = 4  # each has all graphs in memory
T = TypeVar("T")


class StoppedError(Exception):
    """Ends the other threads when one has failed, or the user has interrupted."""


def threads_for(clips: int) -> int:
    """Return how many threads work on so many clips: one a processor, at most `MOST_THREADS`."""
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(clips, processors, MOST_THREADS))


def divide(lengths: Sequence[int], shares: int) -> list[list[int]]:
    """Return the indices of `lengths` in so many shares of about the same sum, none empty.

    The longest are given away first, each to the smallest share. Within a share they stay in order.
    """
    found: list[list[int]] = [[] for _ in range(shares)]
    sums = [0] * shares
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        smallest = min(range(shares), key=lambda share: (sums[share], len(found[share])))
        found[smallest].append(index)
        sums[smallest] += lengths[index]
    return [sorted(share) for share in found]


class Progress:
    """Tells the frames done of all threads together, and stops the threads."""

    def __init__(self, tell: Tell, frames: int) -> None:
        self._tell, self._frames = tell, frames
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._done: dict[int, int] = {}

    def seen(self, clip: int, done: int) -> None:
        """Note the frames done of a clip. Raises `StoppedError` after `stop`."""
        if self._stopped.is_set():
            raise StoppedError
        with self._lock:
            self._done[clip] = max(done, self._done.get(clip, 0))
            self._tell("evaluate", sum(self._done.values()), self._frames)

    def stop(self) -> None:
        """End all threads at their next frame."""
        self._stopped.set()


def run(shares: Sequence[Sequence[int]], work: Callable[[int], T], progress: Progress) -> list[T]:
    """Return `work` of every index in `shares`, in the order of the indices.

    One share runs in this thread. The first error ends all, as does Ctrl-C.
    """

    def take(share: Sequence[int]) -> list[tuple[int, T]]:
        try:
            return [(index, work(index)) for index in share]
        except BaseException:
            progress.stop()
            raise

    if len(shares) == 1:
        return [result for _, result in take(shares[0])]
    with ThreadPoolExecutor(len(shares), thread_name_prefix="evaluation") as pool:
        running = [pool.submit(take, share) for share in shares]
        try:
            wait(running)
        except BaseException:  # Ctrl-C
            progress.stop()
            raise
    failed = [error for each in running if (error := each.exception())]
    for error in sorted(failed, key=lambda error: isinstance(error, StoppedError)):
        raise error
    found = [pair for each in running for pair in each.result()]
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]
