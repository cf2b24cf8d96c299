"""Manifest: all that a program must know to run a bundle's graphs, and where its figures are from.

The JSON file that lies in each bundle. It is written in one way only, and holds the hash of its own
text, so that one changed byte is found in it as in any other file.

Units: pixels; frames; `_ms`, `_fps`; ratios in [0, 1].
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.records import FramePath, GraphName, LatencySource
from jejunet_nas.space.architecture import Policy

MANIFEST = "manifest.json"
FORMAT = 2  # goes up when a reader of the one before would misunderstand

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

    A class map has neither: what is stored are class indices.
    """

    name: str
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    type: Literal["uint8", "int8", "float32"]
    scale: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    zero_point: int


class GraphFile(_Section):
    """One graph, its tensors in the order in which it has them.

    study_sha256: of the graph as its study keeps it, without the metadata that the file has.
    """

    file: _FileName  # in the bundle, not somewhere else
    study_sha256: _Sha256
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Graphs(_Section):
    """The three graphs."""

    key: GraphFile
    propagate: GraphFile
    gate: GraphFile


class Input(_Section):
    """How a frame of any size becomes the picture that key and propagate take.

    resize: bilinear, with the filter as wide as the reduction, as Pillow's `BILINEAR`; the aspect
    is not kept. thumbnail_stride: each square of so many pixels is one of the gate's, their mean
    rounded down.
    """

    height: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    colour_order: Literal["RGB"] = "RGB"
    resize: Literal["bilinear, antialiased, aspect not kept"] = (
        "bilinear, antialiased, aspect not kept"
    )
    mask_resize: Literal["nearest"] = "nearest"
    thumbnail_stride: Annotated[int, Field(ge=1)]


class Calls(_Section):
    """The graphs that run on a frame of each path; the gate runs before, where the policy asks."""

    key: tuple[GraphName, ...] = ("key",)
    propagate: tuple[GraphName, ...] = ("propagate",)
    reuse: tuple[GraphName, ...] = ()


class Source(_Section):
    """Where the network comes from: study, trial, data, training, seeds.

    network: all its choices. export_steps: trained beyond the trial's own `training_steps`; 0 for
    the trial as it was. compression: the chain of methods. fingerprints: of the data's files, by
    split; none where the search's notes are gone.
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
    """What the int8 graphs of the bundle scored on the validation clips under its policy.

    class_iou: None for a class that no annotation holds. paths: share of the frames on each path.
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
    """How long graphs and frames take, and how that is known; never this computer's for a phone's.

    source: of the figures of a stream; graphs_source: of the graphs' own three.
    sustained_fps: None where no frame runs a graph.
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
    """The figures, each section with its source."""

    accuracy: Accuracy
    latency: LatencyFigures


class Manifest(_Section):
    """The whole file, but for the hash of its text. files: the SHA-256 of each other file."""

    format: Literal[2]
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]
    palette: tuple[tuple[_Byte, _Byte, _Byte], ...]  # RGB of each class
    policy: dict[str, Any]  # see `policy_of`
    keyframe_lag: Annotated[int, Field(ge=1)]
    target_fps: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    calls: Calls
    input: Input
    graphs: Graphs
    metrics: Metrics
    source: Source
    versions: dict[str, str]
    files: dict[_FileName, _Sha256]


def manifest_text(plain: dict[str, Any]) -> str:
    """Return the one text of a manifest, with the hash of what stands before it at its end."""
    digest = hashlib.sha256(_text(plain).encode()).hexdigest()
    return _text({**plain, "sha256": digest})


def read_manifest(folder: Path) -> tuple[Manifest, Policy]:
    """Return the manifest in `folder` and its policy. Raises `SettingError`, naming the fault."""
    file = folder / MANIFEST
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise SettingError(f"{folder} {what}; allowed: a bundle, a folder or a .zip. Check it.")
    text, plain = _read(file)
    given = plain.get("format") if isinstance(plain, dict) else None
    if given != FORMAT:
        raise SettingError(
            f"{file}: format is {given}; allowed: {FORMAT}. Make the bundle again with this "
            "version: jejunet-nas export STUDY --trial N."
        )
    digest = plain.pop("sha256", None)
    if not _is_text_of(plain, text):
        raise SettingError(
            f"{file} was changed: its text does not have the SHA-256 {str(digest)[:12]}... that it "
            "names; allowed: as it was written. Copy the whole bundle again."
        )
    try:  # as JSON, since a strict check of Python values would not take a list for a tuple
        manifest = Manifest.model_validate_json(json.dumps(plain))
        return manifest, policy_of(manifest.policy)
    except ValidationError as error:
        raise SettingError(f"{file}: {_first_problem(error)}") from None
    except SettingError as error:
        raise SettingError(f"{file}: policy: {error}") from None


def policy_of(plain: dict[str, Any]) -> Policy:
    """Return the policy; pydantic alone would pass over a key that it does not know."""
    allowed = [field.name for field in dataclasses.fields(Policy)]
    for key in plain:
        if key not in allowed:
            raise SettingError(_no_key(key, allowed))
    try:
        return TypeAdapter(Policy).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        raise SettingError(_first_problem(error)) from None


def _text(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _is_text_of(plain: dict[str, Any], text: str) -> bool:
    try:
        return manifest_text(plain) == text
    except ValueError:  # NaN, or half a letter: nothing that was ever written
        return False


def _read(file: Path) -> tuple[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        return text, json.loads(text)
    except FileNotFoundError:
        raise SettingError(
            f"{file.parent} holds no {MANIFEST}; allowed: a bundle, a folder or a .zip. Check it."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(
            f"{file} cannot be read ({error}); allowed: JSON. Make the bundle again."
        ) from None


def _first_problem(error: ValidationError) -> str:
    """Return what is wrong; a misspelt key is told first, as it leaves another one out."""
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        section: Any = Manifest
        for step in problem["loc"][:-1]:
            section = section.model_fields[step].annotation if isinstance(step, str) else Tensor
        return _no_key(key, list(section.model_fields) if hasattr(section, "model_fields") else [])
    if problem["type"].startswith("missing"):
        return f"{key} is missing; allowed: a value. Make the bundle again."
    reason = problem["msg"].removeprefix("Input should be ").replace("a valid ", "")
    return f"{key} is {problem['input']!r}; allowed: {reason}. Make the bundle again."


def _no_key(key: str, allowed: list[str]) -> str:
    near = closest(key.rpartition(".")[2], allowed)
    return f"{key} is no key; allowed: {', '.join(allowed)}.{near or ' Take it out.'}"
