"""Rows: what the commands `compress`, `policies` and `show` find out, one row each.

Units: ratios in [0, 1], latency in ms a frame, sizes in bytes, time in s.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from jejunet_nas.records.latencies import OUTSIDE_DELEGATE, FramePath, GraphName, PathLatencies
from jejunet_nas.records.networks import AgreementRecord, GraphRecord
from jejunet_nas.space.architecture import BetweenKeyframes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompressionRow:
    """One chain of methods, and what it made of a trained network.

    settings: the chain in words. miou: of the key graph over the checked frames; trained_miou: of
    the float network as it was trained; float_miou: of the one that the chain's format was given,
    pruned or clustered. train_s: spent on training; convert_s: from weights to files.
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
        """The size of all graphs."""
        return sum(graph.size_bytes for graph in self.graphs.values())

    @property
    def deflated_bytes(self) -> int:
        """The size of all graphs, zipped."""
        return sum(graph.deflated_bytes for graph in self.graphs.values())

    @property
    def left_aside(self) -> tuple[str, ...]:
        """The operators that run outside LiteRT's delegate, but for those that always do."""
        kinds = {kind for graph in self.graphs.values() for kind in graph.not_delegated}
        return tuple(sorted(kinds - {*OUTSIDE_DELEGATE}))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One way of choosing keyframes; a rule is as dear as a fixed interval or a little cheaper.

    between: what the other frames get. interval: the fixed one that a rule stands beside; 1 on
    every frame and in the background. latest: frames after
    which a keyframe comes whatever the score. threshold: of the score, over which a frame becomes a
    keyframe; None at a fixed interval. lag: frames that a keyframe takes in the background; None
    where it is waited for. consistency: as in `TemporalScore`. mean_interval: frames a keyframe.
    """

    rule: str
    between: BetweenKeyframes
    interval: int
    latest: int | None
    threshold: float | None
    lag: int | None
    mean_ms: float
    worst_ms: float
    mean_interval: float
    miou: float
    consistency: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilmFrame:
    """One frame: uint8 [height, width, 3]; masks uint8 [height, width], at any resolution.

    annotation: None where nobody drew one. miou: over the classes that the annotation holds.
    """

    time: int
    frame: npt.NDArray[np.uint8]
    annotation: npt.NDArray[np.uint8] | None
    mask: npt.NDArray[np.uint8]
    path: FramePath
    gated: bool
    miou: float | None
