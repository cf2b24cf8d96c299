"""Times the chosen probes on a phone, and fits a device profile to their latencies.

    points.json     in the folder: every measurement so far, so an interrupted run can be resumed
    NAME.tflite     beside it: the probes, built once

Units: seconds of phone time.
"""

import dataclasses
import datetime
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import platformdirs

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.files import sha256_of, write_text_whole, write_whole
from jejunet_nas.latency.costs import FIT, LEAST_POINTS, with_role
from jejunet_nas.latency.device import Device, HowToMeasure
from jejunet_nas.latency.fit import fit_profile, read_float_pairs, write_profile
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.points import (
    add_points,
    measured_point,
    point_row,
    read_points,
)
from jejunet_nas.latency.profile_json import PROFILES
from jejunet_nas.latency.program import find_program, runtime_words
from jejunet_nas.profiling.choose import SLOWER, Plan, choose, seconds
from jejunet_nas.profiling.probes import REFERENCE, Probe, candidates
from jejunet_nas.progress import Say
from jejunet_nas.records import Latency

# Graph file and threads in; its latency, and whether it is stable. Raises `DeviceAwayError` if the
# phone is disconnected, `DeviceError` if only this graph does not run.
TimeGraph: TypeAlias = Callable[[Path, int], tuple[Latency, bool]]

POINTS_FILE = "points.json"
THREADS = (1, 2, 4)
BUDGET_S = 600.0
LEAST_BUDGET_S = 120  # for as many graphs as a fit needs, on a slow phone
FAILURES_IN_A_ROW = 3  # then the phone is at fault, not the graphs


def profile_phone(
    device: Device,
    how: HowToMeasure,
    out: Path,
    *,
    budget_s: float,
    say: Say,
    plan: MeasuringPlan | None = None,
) -> None:
    """Measure probes on the phone for at most `budget_s` seconds, and write its profile to `out`.

    Measurements are kept in the user's cache until the profile is written: after an interruption
    the same command resumes; with other cores it starts again. Raises `DeviceError`.
    """
    program = find_program(how.program)
    phone = Phone.attached(device.name)
    plan = plan or MeasuringPlan(core_mask=how.core_mask)
    runtime = runtime_words(program)
    names = (phone.info.serial_hash, runtime.split()[-1], plan.core_mask)
    cache = platformdirs.user_cache_path("jejunet_nas") / "calibration"
    folder = cache / "-".join(filter(None, names))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    with PhoneMeter(phone, program, plan, say) as meter:

        def time_graph(graph: Path, threads: int) -> tuple[Latency, bool]:
            meter.plan = dataclasses.replace(plan, threads=threads)
            taken = meter.take(graph)
            return taken.latency, not taken.unstable

        profile = make_profile(
            time_graph,
            folder,
            device=phone.info.name,
            runtime=runtime,
            source=f"measured over adb, {today}",
            budget_s=budget_s,
            say=say,
        )
    write_profile(profile, out)
    (folder / POINTS_FILE).unlink(missing_ok=True)


def make_profile(
    time_graph: TimeGraph,
    folder: Path,
    *,
    device: str,
    runtime: str,
    source: str,
    say: Say,
    threads: Sequence[int] = THREADS,
    budget_s: float = BUDGET_S,
    probes: Sequence[Probe] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Return the profile of `device` as the plain values of its file.

    The graphs to time are chosen from `probes`, or all candidates, to fit into `budget_s` seconds
    of phone time, without the time to build them. `runtime` and `source` go into each measured
    point; `say` gets a line for each measurement.

    Raises `DeviceAwayError` if the phone is disconnected: the same call resumes. Raises
    `DeviceError` if too few graphs could be timed, and `SettingError` if the budget is too small.
    """
    plan = choose(candidates() if probes is None else probes, threads=threads, budget_s=budget_s)
    if len(plan.probes) < LEAST_POINTS:
        raise SettingError(
            f"the budget is {budget_s:g} s, enough for {len(plan.probes)} graphs; a profile needs "
            f"{LEAST_POINTS}, about {LEAST_BUDGET_S} s. Use 10m."
        )
    folder.mkdir(parents=True, exist_ok=True)
    say(
        f"{device}: {len(plan.probes)} graphs with one thread, {len(plan.threaded)} of them with "
        f"more; at most {math.ceil(plan.seconds / 60)} minutes of phone time."
    )
    run = _Run(time_graph, folder, runtime=runtime, source=source, say=say)
    in_time = run.measure_all(plan, budget_s, clock)
    fitted = len(with_role(FIT, run.points))
    if fitted < LEAST_POINTS:
        raise DeviceError(
            f"{fitted} graphs have a stable latency with one thread"
            f"{'' if in_time else ' within the budget'}; a profile needs {LEAST_POINTS}. Run the "
            f"same command again: it resumes from {run.file}."
        )
    return fit_profile(run.points, device, read_float_pairs(PROFILES / f"{REFERENCE}.json"))


class _Run:
    """The points so far, each written to disk as soon as it is measured."""

    def __init__(
        self, time_graph: TimeGraph, folder: Path, *, runtime: str, source: str, say: Say
    ) -> None:
        self.folder, self.file = folder, folder / POINTS_FILE
        self.points = read_points(self.file) if self.file.exists() else ()
        self._time_graph, self._runtime, self._source = time_graph, runtime, source
        self._say = say

    def measure_all(self, plan: Plan, budget_s: float, clock: Callable[[], float]) -> bool:
        """Measure the graphs of `plan` that have no stable point; return False if out of time."""
        left_s, slower, failures = budget_s, SLOWER, 0
        for probe, threads in _steps(plan):
            file = self.folder / probe.file_name
            if not file.exists():
                write_whole(file, probe.write)
            if self.has(file, threads):
                continue
            if seconds(probe, slower=slower) > left_s:
                self._say(f"The phone time is used up before: {threads} x  {probe.name}")
                return False
            started_s = clock()
            try:
                latency_ms = self.measure(probe, file, threads)
                failures, slower = 0, max(slower, latency_ms / probe.predicted_ms)
            except DeviceAwayError:
                raise
            except DeviceError as error:
                failures += 1
                if failures == FAILURES_IN_A_ROW:
                    raise
                self._say(f"Left out: {threads} x  {probe.name}: {error}")
            left_s -= clock() - started_s
        return True

    def has(self, graph: Path, threads: int) -> bool:
        """Whether there is a stable point of `graph` with `threads` threads."""
        what = (sha256_of(graph), threads)
        return any((p.graph_id, p.threads) == what and p.stable for p in self.points)

    def measure(self, probe: Probe, file: Path, threads: int) -> float:
        latency, stable = self._time_graph(file, threads)
        point = measured_point(
            file,
            latency,
            stable=stable,
            runtime=self._runtime,
            source=self._source,
            graph=probe.name,
            weight=probe.weight,
            operators=probe.operators,
        )
        self.points = add_points(self.points, [point])
        plain = {"points": [point_row(each) for each in self.points]}
        write_text_whole(self.file, json.dumps(plain, indent=1) + "\n")
        note = "" if stable else "  (unstable: kept, not fitted)"
        self._say(f"{latency.median_ms:8.2f} ms  {threads} x  {probe.name}{note}")
        return latency.median_ms


def _steps(plan: Plan) -> Iterator[tuple[Probe, int]]:
    yield from ((probe, 1) for probe in plan.probes)
    yield from ((probe, threads) for probe in plan.threaded for threads in plan.threads)
