"""Chooses the probes that best separate the costs of a device within a budget of phone time.

The design is D-optimal, found greedily: each next probe is the one that most enlarges the
determinant of the information matrix of the relative errors. The rows of the fit are then not
nearly parallel, as those of networks alone are.

Units: seconds of phone time; latencies in milliseconds.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.predicted_meter import Work
from jejunet_nas.profiling.probes import Probe

Rows = npt.NDArray[np.float64]  # [points, kinds of work]

MOST_PROBES = 20
KEY_GRAPHS = 2  # whole networks, always chosen
NETWORK_EVERY = 2  # every second probe is a network's: these are what a profile has to predict
LEAST_MS = 1.0  # shorter graphs are timed badly
THREADED = 4  # networks that are also timed with several threads
THREADS_SHARE = 0.3  # of the budget, for these

# Besides the runs of a `MeasuringPlan` without repetitions.
START_UP_S = 0.5  # of a round
TRY_S = 1.0  # one run beforehand, to see whether the graph runs
PUSH_S = 1.0

SLOWER = 3.0  # how many times slower than the reference a phone may be

# Information before the first probe: far less than any probe's, so it decides nothing.
_PRIOR = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to time: `probes` with one thread, in this order; then `threaded` with `threads`."""

    probes: tuple[Probe, ...]
    threaded: tuple[Probe, ...]
    threads: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """The phone time on a phone that is `SLOWER`."""
        return sum(map(seconds, self.probes)) + len(self.threads) * sum(map(seconds, self.threaded))


def choose(candidates: Sequence[Probe], *, threads: Sequence[int], budget_s: float) -> Plan:
    """Return the probes to time within `budget_s` seconds of phone time.

    Key graphs of networks come first, then the most informative probes; every second one is a
    network's. If `threads` has more than 1, a few networks, from the fastest to the slowest, are
    also timed with these.
    """
    several = tuple(sorted({count for count in threads if count > 1}))
    timed = [probe for probe in candidates if probe.predicted_ms >= LEAST_MS]
    left_s = budget_s * (1.0 - THREADS_SHARE if several else 1.0)
    chosen: list[Probe] = []
    while len(chosen) < MOST_PROBES:
        allowed = [p for p in timed if p not in chosen and seconds(p) <= left_s]
        allowed = _wanted(allowed, len(chosen))
        if not allowed:
            break
        chosen.append(_most_informative(allowed, chosen))
        left_s -= seconds(chosen[-1])
    threaded = _spread([p for p in chosen if p.of_network]) if several else ()
    while len(several) * sum(map(seconds, threaded)) > budget_s * THREADS_SHARE:
        threaded = threaded[:-1]
    return Plan(probes=tuple(chosen), threaded=threaded, threads=several)


def seconds(probe: Probe, *, slower: float = SLOWER) -> float:
    """Return the phone time of timing `probe` once on a phone that is `slower` by that factor."""
    plan = MeasuringPlan()
    runs_s = plan.runs * slower * probe.predicted_ms / 1000.0
    return PUSH_S + TRY_S + plan.rounds * (START_UP_S + plan.warmup_s) + runs_s


def relative_rows(work_and_ms: Iterable[tuple[Work, float]]) -> Rows:
    """Return the rows of the fit: work / latency."""
    return np.array([np.array(work) / ms for work, ms in work_and_ms])


def _wanted(allowed: Sequence[Probe], chosen: int) -> list[Probe]:
    if chosen < KEY_GRAPHS:
        return [probe for probe in allowed if probe.kind == "key"]
    networks = [probe for probe in allowed if probe.of_network]
    return networks if networks and chosen % NETWORK_EVERY == 0 else list(allowed)


def _most_informative(allowed: Sequence[Probe], chosen: Sequence[Probe]) -> Probe:
    # Each kind of work is scaled to the most that a probe here has of it.
    rows = relative_rows((p.work, p.predicted_ms) for p in (*allowed, *chosen))
    rows /= np.maximum(rows.max(axis=0), 1e-12)
    new, known = rows[: len(allowed)], rows[len(allowed) :]
    information = known.T @ known + _PRIOR * np.eye(rows.shape[1])
    # det(M + r r') = det(M) (1 + r' M^-1 r)
    gains = np.einsum("ij,jk,ik->i", new, np.linalg.inv(information), new)
    return allowed[int(np.argmax(gains))]


def _spread(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """Return up to `THREADED` of `probes`, evenly from the fastest to the slowest."""
    by_ms = sorted(probes, key=lambda probe: probe.predicted_ms)
    if len(by_ms) <= THREADED:
        return tuple(by_ms)
    steps = np.linspace(0, len(by_ms) - 1, THREADED).round().astype(int)
    return tuple(by_ms[step] for step in steps)
