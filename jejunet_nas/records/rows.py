"""Rows: the results of the commands `compress`, `policies` and `show`.

Units: ratios in [0, 1], latency in ms a frame, sizes in bytes, time in s.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from jejunet_nas.records.latencies import OUTSIDE_DELEGATE, FramePath, GraphName, PathLatencies
from jejunet_nas.records.networks import AgreementRecord, GraphRecord
from jejunet_nas.space.architecture import BetweenKeyframes, Policy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompressionRow:
    """The result of one chain of compression methods.

    settings: the chain in words. miou: of the key graph, on `frames` keyframes; trained_miou: of
    the float network as trained; float_miou: of the float network after pruning and clustering.
    train_s: of training; convert_s: of calibration and conversion.
    """

    settings: str
    miou: float
    trained_miou: float
    float_miou: float
    frames: int
    agreement: AgreementRecord
    graphs: dict[GraphName, GraphRecord]
    latencies: PathLatencies
    train_s: float
    convert_s: float

    @property
    def size_bytes(self) -> int:
        """Size of all graphs."""
        return sum(graph.size_bytes for graph in self.graphs.values())

    @property
    def deflated_bytes(self) -> int:
        """Size of all graphs, zipped."""
        return sum(graph.deflated_bytes for graph in self.graphs.values())

    @property
    def left_aside(self) -> tuple[str, ...]:
        """Operators outside LiteRT's delegate, except those that always are."""
        kinds = {kind for graph in self.graphs.values() for kind in graph.not_delegated}
        return tuple(sorted(kinds - {*OUTSIDE_DELEGATE}))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One way of choosing keyframes; a rule costs at most as much as its fixed interval.

    number: of the row, from 1. policy: None for a rule that no bundle can run. between: the path of
    other frames. interval: the fixed interval, or the one that a rule is compared with; 1 for every
    frame and in the background. latest: frames after which a keyframe comes whatever the score.
    threshold: of the score, above which a frame becomes a keyframe; None with a fixed interval.
    lag: frames that a keyframe takes in the background; None in the foreground. mean_ms, worst_ms,
    dropped_frames: as in `StreamLatency`. mean_interval: frames a keyframe, of those that are not
    dropped. miou: of what the screen shows; own_frame_miou: of each mask against its own frame.
    consistency: as in `TemporalScore`.
    """

    number: int
    policy: Policy | None
    rule: str
    between: BetweenKeyframes
    interval: int
    latest: int | None
    threshold: float | None
    lag: int | None
    mean_ms: float
    worst_ms: float
    dropped_frames: float
    mean_interval: float
    miou: float
    own_frame_miou: float
    consistency: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilmFrame:
    """One frame: uint8 [height, width, 3]; masks uint8 [height, width], at any resolution.

    annotation: None for an unannotated frame. miou: over the annotated classes.
    """

    time: int
    frame: npt.NDArray[np.uint8]
    annotation: npt.NDArray[np.uint8] | None
    mask: npt.NDArray[np.uint8]
    path: FramePath
    gated: bool
    miou: float | None
