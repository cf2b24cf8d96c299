"""The nouns of a trial, in the order in which they come to be.

Stages of a trial meet only in `trial.py` and hand each other nothing but these records and files.
Ratios lie in [0, 1]; units stand in the names: `_ms`, `_s`, `_bytes`, `_px`, `_macs`.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, SupportsIndex, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from jejunet_nas.errors import SettingError
from jejunet_nas.scores import Score, TemporalScore
from jejunet_nas.space.architecture import Architecture, Network

Path = Literal["key", "propagate", "reuse"]
GraphName = Literal["key", "propagate", "gate"]
LatencySource = Literal["measured", "predicted", "host"]
Frames = npt.NDArray[np.uint8]  # [time, height, width, 3], RGB
Masks = npt.NDArray[np.uint8]  # [time, height, width], class indices

PATHS: tuple[Path, ...] = get_args(Path)
GRAPH_NAMES: tuple[GraphName, ...] = get_args(GraphName)
_BY_LETTER: dict[str, Path] = {path[0]: path for path in PATHS}
# Operators of our graphs that LiteRT's default delegate never runs.
OUTSIDE_DELEGATE = ("ARG_MAX", "CAST", "QUANTIZE")
IGNORE = 255  # a mask's value where nothing is known; it counts in no score and no loss


class Pictures(Protocol):
    """Pictures in the order of time: an array, or what makes them when they are asked for.

    uint8 [time, height, width] or [time, height, width, 3]. An index gives one picture, a slice a
    stack of them, both as arrays; one picture more than there are raises `IndexError`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pictures, height, width, and 3 for frames."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: SupportsIndex | slice, /) -> npt.NDArray[np.uint8]: ...

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """Consecutive frames of one video, with the masks that are known.

    frames: uint8 [time, height, width, 3], RGB. masks: uint8 [time, height, width] at the
    annotation's own resolution, class indices, `IGNORE` where unknown. annotated: bool [time], true
    where the mask was drawn. fps: frames a second of the camera. Frames and masks may be arrays, or
    read or made on access: beyond `Pictures` nothing is promised, and a picture asked for twice may
    be made twice.
    """

    name: str
    frames: Pictures
    masks: Pictures
    annotated: npt.NDArray[np.bool_]
    fps: float

    def __post_init__(self) -> None:
        assert self.frames.shape[1:] == (*self.frames.shape[1:3], 3), self.frames.shape
        assert (len(self.masks.shape), self.annotated.ndim) == (3, 1), self.masks.shape
        assert len(self.frames) == len(self.masks) == len(self.annotated) > 0, self.name
        assert self.frames.dtype == self.masks.dtype == np.uint8, self.name

    def __len__(self) -> int:
        return len(self.frames)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSplit:
    """The clips of one split of a data set, and what their masks' values mean."""

    dataset: str
    split: Literal["train", "val"]
    class_names: tuple[str, ...]
    clips: tuple[Clip, ...]
    fingerprint: str  # changes when a file of the split does

    @property
    def frame_count(self) -> int:
        """Number of frames in all clips."""
        return sum(len(clip) for clip in self.clips)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of a graph, as far as its latency depends on it.

    kind: the operator's name in the TFLite schema (`CONV_2D`, `RESIZE_BILINEAR`, ...). kernel:
    (height, width) of a convolution's or pooling window, (1, 1) otherwise. Bytes count activations
    in and out, and constant weights apart. float32: whether it reads or writes float activations.
    """

    kind: str
    kernel: tuple[int, int] = (1, 1)
    macs: int = 0
    bytes_in: int
    bytes_out: int
    weight_bytes: int = 0
    elements_out: int
    float32: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one run of one graph takes, and how we know.

    `low_ms` to `high_ms` is the interval in which the median is expected: the spread of a
    measurement, the error of a prediction. `runs` is 0 for a prediction.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    source: LatencySource
    threads: int
    runs: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.low_ms <= self.median_ms <= self.high_ms < math.inf:
            raise SettingError(
                f"median_ms is {self.median_ms} in [{self.low_ms}, {self.high_ms}]; "
                "allowed: 0 <= low_ms <= median_ms <= high_ms. Order the three figures."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PathLatencies:
    """The latency of each graph of one network, all from one source."""

    key: Latency
    propagate: Latency
    gate: Latency

    @property
    def source(self) -> LatencySource:
        """Where the figures come from."""
        return self.key.source


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FramePaths:
    """Which path each frame of one clip took.

    letters: one a frame: k (key), p (propagate) or r (reuse); a capital where the gate ran. lag:
    the frames that a keyframe takes in the background; None where frames wait for it.
    """

    clip: str
    letters: str
    lag: int | None = None

    @classmethod
    def of(
        cls, clip: str, paths: Sequence[Path], gated: Sequence[bool], *, lag: int | None = None
    ) -> "FramePaths":
        """Return the paths of `clip`, and on which frames the gate ran, in short."""
        pairs = zip(paths, gated, strict=True)
        letters = "".join(p[0].upper() if gate else p[0] for p, gate in pairs)
        return cls(clip=clip, letters=letters, lag=lag)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Each frame's path."""
        return tuple(_BY_LETTER[letter.lower()] for letter in self.letters)

    @property
    def gated(self) -> tuple[bool, ...]:
        """Whether the gate ran on each frame."""
        return tuple(letter.isupper() for letter in self.letters)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamLatency:
    """Latency over a whole stream of frames, each on the path that the policy gave it.

    `dropped_frames` is the share of camera frames that are overwritten in a one-frame buffer before
    they are read; `every_frame` tells whether no frame takes longer than the camera's period.
    `doubts` say why a measurement is unstable; none where it is stable, or nothing was measured.
    startup_ms: what the first frame of a stream waits for its keyframe where all others run in the
    background; it counts in no other figure. None where each keyframe is waited for.
    """

    mean_ms: float
    worst_ms: float
    every_frame: bool
    dropped_frames: float
    source: LatencySource
    doubts: tuple[str, ...] = ()
    startup_ms: float | None = None

    @property
    def sustained_fps(self) -> float:
        """1000 / mean latency of a frame in ms; infinite where no frame runs a graph."""
        return 1000.0 / self.mean_ms if self.mean_ms else math.inf


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphRecord:
    """One graph on disk, and what the check after conversion found.

    deflated_bytes: of the file as zip packs it, which is what an app's download grows by.
    zero_weights: share of the convolutions' weights. values_a_channel: how many different weights
    an output channel has, in the mean.
    """

    file: str  # beside record.json
    size_bytes: int
    deflated_bytes: int
    macs: int
    operators: int
    not_delegated: tuple[str, ...]  # operators that LiteRT's default delegate leaves aside
    zero_weights: float
    values_a_channel: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """How far what a layer hands on is from the float network's: signal to noise, in decibels."""

    layer: str
    graph: GraphName
    snr_db: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRecord:
    """How far the graphs on disk agree with the float network, on `frames` training frames.

    key, propagate: share of class map pixels that are alike; propagate is given the context of
    another frame. gate_error: of its score, absolute, in the mean. logits_db: signal to noise.
    noisiest: the layers that are furthest off, the worst first. equalized, bias_corrected: what was
    done about it.
    """

    frames: int
    key: float
    propagate: float
    gate_error: float
    logits_db: float
    noisiest: tuple[LayerNoise, ...]
    equalized: bool
    bias_corrected: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What training did: the mean loss of each `loss_every_steps` steps, and the time it took."""

    steps: int
    loss_every_steps: int
    losses: tuple[float, ...]
    gate_loss: float
    median_step_ms: float
    input_wait_share: float  # of the training time, spent waiting for a batch
    parameters: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateBin:
    """Pairs of frames with about the same gate score, and how far their masks really disagree.

    score, disagreement: means over the `pairs`, in [0, 1].
    """

    pairs: int
    score: float
    disagreement: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """How far the int8 gate's scores can be believed, on pairs of validation frames.

    bins: from low scores to high ones, those without a pair left out. mean_error: of a score,
    absolute; None where all clips are single frames. rank_correlation: Spearman's, of scores and
    disagreements; None where either never changes.
    """

    bins: tuple[GateBin, ...]
    mean_error: float | None
    rank_correlation: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecord:
    """A trained and quantised network, whatever policy runs it.

    `float_miou` and `int8_miou` are taken on the same `checked_frames` validation frames, each
    as a keyframe, so that their difference is what quantisation costs. compressed_from: the id of
    the network that it was pruned from, or trained on from with rounding; None where it was trained
    as it is, and int8 came after.
    """

    network_id: str
    network: Network
    class_names: tuple[str, ...]
    training: TrainingRecord
    graphs: dict[GraphName, GraphRecord]
    latencies: PathLatencies
    float_miou: float
    int8_miou: float
    checked_frames: int
    gate: GateRecord
    stage_s: dict[str, float]
    agreement: AgreementRecord
    compressed_from: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What is known about one architecture in the end.

    walks: the paths of the validation clips, from which any graphs' latencies make a stream's.
    predicted: the stream's latency before anything was measured; measured: on the phone, once it
    was, as `measured_graphs` make it.
    """

    number: int
    architecture: Architecture
    network: NetworkRecord
    score: Score
    temporal: TemporalScore
    walks: tuple[FramePaths, ...]
    predicted: StreamLatency
    measured: StreamLatency | None = None
    measured_graphs: PathLatencies | None = None
    stage_s: dict[str, float]
    network_reused: bool  # its network was found trained

    @property
    def latency(self) -> StreamLatency:
        """What the trial is ranked by: measured where it was, predicted where it was not."""
        return self.measured or self.predicted

    @property
    def graph_latencies(self) -> PathLatencies:
        """What `latency` is made of: of each graph, from the same source."""
        return self.measured_graphs or self.network.latencies

    @property
    def paths(self) -> dict[Path, float]:
        """Share of frames on each path."""
        letters = "".join(walk.letters for walk in self.walks).lower()
        return {path: letters.count(path[0]) / len(letters) for path in PATHS}

    @property
    def network_id(self) -> str:
        """The name of the network under which its files are kept."""
        return self.network.network_id

    @property
    def float_miou(self) -> float:
        """The float network's mIoU on the checked frames, each a keyframe."""
        return self.network.float_miou

    @property
    def int8_miou(self) -> float:
        """The int8 network's mIoU on the same frames."""
        return self.network.int8_miou


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTrial:
    """An architecture whose latency cannot meet the target: no training was spent on it."""

    number: int
    architecture: Architecture
    mean_ms: float  # the least it can take a frame
    source: LatencySource
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FailedTrial:
    """A trial that broke, with the reason."""

    number: int
    architecture: Architecture | None  # None: it broke before one was drawn
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyHistory:
    """All that a study has found so far, trials in the order of their numbers.

    spent_s: the working seconds of each trial that ended, refused and failed ones too, by its
    number; empty where nobody noted them.
    """

    study: str
    dataset: str
    class_names: tuple[str, ...]
    target_fps: float
    device: str  # the phone whose latency counts
    latency_source: LatencySource
    threads: int
    complete: tuple[TrialResult, ...]
    refused: tuple[RefusedTrial, ...]
    failed: tuple[FailedTrial, ...]
    duplicates: int  # draws of an architecture that was known already
    phone: str | None = None  # on which trials were measured; None: none was
    spent_s: Mapping[int, float] = dataclasses.field(default_factory=dict)


Record = TypeVar("Record")


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:  # making one takes milliseconds
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: Any, *, indent: int | None = None) -> str:
    """Return a record of this module as JSON text."""
    return _adapter(type(record)).dump_json(record, indent=indent).decode()


def from_json(kind: type[Record], text: str | bytes) -> Record:
    """Return the record of type `kind` that `to_json` wrote."""
    record: Record = _adapter(kind).validate_json(text)
    return record
