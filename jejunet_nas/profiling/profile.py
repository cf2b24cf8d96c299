"""Times the chosen probes on a phone, and fits a device profile to their latencies.

    points.json     in the folder: every measurement so far, so an interrupted run can be resumed
    NAME.tflite     beside it: the probes, built once

`TimeGraph` stands for the phone. Units: seconds of phone time.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.files import sha256_of, write_text_whole, write_whole
from jejunet_nas.latency.costs import LEAST_POINTS
from jejunet_nas.latency.factors import one_thread_points
from jejunet_nas.latency.fit import fit_profile, read_float_pairs
from jejunet_nas.latency.points import AnyPoint, is_stable, measured_point, point_row, read_points
from jejunet_nas.latency.predicted_meter import PROFILES
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
    `DeviceError` if too few graphs could be timed, and `SettingError` if `folder` has measurements
    of another device, or the budget is too small.
    """
    plan = choose(candidates() if probes is None else probes, threads=threads, budget_s=budget_s)
    if len(plan.probes) < LEAST_POINTS:
        raise SettingError(
            f"the budget is {budget_s:g} s, enough for {len(plan.probes)} graphs; allowed: enough "
            f"for {LEAST_POINTS}, about {LEAST_BUDGET_S} s. Use ten minutes."
        )
    folder.mkdir(parents=True, exist_ok=True)
    points = _Points(folder / POINTS_FILE, device=device, runtime=runtime)
    say(
        f"{device}: {len(plan.probes)} graphs with one thread, {len(plan.threaded)} of them with "
        f"more; at most {math.ceil(plan.seconds / 60)} minutes of phone time."
    )
    run = _Run(time_graph=time_graph, points=points, runtime=runtime, source=source, say=say)
    in_time = run.measure_all(plan, folder, budget_s, clock)
    fitted = len(one_thread_points(points.points))
    if fitted < LEAST_POINTS:
        raise DeviceError(
            f"{fitted} graphs have a stable latency with one thread"
            f"{'' if in_time else ' within the budget'}; a profile needs {LEAST_POINTS}. Run the "
            f"same command again: it resumes from {points.file}."
        )
    pairs, pair_source = read_float_pairs(PROFILES / f"{REFERENCE}.json")
    return fit_profile(points.points, device, float_pairs=pairs, float_source=pair_source)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    time_graph: TimeGraph
    points: "_Points"
    runtime: str
    source: str
    say: Say

    def measure_all(
        self, plan: Plan, folder: Path, budget_s: float, clock: Callable[[], float]
    ) -> bool:
        """Measure the graphs of `plan` that have no stable point; return False if out of time."""
        left_s, slower, failures = budget_s, SLOWER, 0
        for probe, threads in _steps(plan):
            file = folder / probe.file_name
            if not file.exists():
                write_whole(file, probe.write)
            if self.points.has(file, threads):
                continue
            if seconds(probe, slower=slower) > left_s:
                self.say(f"The phone time is used up before: {threads} x  {probe.name}")
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
                self.say(f"Left out: {threads} x  {probe.name}: {error}")
            left_s -= clock() - started_s
        return True

    def measure(self, probe: Probe, file: Path, threads: int) -> float:
        latency, stable = self.time_graph(file, threads)
        self.points.add(
            measured_point(
                file,
                latency,
                stable=stable,
                runtime=self.runtime,
                source=self.source,
                graph=probe.name,
                weight=probe.weight,
                operators=probe.operators,
            )
        )
        note = "" if stable else "  (unstable: kept, not fitted)"
        self.say(f"{latency.median_ms:8.2f} ms  {threads} x  {probe.name}{note}")
        return latency.median_ms


def _steps(plan: Plan) -> Iterator[tuple[Probe, int]]:
    yield from ((probe, 1) for probe in plan.probes)
    yield from ((probe, threads) for probe in plan.threaded for threads in plan.threads)


class _Points:
    """The points so far, each written to disk as soon as it is measured."""

    def __init__(self, file: Path, *, device: str, runtime: str) -> None:
        self.file, self._of = file, {"device": device, "runtime": runtime}
        self.points: tuple[AnyPoint, ...] = ()
        if file.exists():
            self.points = read_points(file)
            plain = json.loads(file.read_text(encoding="utf-8"))
            for name, wanted in self._of.items():
                if plain.get(name) != wanted:
                    raise SettingError(
                        f"{name} of {file} is {plain.get(name)}, and {wanted} is measured. Use "
                        "another folder, or remove this one."
                    )

    def has(self, graph: Path, threads: int) -> bool:
        """Whether there is a stable point of `graph` with `threads` threads."""
        what = (sha256_of(graph), threads)
        return any((p.graph_id, p.threads) == what and is_stable(p) for p in self.points)

    def add(self, point: AnyPoint) -> None:
        what = (point.graph_id, point.threads)
        others = [p for p in self.points if (p.graph_id, p.threads) != what]
        self.points = (*others, point)
        plain = self._of | {"points": [point_row(point) for point in self.points]}
        write_text_whole(self.file, json.dumps(plain, indent=1) + "\n")
