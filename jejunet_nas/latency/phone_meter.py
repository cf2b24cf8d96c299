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
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from time import sleep as wait

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.benchmark_model import (
    OperatorTime,
    RunStatistics,
    arguments,
    parse_operator_profile,
    parse_output,
)
from jejunet_nas.latency.measuring_plan import MeasuringPlan, doubts, hot
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.phone import FOLDER, START_S, Phone, choose_mask, last_line
from jejunet_nas.latency.program import require_abi, runtime_words
from jejunet_nas.litert import list_operators
from jejunet_nas.progress import Say
from jejunet_nas.records import Latency
from jejunet_nas.records.measurements import Measurement, NetworkMeasurement, PhoneInfo, PhoneState

COOL_POLL_S = 1.0  # between two checks of a hot phone, at least
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes of the phone's shell


class PhoneMeter(LatencyMeter):
    """A `LatencyMeter` that runs graphs on an attached phone."""

    def __init__(self, phone: Phone, program: Path, plan: MeasuringPlan, say: Say) -> None:
        require_abi(program, phone.info.abi, phone.info.name)
        self.phone, self.plan = phone, plan
        self._program, self._say = program, say
        self._waited_s = 0.0  # for the phone to cool, before this graph

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
        with self._on_phone(graph) as (program, target):
            delegate = self._takes_delegate(graph, program, target)
            for attempt in range(1, self.plan.attempts + 1):
                taken = self._attempt(graph, program, target, delegate)
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
        graphs, mask = earlier.graphs.values(), self.plan.core_mask
        return (
            not earlier.unstable
            and earlier.phone.serial_hash == self.phone_info.serial_hash
            and earlier.threads == self.plan.threads
            and all(one.runtime.startswith(self.runtime) for one in graphs)
            and (mask is None or {one.core_mask for one in graphs} == {mask})
        )

    def profile_operators(self, graph: Path, csv_file: Path) -> tuple[OperatorTime, ...]:
        """Return the time of each operator of `graph`; write the program's table to `csv_file`.

        Profiling slows a graph down: the operators' times sum to more than its latency. Raises as
        `take` does.
        """
        table = f"{FOLDER}/operators.csv"
        with self._on_phone(graph) as (program, target):
            delegate = self._takes_delegate(graph, program, target)
            self.phone.remove(table)  # of an interrupted profile
            self.phone.wake()
            mask = self._mask(self.phone.state())
            self._round(program, target, mask, delegate=delegate, operator_profile=table)
            self.phone.fetch(table, csv_file)
            self.phone.remove(table)
        return parse_operator_profile(csv_file.read_text(encoding="utf-8", errors="replace"))

    def close(self) -> None:
        """Remove what was copied to the phone, if it is still attached."""
        with contextlib.suppress(DeviceError), self.phone.turn(self._say):
            self.phone.clean()

    @contextlib.contextmanager
    def _on_phone(self, graph: Path) -> Iterator[tuple[str, str]]:
        """Keep the phone to this process; yield the program's and the graph's path on it."""
        if not graph.is_file():  # checked here, so that the phone is not blamed for it
            raise SettingError(f"{graph} is not a file. Check the path of the .tflite graph.")
        list_operators(graph)
        with self.phone.turn(self._say):
            program = self.phone.install(self._program, executable=True)
            target = self.phone.install(graph)
            yield program, target
            self.phone.remove(target)

    def _attempt(self, graph: Path, program: str, target: str, delegate: bool) -> Measurement:
        plan = self.plan
        self.phone.wake()
        before = self._when_cool()
        mask = self._mask(before)
        rounds = [self._round(program, target, mask, delegate=delegate) for _ in range(plan.rounds)]
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

    def _takes_delegate(self, graph: Path, program: str, target: str) -> bool:
        """Whether `graph` runs with the program's default delegate; some old ones run only without.

        A graph that runs in neither way raises the delegate's error.
        """
        failure = self._failure(program, target, delegate=True)
        if failure is None:
            return True
        if self._failure(program, target, delegate=False):
            raise failure
        self._say(f"{graph.name} runs only without the default delegate: measured without it")
        return False

    def _failure(self, program: str, target: str, *, delegate: bool) -> DeviceError | None:
        try:
            self._round(program, target, "", runs=1, delegate=delegate)
        except DeviceAwayError:
            raise
        except DeviceError as error:
            return error
        return None

    def _round(
        self,
        program: str,
        target: str,
        mask: str,
        *,
        runs: int | None = None,
        delegate: bool = True,
        operator_profile: str | None = None,
    ) -> RunStatistics:
        plan, name = self.plan, self._program.name
        flags = arguments(
            target,
            threads=plan.threads,
            runs=runs or math.ceil(plan.runs / plan.rounds),
            warmup_s=plan.warmup_s,
            max_s=plan.round_s,
            operator_profile=operator_profile,
            delegate=delegate,
        )
        pinned = f"taskset {mask} " if mask else ""
        answer = self.phone.run(
            f"{pinned}{program} {' '.join(flags)}",
            timeout_s=plan.round_s + plan.warmup_s + START_S,
        )
        if answer.code in (NOT_EXECUTABLE, NOT_FOUND):
            raise DeviceError(
                f"{self.phone.info.name} cannot run {name} "
                f"({last_line(answer.stderr or answer.stdout)}). Use a program built for "
                f"{self.phone.info.abi}: --benchmark-binary FILE"
            )
        # A program that failed gives its reason in its output; the exit code says less.
        output = parse_output(f"{answer.stdout}\n{answer.stderr}")
        if answer.code:
            raise DeviceError(
                f"{name} ended with exit code {answer.code} on {self.phone.info.name} "
                f"({last_line(answer.stderr)}). Try the graph on this computer: --device host"
            )
        return output

    def _mask(self, state: PhoneState) -> str:
        name = self.phone.info.name
        return choose_mask(state.cores, self.plan.threads, self.plan.core_mask, name)

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
