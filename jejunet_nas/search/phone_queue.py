"""Measures trained networks on the phone in the background, while the search trains the next one.

The phone may disconnect at any time. Measuring then pauses, the search continues with predictions,
and the remaining networks are measured when the phone is back. No fault of the phone stops a
search.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from jejunet_nas.errors import DeviceAwayError, JejunetError
from jejunet_nas.progress import Say
from jejunet_nas.records import NetworkRecord
from jejunet_nas.records.measurements import Measurement, NetworkMeasurement, PhoneInfo
from jejunet_nas.study.kept_measurements import outside_interval, save_measurement
from jejunet_nas.video.graphs import graph_files

LOOK_AGAIN_S = 20.0  # between two attempts to find a disconnected phone
TRIES = 2  # of a network that the phone cannot run


class SearchPhone(Protocol):
    """Measures the graphs of a search: a `latency.phone_meter`, or a phone elsewhere."""

    @property
    def phone_info(self) -> PhoneInfo:
        """The phone."""

    def take(self, graph: Path) -> Measurement:
        """Return the measurement of `graph`; raises as `PhoneMeter.take` does."""

    def close(self) -> None:
        """Remove what was copied to the phone."""


OpenMeter = Callable[[], SearchPhone]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FinishedNetwork:
    """A network that left the queue; measurement: None if it could not be measured."""

    network_id: str
    measurement: NetworkMeasurement | None


class PhoneQueue:
    """A queue of networks to measure, and the thread that measures them.

    `submit`, `done` and `finish` are called by the search's own thread.
    """

    def __init__(self, open_meter: OpenMeter, networks: Path, say: Say) -> None:
        """Open the phone. Raises `DeviceError` if that fails."""
        self._open, self._networks, self._say = open_meter, networks, say
        self._meter: SearchPhone | None = open_meter()
        self.phone = self._meter.phone_info
        self._waiting: list[NetworkRecord] = []  # guarded by _changed, as are the next five
        self._working: str | None = None
        self._finished: dict[str, FinishedNetwork] = {}
        self._done: list[FinishedNetwork] = []
        self._away = self._ending = False
        self._changed = threading.Condition()
        self._failures: dict[str, int] = {}
        self._thread = threading.Thread(target=self._work, name="measuring", daemon=True)
        self._thread.start()

    def submit(self, network: NetworkRecord) -> None:
        """Add `network` to the queue. One that has finished already is `done` again."""
        with self._changed:
            if finished := self._finished.get(network.network_id):
                self._done.append(finished)
                return
            known = {self._working, *(each.network_id for each in self._waiting)}
            if network.network_id not in known:
                self._waiting.append(network)
            self._changed.notify_all()

    @property
    def away(self) -> bool:
        """Whether the phone was missing at the last attempt to use it."""
        with self._changed:
            return self._away

    def done(self) -> list[FinishedNetwork]:
        """Return the networks that have finished since the last call."""
        with self._changed:
            found, self._done = self._done, []
        return found

    def left(self) -> int:
        """Return the number of networks that wait or are being measured."""
        with self._changed:
            return len(self._waiting) + (self._working is not None)

    def finish(self, tell: Callable[[int], None]) -> int:
        """Wait until all are measured or the phone is away; return how many are left.

        `tell` is called about once a second with the number that is left.
        """
        while (left := self.left()) and not self.away:
            tell(left)
            with self._changed:
                self._changed.wait(timeout=1.0)
        return left

    def close(self) -> None:
        """Stop after the current graph, and remove our files from the phone."""
        self._end()
        self._thread.join()
        if self._meter is not None:
            with contextlib.suppress(Exception):  # no reason to lose the results
                self._meter.close()

    def abandon(self) -> None:
        """Stop without waiting: the search was interrupted. Measurements are kept."""
        self._say = lambda line: None  # the console is about to close
        self._end()

    def _end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (network := self._next()) is not None:
            try:
                measurement = self._measure(network)
                if measurement is not None:
                    self._save(network, measurement)
            except DeviceAwayError as error:
                self._pause(network, str(error))
            except Exception as error:  # no fault of the phone stops a search
                self._failed(
                    network, str(error) if isinstance(error, JejunetError) else repr(error)
                )

    def _next(self) -> NetworkRecord | None:
        """Wait for a network to measure, and for the phone; None at the end."""
        with self._changed:
            while not self._ending:
                if self._away:
                    self._changed.wait(timeout=LOOK_AGAIN_S)
                    if self._ending:
                        break
                if self._waiting:
                    network = self._waiting.pop(0)
                    self._working = network.network_id
                    return network
                self._changed.wait()
        return None

    def _measure(self, network: NetworkRecord) -> NetworkMeasurement | None:
        """Return the measurement of `network`, or None if the search ends first."""
        if self._meter is None:
            self._meter = self._reopen()
            with self._changed:
                back, self._away = self._away, False
            if back:
                self._say("the phone is back: measuring continues")
        taken = {}
        for name, file in graph_files(network, self._networks).items():
            if self._ending:
                return None
            taken[name] = self._meter.take(file)
        return NetworkMeasurement(graphs=taken)

    def _reopen(self) -> SearchPhone:
        try:
            meter = self._open()
        except Exception as error:  # not the network's fault, whatever it is
            raise DeviceAwayError(str(error)) from None
        if meter.phone_info.serial_hash != self.phone.serial_hash:
            raise DeviceAwayError(
                f"another phone is attached, {meter.phone_info.name}. Attach "
                f"{self.phone.name} again."
            )
        return meter

    def _save(self, network: NetworkRecord, measurement: NetworkMeasurement) -> None:
        save_measurement(measurement, self._networks / network.network_id)
        for line in outside_interval(network, measurement):
            self._say(f"network {network.network_id}, {line}")
        for line in measurement.unstable:
            self._say(f"network {network.network_id} is unstable: {line}")
        self._release(network, measurement)

    def _failed(self, network: NetworkRecord, reason: str) -> None:
        self._failures[network.network_id] = self._failures.get(network.network_id, 0) + 1
        if self._failures[network.network_id] < TRIES:
            with self._changed:
                self._waiting.append(network)
                self._working = None
            return
        self._say(f"network {network.network_id} stays predicted: {reason}")
        self._release(network, None)

    def _pause(self, network: NetworkRecord, reason: str) -> None:
        self._meter = None
        with self._changed:
            before, self._away, self._working = self._away, True, None
            self._waiting.append(network)  # last: it may be what makes the phone disconnect
            self._changed.notify_all()
        if not before and not self._ending:
            self._say(f"measuring pauses, and predictions are used meanwhile: {reason}")

    def _release(self, network: NetworkRecord, measurement: NetworkMeasurement | None) -> None:
        finished = FinishedNetwork(network_id=network.network_id, measurement=measurement)
        with self._changed:
            self._finished[network.network_id] = finished
            self._done.append(finished)
            self._working = None
            self._changed.notify_all()
