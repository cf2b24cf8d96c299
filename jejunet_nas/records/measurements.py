"""The nouns of a measurement on a phone: which phone, in what state, and what it took.

Kept as JSON beside the graphs that were measured, so that a figure can be doubted years later: a
latency without its core mask, clock and temperature says little.

Units: `_ms`, `_khz`, `_c` (degrees Celsius); `battery` and `spread` are ratios.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from jejunet_nas.records import (
    GraphName,
    Latency,
    PathLatencies,
    StreamLatency,
    TrialResult,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhoneInfo:
    """Which phone it is. `serial_hash`: 12 hex digits of SHA-256, so that no serial is published.

    build: Android's build fingerprint. abi: the instruction set that it prefers.
    """

    serial_hash: str
    manufacturer: str
    model: str
    build: str
    android: str
    abi: str

    @property
    def name(self) -> str:
        """Manufacturer and model, as people say it."""
        return f"{self.manufacturer} {self.model}".strip()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One CPU core: its clock, how high it may go now, and how high it was built to go."""

    number: int
    now_khz: int
    limit_khz: int
    max_khz: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhoneState:
    """What the phone says of itself; None where it does not say.

    battery: share of its charge. thermal_status: Android's, 0 (none) to 6 (shutdown). cores: those
    that are online and whose clock can be read.
    """

    screen_on: bool | None
    battery: float | None
    battery_c: float | None
    charging: bool | None
    thermal_status: int | None
    cores: tuple[Core, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One graph measured on a phone.

    The latency's median is that of the rounds' medians, and its interval their least and greatest;
    `spread` is that interval's width as a share of the median. p90_ms: of single runs, over all
    rounds. core_mask: hexadecimal, "" where nothing was pinned. unstable: why the figure is not to
    be trusted; empty where it is. taken_at: UTC, ISO 8601.
    """

    graph_sha256: str
    latency: Latency
    p90_ms: float
    spread: float
    rounds: int
    core_mask: str
    runtime: str
    phone: PhoneInfo
    before: PhoneState
    after: PhoneState
    unstable: tuple[str, ...]
    taken_at: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMeasurement:
    """All graphs of one network, measured on one phone with as many threads."""

    graphs: Mapping[GraphName, Measurement]

    @property
    def latencies(self) -> PathLatencies:
        """The latency of each path."""
        return PathLatencies(**{name: one.latency for name, one in self.graphs.items()})

    @property
    def phone(self) -> PhoneInfo:
        """The phone."""
        return self.graphs["key"].phone

    @property
    def threads(self) -> int:
        """The number of threads."""
        return self.graphs["key"].latency.threads

    @property
    def taken_at(self) -> str:
        """When the last of the graphs was measured."""
        return max(one.taken_at for one in self.graphs.values())

    @property
    def unstable(self) -> tuple[str, ...]:
        """Why a figure is not to be trusted, graph by graph."""
        return tuple(f"{g}: {why}" for g, one in self.graphs.items() for why in one.unstable)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphTiming:
    """The latency of one graph of a network, beside what was predicted for it."""

    network_id: str
    graph: GraphName
    file: Path
    latency: Latency
    predicted: Latency


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialTiming:
    """A trial and its stream's latency by the meter that was asked.

    rank: on the front before anything was timed, 1 for the best mIoU; None: it came in since.
    """

    trial: TrialResult
    rank: int | None
    stream: StreamLatency
