"""Latency measured on a phone, with its noise under control.

A graph is run in rounds. Each round is a new process of the benchmark program with its own warm-up,
pinned to the fast cores. The figure is the median of the rounds' medians; their extremes are its
interval. If Android disturbs a round, the spread grows. A measurement with too large a spread, or
during which the phone throttled its cores, is repeated after a rest; if it stays so, it is saved as
unstable.

Units: milliseconds; waits in seconds; temperatures in degrees Celsius.
"""

import contextlib
import datetime
import statistics
from collections.abc import Iterator
from pathlib import Path
from time import sleep as wait
from typing import Any

from jejunet_nas.errors import DeviceAwayError, DeviceError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.benchmark_model import (
    OperatorTime,
    RunStatistics,
    parse_operator_profile,
)
from jejunet_nas.latency.benchmark_run import Installed, run_benchmark
from jejunet_nas.latency.cores import NO_MASK, choose_mask, cores_words
from jejunet_nas.latency.measuring_plan import MeasuringPlan, doubts, hot
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.phone import FOLDER, Phone
from jejunet_nas.latency.program import maker_of, require_abi, require_interpreter, runtime_words
from jejunet_nas.litert import admit
from jejunet_nas.progress import Say
from jejunet_nas.records import Latency
from jejunet_nas.records.measurements import Measurement, NetworkMeasurement, PhoneInfo, PhoneState

COOL_POLL_S = 1.0  # between two checks of a hot phone, at least


