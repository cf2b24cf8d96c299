"""A fake phone of six costs, and probes that need no building."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jejunet_nas.errors import DeviceError
from jejunet_nas.latency.costs import COST_NAMES
from jejunet_nas.latency.predicted_meter import Costs, load_profile
from jejunet_nas.profiling.probes import Probe, candidates
from jejunet_nas.records import Latency

SPEED_UP = {1: 1.0, 2: 0.6, 4: 0.4}


def unbuilt(probes: Sequence[Probe] | None = None) -> list[Probe]:
    """Return `probes`, or all there are, whose files hold no more than their names."""

    def named(name: str) -> Probe:
        return dataclasses.replace(by_name[name], write=lambda file: _write(file, name))

    by_name = {probe.name: probe for probe in (candidates() if probes is None else probes)}
    return [named(name) for name in by_name]


def random_costs(seed: int) -> Costs:
    """Return costs up to three times less or more than the Pixel 2's, none against the bounds."""
    rng = np.random.default_rng(seed)
    pixel2 = dataclasses.astuple(load_profile("pixel2").costs)
    costs = dict(zip(COST_NAMES, np.array(pixel2) * 3 ** rng.uniform(-1, 1, 6), strict=True))
    for name in ("ms_per_million_window_macs", "ms_per_million_depthwise_macs"):
        costs[name] = costs["ms_per_million_pointwise_macs"] * rng.uniform(1, 4)
    return Costs(**{name: float(cost) for name, cost in costs.items()})


@dataclasses.dataclass
class FakePhone:
    """Times an unbuilt probe by `costs`, with 1 % of noise; `failing` probes do not run."""

    costs: Costs
    seed: int = 0
    failing: frozenset[str] = frozenset()
    unstable: frozenset[str] = frozenset()
    timed: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._work = {probe.name: probe.work for probe in candidates()}

    def __call__(self, file: Path, threads: int) -> tuple[Latency, bool]:
        name = file.read_text()
        self.timed.append((name, threads))
        if name in self.failing:
            raise DeviceError(f"{name} does not run.")
        true_ms = SPEED_UP[threads] * self.costs.of(self._work[name])
        ms = float(true_ms * self._rng.normal(1.0, 0.01))
        self.seconds += 7.0 + 50 * ms / 1000
        took = Latency(
            median_ms=ms, low_ms=ms, high_ms=ms, source="measured", threads=threads, runs=50
        )
        return took, name not in self.unstable

    def clock(self) -> float:
        return self.seconds


def _write(file: Path, name: str) -> None:
    file.write_text(name)
