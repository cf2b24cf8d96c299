"""Latency measured on the phone, with its noise under control.

A graph is run in rounds, each a fresh process of the benchmark program with a warm-up of its own,
pinned to the fast cores. The median of the rounds' medians is the figure, their extremes are its
interval. A round that Android disturbed so shows as spread; a measurement whose spread is over the
bound, or in which the phone slowed its cores down, is taken again after a rest, and is kept as
unstable where it stays so.

Units: milliseconds and, of waiting, seconds; temperatures in degrees Celsius.
"""

import contextlib
import datetime
import math
import statistics
from pathlib import Path

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.benchmark_model import (
    BenchmarkOutput,
    OperatorTime,
    arguments,
    parse_operator_profile,
    parse_output,
)
from jejunet_nas.latency.measuring_plan import Protocol, doubts, hot, pooled_quantile_us
from jejunet_nas.latency.phone import FOLDER, Phone, core_mask, in_mask, wait
from jejunet_nas.latency.program import how_to_get_it, require_abi, runtime_words
from jejunet_nas.litert import list_operators
from jejunet_nas.progress import Say
from jejunet_nas.records import Latency
from jejunet_nas.records.measurements import Core, Measurement, PhoneState

START_S = 30.0  # to start the program and load a graph, at most
COOL_POLL_S = 1.0  # between two looks at a hot phone, at least
FOUND_NO_COMMAND, NOT_EXECUTABLE = 127, 126


