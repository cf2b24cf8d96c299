"""Measurements that no phone made, and a phone that a test sends away and calls back."""

import dataclasses
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.errors import DeviceAwayError, DeviceError
from jejunet_nas.records import GRAPH_NAMES, Latency, NetworkRecord
from jejunet_nas.records.measurements import Measurement, NetworkMeasurement, PhoneInfo, PhoneState

PATIENCE_S = 60.0  # until what must come is given up: both cores may be busy
STATE = PhoneState(
    screen_on=True, battery=0.9, battery_c=30.0, charging=True, thermal_status=0, cores=()
)


def phone_info(serial_hash: str = "0" * 12, model: str = "Pixel 2") -> PhoneInfo:
    return PhoneInfo(
        serial_hash=serial_hash,
        manufacturer="Google",
        model=model,
        build="google/walleye",
        android="11",
        abi="arm64-v8a",
    )


PHONE = phone_info()
OTHER_PHONE = phone_info("f" * 12, "Pixel 6")


def measurement(
    median_ms: float,
    *,
    phone: PhoneInfo = PHONE,
    threads: int = 1,
    second: int = 0,
    unstable: tuple[str, ...] = (),
) -> Measurement:
    """One graph, measured at `second` of a minute long ago."""
    return Measurement(
        graph_sha256="0" * 64,
        latency=Latency(
            median_ms=median_ms,
            low_ms=median_ms,
            high_ms=median_ms,
            source="measured",
            threads=threads,
            runs=50,
        ),
        spread=0.0,
        rounds=5,
        core_mask="f0",
        runtime="benchmark_model 0123456789ab",
        phone=phone,
        before=STATE,
        after=STATE,
        unstable=unstable,
        taken_at=f"2024-01-01T00:00:{second:02}+00:00",
    )


def network_measurement(
    key_ms: float,
    *,
    phone: PhoneInfo = PHONE,
    threads: int = 1,
    second: int = 0,
    unstable: tuple[str, ...] = (),
) -> NetworkMeasurement:
    """All graphs: the key graph takes `key_ms`, the two others half of it."""
    shares = dict(zip(GRAPH_NAMES, (1.0, 0.5, 0.5), strict=True))
    return NetworkMeasurement(
        graphs={
            name: measurement(
                share * key_ms, phone=phone, threads=threads, second=second, unstable=unstable
            )
            for name, share in shares.items()
        }
    )


def of_graphs(taken: NetworkMeasurement, network: NetworkRecord) -> NetworkMeasurement:
    """Return `taken` as a measurement of the graphs in the record of `network`."""
    graphs = {
        name: dataclasses.replace(one, graph_sha256=network.graphs[name].sha256)
        for name, one in taken.graphs.items()
    }
    return NetworkMeasurement(graphs=graphs)


class FakePhone:
    """A phone and the meter on it, in one.

    at: what happens, once, when the turn of a graph `network/name` comes. broken: the networks that
    it cannot run. taken: the graphs that were run, broken ones too.
    """

    def __init__(self) -> None:
        self.phone_info = PHONE
        self.opening: Exception | None = None
        self.at: dict[str, Callable[[], object]] = {}
        self.broken: set[str] = set()
        self.taken: list[str] = []
        self.median_ms = 20.0
        self.unstable: tuple[str, ...] = ()
        self.closed = 0
        self._looks: queue.SimpleQueue[None] = queue.SimpleQueue()

    def leave(self) -> None:
        self.opening = DeviceAwayError("no phone is attached")

    def come_back(self) -> None:
        self.opening = None

    def looked_at(self, times: int) -> None:
        """Wait until it was looked for as often from now on, and once more: that it is over."""
        while not self._looks.empty():
            self._looks.get()
        for _ in range(times + 1):
            self._looks.get(timeout=PATIENCE_S)

    def open(self) -> "FakePhone":
        self._looks.put(None)
        if self.opening:
            raise self.opening
        return self

    def take(self, file: Path) -> Measurement:
        graph = f"{file.parent.name}/{file.stem}"
        self.at.pop(graph, lambda: None)()
        if self.opening:
            raise DeviceAwayError("the connection broke")
        self.taken.append(graph)
        if file.parent.name in self.broken:
            raise DeviceError(f"{graph} crashed")
        return measurement(self.median_ms, phone=self.phone_info, unstable=self.unstable)

    def close(self) -> None:
        self.closed += 1


class Gate:
    """Keeps a thread waiting where a test wants it, and tells when it has come there."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.opened.wait(PATIENCE_S), "nobody opened the gate"

    def wait_until_reached(self) -> None:
        assert self.reached.wait(PATIENCE_S), "nobody came to the gate"


class Lines:
    """The lines that were said; a test can wait for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def say(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        def said() -> bool:
            return any(words in line for line in self.lines)

        with self._changed:
            assert self._changed.wait_for(said, PATIENCE_S), self.lines

    def with_words(self, words: str) -> list[str]:
        return [line for line in self.lines if words in line]
