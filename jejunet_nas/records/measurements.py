"""Records of a measurement on a phone: the phone, its state, and the latency.

Saved as JSON beside the measured graphs, with the core mask, clocks and temperatures, without which
a latency cannot be judged later.

Units: `_ms`, `_khz`, `_c` (degrees Celsius); `battery` and `spread` are ratios.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from jejunet_nas.records import (
    GraphName,
    Latency,
    LatencySource,
    PathLatencies,
    StreamLatency,
    TrialResult,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhoneInfo:
    """Which phone it is.

    serial_hash: 12 hex digits of the serial's SHA-256; the serial itself is never published. build:
    Android's build fingerprint. abi: its preferred instruction set.
    """

    serial_hash: str
    manufacturer: str
    model: str
    build: str
    android: str
    abi: str

    @property
    def name(self) -> str:
        """Manufacturer and model."""
        return f"{self.manufacturer} {self.model}".strip()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One CPU core: its clock now, the current limit, and the highest clock of the hardware."""

    number: int
    now_khz: int
    limit_khz: int
    max_khz: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhoneState:
    """The phone's state; None for what it does not report.

    battery: share of its charge. thermal_status: Android's, 0 (none) to 6 (shutdown). cores: the
    online ones whose clocks can be read. unread_cores: the other ones that are online.
    """

    screen_on: bool | None
    battery: float | None
    battery_c: float | None
    charging: bool | None
    thermal_status: int | None
    cores: tuple[Core, ...]
    unread_cores: tuple[int, ...] = ()
    offline_cores: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One graph measured on a phone.

    The latency is the median of the rounds' medians, its interval their extremes; `spread` is the
    width of the interval / median. core_mask: hexadecimal, "" if not pinned. unstable: why the
    figure is unstable; empty if it is stable. taken_at: UTC, ISO 8601.
    """

    graph_sha256: str
    latency: Latency
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
    """Graphs of one network, measured on one phone with one number of threads.

    All of them, or of a bundle those that its policy runs.
    """

    graphs: Mapping[GraphName, Measurement]

    def latencies_beside(self, predicted: PathLatencies) -> PathLatencies:
        """Return the latency of each path; `predicted` for what was not measured."""
        measured = {name: one.latency for name, one in self.graphs.items()}
        return dataclasses.replace(predicted, **measured)

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
        """Why figures are unstable, graph by graph."""
        return tuple(f"{g}: {why}" for g, one in self.graphs.items() for why in one.unstable)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphTiming:
    """The latency of one graph of a network, and its prediction."""

    network_id: str
    graph: GraphName
    file: Path
    latency: Latency
    predicted: Latency


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialTiming:
    """A trial and the latency of its stream by a meter.

    rank: on the front before timing, 1 for the best mIoU; None for a trial that entered later.
    graphs_source: of its graphs' latencies; that of the stream is predicted if a part of it is.
    """

    trial: TrialResult
    rank: int | None
    stream: StreamLatency
    graphs_source: LatencySource

    @property
    def is_measured(self) -> bool:
        """Whether a phone timed its graphs."""
        return self.graphs_source == "measured"

    @property
    def motion_predicted(self) -> bool:
        """Whether a phone timed its graphs, but not the motion that its policy follows."""
        return self.is_measured and self.stream.source == "predicted"