class PhoneMeter:
    """A `LatencyMeter` that runs graphs on an attached phone."""

    def __init__(self, phone: Phone, program: Path, protocol: Protocol, say: Say) -> None:
        require_abi(program, phone.info.abi, phone.info.name)
        self.phone, self.protocol = phone, protocol
        self._program, self._say = program, say
        self._waited_s = 0.0  # for the phone to cool, before this graph

    @property
    def runtime(self) -> str:
        """The benchmark program by its checksum."""
        return runtime_words(self._program)

    def measure(self, graph: Path) -> Latency:
        """Return the measured latency of `graph`."""
        return self.take(graph).latency

    def take(self, graph: Path) -> Measurement:
        """Return the measurement of `graph`, the steadiest of all attempts.

        Raises `SettingError` where there is no such file, `DeviceAwayError` where the phone goes
        away, and `DeviceError` where it cannot run the graph.
        """
        _require_graph(graph)
        self._waited_s = 0.0
        best: Measurement | None = None
        with self.phone.turn(self._say):
            program = self.phone.install(self._program, executable=True)
            target = self.phone.install(graph)
            delegate = self._takes_delegate(graph, program, target)
            for attempt in range(1, self.protocol.attempts + 1):
                taken = self._attempt(graph, program, target, delegate)
                if best is None or _badness(taken) < _badness(best):
                    best = taken
                if not best.unstable:
                    break
                if attempt < self.protocol.attempts:
                    self._say(f"{graph.name}: {'; '.join(taken.unstable)}: measuring again")
                    wait(self.protocol.rest_s)
            self.phone.remove(target)
        assert best is not None, "at least one attempt"
        return best

    def profile_operators(self, graph: Path, csv_file: Path) -> tuple[OperatorTime, ...]:
        """Return how long each operator of `graph` takes; the program's own table goes to a file.

        Profiling slows a graph down: its operators' times add up to more than its latency. Raises
        as `take` does.
        """
        _require_graph(graph)
        with self.phone.turn(self._say):
            program = self.phone.install(self._program, executable=True)
            target = self.phone.install(graph)
            delegate = self._takes_delegate(graph, program, target)
            table = f"{FOLDER}/operators.csv"
            self.phone.remove(table)  # of a profile that broke off
            self.phone.wake()
            cores = self.phone.state().cores
            mask = self._mask(cores)
            self._round(program, target, mask, delegate=delegate, operator_profile=table)
            self.phone.fetch(table, csv_file)
            self.phone.remove(table)
            self.phone.remove(target)
        return parse_operator_profile(csv_file.read_text(encoding="utf-8", errors="replace"))

    def try_program(self) -> str:
        """Return what the program does on the phone; `DeviceError` where it cannot run."""
        with self.phone.turn(self._say):
            program = self.phone.install(self._program, executable=True)
            answer = self.phone.run(f"{program} --help", timeout_s=START_S)
        text = f"{answer.stdout}\n{answer.stderr}"
        if "--num_threads" not in text:
            raise DeviceError(
                f"{self._program.name} does not run on {self.phone.info.name} "
                f"({_last_line(text)}); allowed: TensorFlow Lite's benchmark_model for "
                f"{self.phone.info.abi}. Get it: {how_to_get_it()}"
            )
        return "runs"

    def close(self) -> None:
        """Remove what was put on the phone, where it is still there."""
        with contextlib.suppress(DeviceError), self.phone.turn(self._say):
            self.phone.clean()

    def _attempt(self, graph: Path, program: str, target: str, delegate: bool) -> Measurement:
        protocol = self.protocol
        self.phone.wake()
        before = self._when_cool()
        mask = self._mask(before.cores)
        outputs = [
            self._round(program, target, mask, delegate=delegate) for _ in range(protocol.rounds)
        ]
        after = self.phone.state()
        medians = [output.runs.quantile_us(0.5) / 1000 for output in outputs]
        if not statistics.median(medians):
            raise DeviceError(
                f"{self._program.name} says that {graph.name} takes 0 us on "
                f"{self.phone.info.name}; allowed: more. Give another one: --benchmark-binary FILE"
            )
        latency = Latency(
            median_ms=statistics.median(medians),
            low_ms=min(medians),
            high_ms=max(medians),
            source="measured",
            threads=protocol.threads,
            runs=sum(output.runs.count for output in outputs),
        )
        return Measurement(
            graph_sha256=sha256_of(graph),
            latency=latency,
            p90_ms=pooled_quantile_us([output.runs for output in outputs], 0.9) / 1000,
            spread=(latency.high_ms - latency.low_ms) / latency.median_ms,
            rounds=protocol.rounds,
            core_mask=mask,
            runtime=self.runtime if delegate else f"{self.runtime}, no delegate",
            phone=self.phone.info,
            before=before,
            after=after,
            unstable=doubts(latency, before, after, mask, protocol),
            taken_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    def _takes_delegate(self, graph: Path, program: str, target: str) -> bool:
        """Run `graph` once; return whether the program's default delegate takes it.

        Some graphs of older converters run only without it. What is wrong with one that runs in
        neither way is what the delegate says.
        """
        try:
            self._round(program, target, "", runs=1)
        except DeviceAwayError:
            raise
        except DeviceError:
            try:
                self._round(program, target, "", runs=1, delegate=False)
            except DeviceAwayError:
                raise
            except DeviceError:
                pass
            else:
                self._say(f"{graph.name} runs only without the default delegate: measured so")
                return False
            raise
        return True

    def _round(
        self,
        program: str,
        target: str,
        mask: str,
        *,
        runs: int | None = None,
        delegate: bool = True,
        operator_profile: str | None = None,
    ) -> BenchmarkOutput:
        protocol = self.protocol
        flags = arguments(
            target,
            threads=protocol.threads,
            runs=runs or math.ceil(protocol.runs / protocol.rounds),
            warmup_s=protocol.warmup_s,
            max_s=protocol.round_s,
            operator_profile=operator_profile,
            delegate=delegate,
        )
        pinned = f"taskset {mask} " if mask else ""
        answer = self.phone.run(
            f"{pinned}{program} {' '.join(flags)}",
            timeout_s=protocol.round_s + protocol.warmup_s + START_S,
        )
        if answer.code in (NOT_EXECUTABLE, FOUND_NO_COMMAND):
            raise DeviceError(
                f"{self.phone.info.name} cannot run {self._program.name} "
                f"({_last_line(answer.stderr or answer.stdout)}); allowed: a program built for "
                f"{self.phone.info.abi}. Give another one: --benchmark-binary FILE"
            )
        # A program that failed says why in its output, which tells more than its exit code.
        output = parse_output(f"{answer.stdout}\n{answer.stderr}")
        if answer.code:
            raise DeviceError(
                f"{self._program.name} ended with exit code {answer.code} on "
                f"{self.phone.info.name} ({_last_line(answer.stderr)}); allowed: 0. Try the graph "
                "on this computer: --device host"
            )
        return output

    def _mask(self, cores: tuple[Core, ...]) -> str:
        """Return the cores to pin to. Raises `SettingError` where they cannot be had."""
        if cores and self.protocol.threads > len(cores):
            raise SettingError(
                f"threads is {self.protocol.threads}; allowed on {self.phone.info.name}: at most "
                f"{len(cores)}, the number of its cores. Use 1, 2 or 4."
            )
        given = self.protocol.core_mask
        if given is not None:
            if cores and not in_mask(cores, given):
                numbers = ", ".join(str(core.number) for core in cores)
                raise SettingError(
                    f"core mask is {given}, which holds no core of {self.phone.info.name}; "
                    f"allowed: some of {numbers}. Use "
                    f"{core_mask(cores, self.protocol.threads) or 'ff'}."
                )
            return given
        return core_mask(cores, self.protocol.threads)

    def _when_cool(self) -> PhoneState:
        """Return the phone's state once it is cool, or after the longest wait for one graph."""
        protocol = self.protocol
        rest_s = max(protocol.rest_s, COOL_POLL_S)
        while True:
            state = self.phone.state()
            heat = hot(state, protocol.hot_c)
            if heat is None or self._waited_s >= protocol.cool_wait_s:
                return state
            if not self._waited_s:
                self._say(f"{self.phone.info.name} is hot ({heat}): waiting until it has cooled")
            wait(rest_s)
            self._waited_s += rest_s


def _require_graph(graph: Path) -> None:
    """Raise `SettingError` where `graph` is none, so that no phone is blamed for it."""
    if not graph.is_file():
        raise SettingError(f"{graph} is no file; allowed: a .tflite graph. Check the path.")
    list_operators(graph)


def _badness(measurement: Measurement) -> tuple[bool, float]:
    return bool(measurement.unstable), measurement.spread


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
