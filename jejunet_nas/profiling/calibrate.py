"""Times the chosen probes on a phone, and fits a device profile to what they took.

    points.json     in the folder: every measurement so far, so that an interrupted calibration goes
                    on where it was
    NAME.tflite     beside it: the probes, built once

The phone itself is behind `TimeGraph`. Units: seconds of phone time.
"""

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
from jejunet_nas.latency.points import (
    AnyPoint,
    add_points,
    is_stable,
    measured_point,
    point_row,
    read_points,
)
from jejunet_nas.latency.predicted_meter import PROFILES
from jejunet_nas.profiling.choose import SLOWER, Plan, choose, seconds
from jejunet_nas.profiling.probes import REFERENCE, Probe, candidates
from jejunet_nas.records import Latency

# Graph file and threads in; its latency, and whether clock and heat let it count. Raises
# `DeviceAwayError` where the phone is gone, `DeviceError` where only this graph does not run.
TimeGraph: TypeAlias = Callable[[Path, int], tuple[Latency, bool]]

POINTS_FILE = "points.json"
THREADS = (1, 2, 4)
BUDGET_S = 600.0
LEAST_BUDGET_S = 120  # for as many graphs as a fit needs, on a slow phone
FAILURES_IN_A_ROW = 3  # then it is hardly the graphs


def calibrate(
    time_graph: TimeGraph,
    folder: Path,
    *,
    device: str,
    runtime: str,
    source: str,
    say: Callable[[str], None],
    threads: Sequence[int] = THREADS,
    budget_s: float = BUDGET_S,
    earlier: Sequence[AnyPoint] = (),
    probes: Sequence[Probe] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Return the profile of `device` as the plain values of its file.

    What to time is chosen from `probes`, or all candidates, so that it fits into `budget_s` seconds
    of phone time; building the graphs comes on top. `earlier` points of the same device are fitted
    too. `runtime` and `source` go into each measured point; `say` hears one line a measurement.

    Raise `DeviceAwayError` where the phone is gone: the same call goes on where it was. Raise
    `DeviceError` where too few graphs could be timed, and `SettingError` where `folder` holds the
    measurements of another device.
    """
    plan = choose(candidates() if probes is None else probes, threads=threads, budget_s=budget_s)
    if len(plan.probes) + len(one_thread_points(earlier)) < LEAST_POINTS:
        raise SettingError(
            f"the budget is {budget_s:g} s, enough for {len(plan.probes)} graphs; allowed: enough "
            f"for {LEAST_POINTS}, about {LEAST_BUDGET_S} s. Give it ten minutes."
        )
    folder.mkdir(parents=True, exist_ok=True)
    notebook = _Notebook(folder / POINTS_FILE, device=device, runtime=runtime)
    say(
        f"{device}: {len(plan.probes)} graphs with one thread, {len(plan.threaded)} of them with "
        f"more; at most {math.ceil(plan.seconds / 60)} minutes of phone time."
    )

    def measure(probe: Probe, file: Path, threads: int) -> None:
        latency, stable = time_graph(file, threads)
        point = measured_point(
            file,
            latency,
            stable=stable,
            runtime=runtime,
            source=source,
            graph=probe.name,
            weight=probe.weight,
            operators=probe.operators,
        )
        notebook.add(point)
        note = "" if stable else "  (not stable: kept, not fitted)"
        say(f"{latency.median_ms:8.2f} ms  {threads} x  {probe.name}{note}")

    done = _measure_all(plan, folder, notebook, measure, say=say, budget_s=budget_s, clock=clock)
    points = add_points(earlier, notebook.points)
    fitted = len(one_thread_points(points))
    if fitted < LEAST_POINTS:
        raise DeviceError(
            f"{fitted} graphs were timed well with one thread{'' if done else ' in time'}; "
            f"allowed: at least {LEAST_POINTS}, {LEAST_POINTS - fitted} more. What was measured "
            f"is kept in {notebook.file}: the same command goes on from there."
        )
    pairs, pair_source = read_float_pairs(PROFILES / f"{REFERENCE}.json")
    return fit_profile(points, device, float_pairs=pairs, float_source=pair_source)


def _measure_all(
    plan: Plan,
    folder: Path,
    notebook: "_Notebook",
    measure: Callable[[Probe, Path, int], None],
    *,
    say: Callable[[str], None],
    budget_s: float,
    clock: Callable[[], float],
) -> bool:
    """Measure what `plan` says and `notebook` lacks; return whether the time was enough."""
    left_s, slower, failures = budget_s, SLOWER, 0
    for probe, threads in _steps(plan):
        file = _built(probe, folder)
        if notebook.knows(file, threads):
            continue
        if seconds(probe, slower=slower) > left_s:
            say(f"The phone time is used up before: {threads} x  {probe.name}")
            return False
        started_s = clock()
        try:
            measure(probe, file, threads)
            failures = 0
            slower = max(slower, notebook.points[-1].latency_ms / probe.predicted_ms)
        except DeviceAwayError:
            raise
        except DeviceError as error:
            failures += 1
            if failures == FAILURES_IN_A_ROW:
                raise
            say(f"Left out: {threads} x  {probe.name}: {error}")
        left_s -= clock() - started_s
    return True


def _steps(plan: Plan) -> Iterator[tuple[Probe, int]]:
    yield from ((probe, 1) for probe in plan.probes)
    yield from ((probe, threads) for probe in plan.threaded for threads in plan.threads)


def _built(probe: Probe, folder: Path) -> Path:
    """Return the probe's file in `folder`, written where it is not there yet."""
    file = folder / probe.file_name
    return file if file.exists() else write_whole(file, probe.write)


class _Notebook:
    """The measurements of one calibration, on disk as soon as they are there."""

    def __init__(self, file: Path, *, device: str, runtime: str) -> None:
        self.file, self._of = file, {"device": device, "runtime": runtime}
        self.points: tuple[AnyPoint, ...] = ()
        if file.exists():
            self.points = read_points(file)
            plain = json.loads(file.read_text(encoding="utf-8"))
            for name, wanted in self._of.items():
                if plain.get(name) != wanted:
                    raise SettingError(
                        f"{name} of {file} is {plain.get(name)}; allowed: {wanted}, which is "
                        "measured now. Use another folder, or remove this one."
                    )

    def knows(self, graph: Path, threads: int) -> bool:
        """Return whether `graph` was timed well with `threads` threads."""
        what = (sha256_of(graph), threads)
        return any((p.graph_id, p.threads) == what and is_stable(p) for p in self.points)

    def add(self, point: AnyPoint) -> None:
        """Note `point`, the last of `points` then."""
        what = (point.graph_id, point.threads)
        others = [p for p in self.points if (p.graph_id, p.threads) != what]
        self.points = (*others, point)
        plain = self._of | {"points": [point_row(point) for point in self.points]}
        write_text_whole(self.file, json.dumps(plain, indent=1) + "\n")