class PhoneMeter(LatencyMeter):
    """A `LatencyMeter` that runs graphs on an attached phone."""

    def __init__(self, phone: Phone, program: Path, plan: MeasuringPlan, say: Say) -> None:
        require_abi(program, phone.info.abi, phone.info.name)
        if plan.input_size is not None:
            require_interpreter(program, "--input-size")
        self.phone, self.plan = phone, plan
        self._program, self._say = program, say
        self._waited_s = 0.0  # for the phone to cool, before this graph
        self._cores_words = ""  # what was said last of the cores that runs are pinned to

    @property
    def phone_info(self) -> PhoneInfo:
        """The phone."""
        return self.phone.info

    @property
    def runtime(self) -> str:
        """The name of the benchmark program with its checksum."""
        return runtime_words(self._program)

    def measure(self, graph: Path) -> Latency:
        """Return the measured latency of `graph`."""
        return self.take(graph).latency

    def take(self, graph: Path) -> Measurement:
        """Return the measurement of `graph` with the least spread of all attempts.

        Raises `SettingError` if `graph` is no graph, `DeviceAwayError` if the phone disconnects,
        and `DeviceError` if it cannot run the graph.
        """
        self._waited_s = 0.0
        best: Measurement | None = None
        with self._on_phone(graph) as on:
            delegate = self._takes_delegate(graph, on)
            for attempt in range(1, self.plan.attempts + 1):
                taken = self._attempt(graph, on, delegate)
                if best is None or _badness(taken) < _badness(best):
                    best = taken
                if not best.unstable:
                    break
                if attempt < self.plan.attempts:
                    self._say(f"{graph.name}: {'; '.join(taken.unstable)}: measuring again")
                    wait(self.plan.rest_s)
        assert best is not None, "at least one attempt"
        return best

    def repeats(self, earlier: NetworkMeasurement) -> bool:
        """Whether `earlier` is stable and from this phone, program, cores and threads."""
        graphs = earlier.graphs.values()
        return (
            not earlier.unstable
            and earlier.phone.serial_hash == self.phone_info.serial_hash
            and earlier.threads == self.plan.threads
            and all(one.runtime.startswith(self.runtime) for one in graphs)
            and {int(one.core_mask or "0", 16) for one in graphs}
            == {int(self._wanted() or "0", 16)}
        )

    def _wanted(self) -> str:
        """Return the mask that a measurement would be pinned to now; "" for none."""
        plan, name = self.plan, self.phone_info.name
        return choose_mask(self.phone.state(), plan.threads, plan.core_mask, name)

    def profile_operators(self, graph: Path, csv_file: Path) -> tuple[OperatorTime, ...]:
        """Return the time of each operator of `graph`; write the program's table to `csv_file`.

        Profiling slows a graph down: the operators' times sum to more than its latency. Raises as
        `take` does.
        """
        require_interpreter(self._program, "--operators")
        table = f"{FOLDER}/operators.csv"
        with self._on_phone(graph) as on:
            delegate = self._takes_delegate(graph, on)
            self.phone.remove(table)  # of an interrupted profile
            self.phone.wake()
            mask = self._mask(self.phone.state())
            self._round(on, mask, delegate=delegate, operator_profile=table)
            self.phone.fetch(table, csv_file)
            self.phone.remove(table)
        return parse_operator_profile(csv_file.read_text(encoding="utf-8", errors="replace"))

    def close(self) -> None:
        """Remove what was copied to the phone, if it is still attached."""
        with contextlib.suppress(DeviceError), self.phone.turn(self._say):
            self.phone.clean()

    @contextlib.contextmanager
    def _on_phone(self, graph: Path) -> Iterator[Installed]:
        """Keep the phone to this process; yield the program and the graph on it."""
        size = self.plan.input_size
        contents = admit(graph, size)  # here, so that the phone is not blamed for it
        with self.phone.turn(self._say):
            program = self.phone.install(self._program, executable=True)
            target = self.phone.install(graph)
            shapes = {each.name: each.shape_at(size) for each in contents.inputs} if size else {}
            yield Installed(
                name=self._program.name, program=program, graph=target, input_shapes=shapes
            )
            self.phone.remove(target)

    def _attempt(self, graph: Path, on: Installed, delegate: bool) -> Measurement:
        plan = self.plan
        self.phone.wake()
        before = self._when_cool()
        mask = self._mask(before)
        rounds = [self._round(on, mask, delegate=delegate) for _ in range(plan.rounds)]
        after = self.phone.state()
        medians = [runs.median_us / 1000 for runs in rounds]
        if not statistics.median(medians):
            raise DeviceError(
                f"{self._program.name} printed 0 us for {graph.name} on {self.phone.info.name}. "
                "Use another program: --benchmark-binary FILE"
            )
        latency = Latency(
            median_ms=statistics.median(medians),
            low_ms=min(medians),
            high_ms=max(medians),
            source="measured",
            threads=plan.threads,
            runs=sum(runs.count for runs in rounds),
        )
        return Measurement(
            graph_sha256=sha256_of(graph),
            latency=latency,
            spread=(latency.high_ms - latency.low_ms) / latency.median_ms,
            rounds=plan.rounds,
            core_mask=mask,
            runtime=self.runtime if delegate else f"{self.runtime}, no delegate",
            phone=self.phone.info,
            before=before,
            after=after,
            unstable=doubts(latency, before, after, mask, plan),
            taken_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    def _takes_delegate(self, graph: Path, on: Installed) -> bool:
        """Whether `graph` runs with the program's default delegate; some old ones run only without.

        A graph that runs in neither way raises the delegate's error.
        """
        failure = self._failure(on, delegate=True)
        if failure is None:
            return True
        if maker_of(self._program) == "LiteRT" or self._failure(on, delegate=False):
            raise failure
        self._say(f"{graph.name} runs only without the default delegate: measured without it")
        return False

    def _failure(self, on: Installed, *, delegate: bool) -> DeviceError | None:
        try:
            self._round(on, "", runs=1, delegate=delegate)
        except DeviceAwayError:
            raise
        except DeviceError as error:
            return error
        return None

    def _round(self, on: Installed, mask: str, **how: Any) -> RunStatistics:
        return run_benchmark(self.phone, on, self.plan, mask=mask, **how)

    def _mask(self, state: PhoneState) -> str:
        """Return the mask to pin to, and say which cores that is. Raises `DeviceError`."""
        name = self.phone.info.name
        mask = choose_mask(state, self.plan.threads, self.plan.core_mask, name)
        words = cores_words(state, mask)
        if words == self._cores_words:
            return mask
        if mask and (fault := self.phone.pinning_fault(mask)):
            raise DeviceError(
                f"{name} cannot pin a program to cores ({fault}). Measure where Android puts it, "
                f"which scatters more: --core-mask {NO_MASK}"
            )
        self._say(f"{name}: {words}")
        self._cores_words = words
        return mask

    def _when_cool(self) -> PhoneState:
        """Return the phone's state once it is cool, or after the longest wait for one graph."""
        rest_s = max(self.plan.rest_s, COOL_POLL_S)
        while True:
            state = self.phone.state()
            heat = hot(state, self.plan.hot_c)
            if heat is None or self._waited_s >= self.plan.cool_wait_s:
                return state
            if not self._waited_s:
                self._say(f"{self.phone.info.name} is hot ({heat}): waiting until it has cooled")
            wait(rest_s)
            self._waited_s += rest_s


def _badness(measurement: Measurement) -> tuple[bool, float]:
    return bool(measurement.unstable), measurement.spread


def _bits(mask: str | None) -> int:
    return int(mask or "0", 16)
