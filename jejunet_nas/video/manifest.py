"""Manifest: everything that a program must know to run a bundle's graphs, and its figures.

Its JSON file, in each bundle, is read and written by `manifest_file`.

Units: pixels; frames; `_ms`, `_fps`; ratios in [0, 1].
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jejunet_nas.records import GRAPH_NAMES, FramePath, GraphName, LatencySource
from jejunet_nas.space.architecture import Policy

MANIFEST = "manifest.json"
FORMAT = 4  # goes up when a reader of the previous format would misunderstand

_Share = Annotated[float, Field(ge=0, le=1)]
_Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Byte = Annotated[int, Field(ge=0, le=255)]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Tensor(_Section):
    """An input or output of a graph; a real value is scale * (stored - zero_point).

    A class map has neither scale nor zero point: it holds class indices.
    """

    name: str
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    type: Literal["uint8", "int8", "float32"]
    scale: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    zero_point: int


class GraphFile(_Section):
    """One graph, its tensors in the order of the graph.

    sha256: of the graph that the trial was scored with.
    """

    file: _FileName  # without a folder: inside the bundle
    sha256: _Sha256
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Graphs(_Section):
    """The graphs that the policy runs, by name; the others are not in the bundle."""

    key: GraphFile
    propagate: GraphFile | None = None
    gate: GraphFile | None = None

    @property
    def by_name(self) -> dict[GraphName, GraphFile]:
        """The graphs of the bundle."""
        graphs = {name: getattr(self, name) for name in GRAPH_NAMES}
        return {name: graph for name, graph in graphs.items() if graph is not None}


class Input(_Section):
    """How a frame of any size becomes the input image of the key and propagate graphs.

    resize: as Pillow's `BILINEAR`, whose filter is as wide as the reduction. thumbnail_stride: a
    thumbnail pixel is the mean of a square of this many pixels a side, rounded down.
    """

    height: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    colour_order: Literal["RGB"] = "RGB"
    resize: Literal["bilinear, antialiased, aspect not kept"] = (
        "bilinear, antialiased, aspect not kept"
    )
    mask_resize: Literal["nearest"] = "nearest"
    thumbnail_stride: Annotated[int, Field(ge=1)]


class Source(_Section):
    """Where the network comes from: study, trial, data, training, seeds.

    network: all its choices. trial_policy: the trial's, if the bundle has another, chosen after the
    search; its figures are then not the trial's. data_options: of the data set, in the study.
    training_steps: of the trial. export_steps: of the training anew for the export, 0 without one.
    trained_on: `all` if that had the validation clips too; the metrics are then of one without
    them. compression: the chain of methods. fingerprints: of the data's files, by split; empty if
    the search's notes are missing.
    """

    study: str
    trial: _Count
    network_id: str
    network: dict[str, Any]
    trial_policy: Policy | None = None
    dataset: str
    data_options: dict[str, Any] = {}  # bundles of earlier versions do not have them
    fingerprints: dict[str, str]
    training_steps: _Count
    export_steps: _Count
    trained_on: Literal["train", "all"] = "train"
    compression: str
    seeds: dict[str, int]


class OriginAccuracy(_Section):
    """The score over the validation clips of one kind. miou: None without annotated frames."""

    clips: _Count
    miou: _Share | None


class Accuracy(_Section):
    """The scores of the bundle's int8 graphs on the validation clips under its policy.

    miou, class_iou: of what the screen shows at each frame's time, with the latencies below;
    own_frame_miou: of each mask against its own frame. class_iou: None for a class without
    annotated pixels. paths: share of the frames on each path. video, pans: over the clips that are
    videos, and over simulated pans over photos; None where there is none, or kinds are unknown.
    """

    graphs: Literal["int8"] = "int8"
    split: Literal["val"] = "val"
    clips: _Count
    frames: _Count
    annotated_frames: _Count
    miou: _Share
    own_frame_miou: _Share
    class_iou: tuple[_Share | None, ...]
    consistency: _Share | None
    paths: dict[FramePath, _Share]
    video: OriginAccuracy | None = None
    pans: OriginAccuracy | None = None


class LatencyFigures(_Section):
    """The latencies of graphs and frames, and their sources.

    source: of mean_ms, worst_ms, sustained_fps and dropped_frames; graphs_source: of key_ms,
    propagate_ms and gate_ms. move_ms: to find the motion, and to move a mask or warp the context;
    always predicted, None in bundles of earlier versions. sustained_fps: None if no frame takes
    time.
    """

    source: LatencySource
    device: str
    threads: Annotated[int, Field(ge=1)]
    graphs_source: LatencySource
    key_ms: _Milliseconds
    propagate_ms: _Milliseconds
    gate_ms: _Milliseconds
    move_ms: _Milliseconds | None = None
    mean_ms: _Milliseconds
    worst_ms: _Milliseconds
    sustained_fps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    dropped_frames: _Share


class Metrics(_Section):
    """The figures: accuracy and latency."""

    accuracy: Accuracy
    latency: LatencyFigures


class Manifest(_Section):
    """The whole file except the hash of its text. files: the SHA-256 of each other file."""

    format: Literal[4]
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]
    palette: tuple[tuple[_Byte, _Byte, _Byte], ...]  # RGB of each class
    policy: Policy
    keyframe_lag: Annotated[int, Field(ge=1)]
    target_fps: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    input: Input
    graphs: Graphs
    metrics: Metrics
    source: Source
    versions: dict[str, str]
    files: dict[_FileName, _Sha256]
