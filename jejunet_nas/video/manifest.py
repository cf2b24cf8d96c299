"""Manifest: everything that a program must know to run a bundle's graphs, and its figures.

The JSON file of each bundle. It contains the hash of its own text, so that a changed byte is found
in it as in any other file.

Units: pixels; frames; `_ms`, `_fps`; ratios in [0, 1].
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.records import FramePath, LatencySource
from jejunet_nas.space.architecture import Policy

MANIFEST = "manifest.json"
FORMAT = 3  # goes up when a reader of the previous format would misunderstand

_FIX = "Export the bundle again."
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")  # as pydantic calls it
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

    metadata: whether the file has LiteRT metadata; graphs of earlier versions have none.
    """

    file: _FileName  # without a folder: inside the bundle
    metadata: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Graphs(_Section):
    """The three graphs."""

    key: GraphFile
    propagate: GraphFile
    gate: GraphFile


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

    network: all its choices. export_steps: fine-tuning steps after the trial's `training_steps`.
    compression: the chain of methods. fingerprints: of the data's files, by split; empty if the
    search's notes are missing.
    """

    study: str
    trial: _Count
    network_id: str
    network: dict[str, Any]
    dataset: str
    fingerprints: dict[str, str]
    training_steps: _Count
    export_steps: _Count
    compression: str
    seeds: dict[str, int]


class Accuracy(_Section):
    """The scores of the bundle's int8 graphs on the validation clips under its policy.

    class_iou: None for a class without annotated pixels. paths: share of the frames on each path.
    """

    graphs: Literal["int8"] = "int8"
    split: Literal["val"] = "val"
    clips: _Count
    frames: _Count
    annotated_frames: _Count
    miou: _Share
    class_iou: tuple[_Share | None, ...]
    consistency: _Share | None
    paths: dict[FramePath, _Share]


class LatencyFigures(_Section):
    """The latencies of graphs and frames, and their sources.

    source: of mean_ms, worst_ms, sustained_fps and dropped_frames; graphs_source: of key_ms,
    propagate_ms and gate_ms. sustained_fps: None if no frame runs a graph.
    """

    source: LatencySource
    device: str
    threads: Annotated[int, Field(ge=1)]
    graphs_source: LatencySource
    key_ms: _Milliseconds
    propagate_ms: _Milliseconds
    gate_ms: _Milliseconds
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

    format: Literal[3]
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


def manifest_text(plain: dict[str, Any]) -> str:
    """Return the text of a manifest; its last line is the hash of the text without that line."""
    digest = hashlib.sha256(_text(plain).encode()).hexdigest()
    return _text({**plain, "sha256": digest})


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest in `folder`. Raises `SettingError` naming the fault."""
    file = folder / MANIFEST
    text, plain = _read(file)
    given = plain.get("format") if isinstance(plain, dict) else None
    if given != FORMAT:
        raise SettingError(
            f"{file}: format is {shortened(str(given))}; allowed: {FORMAT}. Export the trial "
            "again with this version: jejunet-nas export STUDY --trial N --out FOLDER."
        )
    if not _matches_its_hash(text):
        raise SettingError(
            f"{file} was changed: its text does not match its SHA-256. Copy the whole bundle again."
        )
    plain.pop("sha256")
    try:  # as JSON, since a strict check of Python values would not take a list for a tuple
        return Manifest.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        raise SettingError(f"{file}: {_first_problem(error)}") from None
    except SettingError as error:
        raise SettingError(f"{file}: policy: {error}") from None


def _text(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _matches_its_hash(text: str) -> bool:
    before, _, after = text.rpartition(',\n  "sha256": "')
    digest = hashlib.sha256(f"{before}\n}}\n".encode()).hexdigest()
    return after == f'{digest}"\n}}\n'


def _read(file: Path) -> tuple[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        return text, json.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        raise SettingError(
            f"{file} does not exist. Give a bundle: a folder or .zip that `jejunet-nas export` "
            "wrote."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(f"{file} cannot be read as JSON ({error}). {_FIX}") from None


def _first_problem(error: ValidationError) -> str:
    """Describe one problem: an unknown key first, since it may be a misspelt one."""
    problem = min(error.errors(), key=lambda each: each["type"] not in _UNKNOWN_KEY)
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] in _UNKNOWN_KEY:
        return f"{shortened(key)} is an unknown key. {_FIX}"
    if problem["type"].startswith("missing"):
        return f"{key} is missing. {_FIX}"
    reason = problem["msg"].removeprefix("Input should be ").replace("a valid ", "")
    return f"{shortened(key)} is {shortened(repr(problem['input']))}; allowed: {reason}. {_FIX}"
