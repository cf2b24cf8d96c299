"""A graph's latency on this computer: for comparing graphs without a phone.

The graph runs in LiteRT as in an app, with a given number of threads pinned to as many processors.
The figures say which of two graphs is slower, not how long either takes on a phone: they are marked
`host` and never compared with a phone's deadline.

Units: milliseconds; `warmup_s` in seconds.
"""

import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.litert import Graph
from jejunet_nas.progress import Say
from jejunet_nas.records import Latency

ROUNDS = 5
SEED = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostMeter(LatencyMeter):
    """A `LatencyMeter` on this computer.

    `say` gets a line if the default delegate refuses the graph, or threads cannot be pinned.
    input_size: height and width, for graphs that leave them open.
    """

    threads: int = 1
    runs: int = 50
    warmup_s: float = 0.3
    say: Say = print
    input_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        most = len(_processors())
        if not 1 <= self.threads <= most:
            raise SettingError(
                f"threads is {self.threads}; allowed on this computer: 1 to {most}. Use "
                f"{min(max(self.threads, 1), most)}, or time the graph on a phone."
            )
        if self.runs < 1:
            raise SettingError(f"runs is {self.runs}; allowed: 1 or more. Use 50.")
        if self.warmup_s < 0:
            raise SettingError(f"warmup_s is {self.warmup_s}; allowed: 0 or more. Use 0.3.")

    def measure(self, graph: Path) -> Latency:
        """Return the median of `runs` runs of `graph` on noise, after a warm-up.

        The interval spans the medians of five consecutive rounds of those runs. Raises
        `SettingError` if the graph runs neither with LiteRT's default delegate nor without.
        """
        with self._pinned():  # before the interpreter is made: its threads inherit the processors
            times_ms = self._time(self._open(graph))
        median_ms = statistics.median(times_ms)
        rounds = np.array_split(np.array(times_ms), min(ROUNDS, self.runs))
        medians_ms = [median_ms, *(float(np.median(part)) for part in rounds)]
        return Latency(
            median_ms=median_ms,
            low_ms=min(medians_ms),
            high_ms=max(medians_ms),
            source="host",
            threads=self.threads,
            runs=self.runs,
        )

    def _open(self, file: Path) -> Graph:
        try:
            return Graph(file, threads=self.threads, size=self.input_size)
        except SettingError:
            graph = Graph(file, threads=self.threads, delegate=False, size=self.input_size)
        self.say(
            f"{file.name} is timed without LiteRT's default delegate, which refuses it: slower"
        )
        return graph

    def _time(self, graph: Graph) -> list[float]:
        graph.fill_inputs(seed=SEED)
        warm = time.perf_counter() + self.warmup_s
        graph.invoke()
        while time.perf_counter() < warm:
            graph.invoke()
        times_ms = []
        for _ in range(self.runs):
            started_ns = time.perf_counter_ns()
            graph.invoke()
            times_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
        return times_ms

    @contextlib.contextmanager
    def _pinned(self) -> Iterator[None]:
        """Pin this thread, and those it makes, to the first `threads` processors it may use."""
        if not hasattr(os, "sched_setaffinity"):
            self.say("this system cannot pin threads to processors: latencies will scatter more")
            yield
            return
        before = _processors()
        os.sched_setaffinity(0, before[: self.threads])
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
