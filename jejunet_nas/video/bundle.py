"""A bundle: the folder that whoever runs a trial's network needs, a phone or this computer.

    key.tflite  propagate.tflite  gate.tflite  manifest.json

The manifest says how the graphs are run and holds the hash of each, so that a folder that was
copied in part, or whose graphs were swapped, is found out before a mask is believed.

Units: input in pixels; `keyframe_lag` in frames; `target_fps` in frames a second of the camera.
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.records import GRAPH_NAMES, GraphName
from jejunet_nas.space.architecture import Policy

MANIFEST = "manifest.json"
FORMAT = 1  # goes up when a reader of the one before would misunderstand


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleSource:
    """Which trial a bundle was made of."""

    study: str
    trial: int
    network_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Graphs, and how they are run.

    keyframe_lag: the frames that a keyframe takes in the background by the figures that the trial
    was scored with, at `target_fps`; a policy without a background does not look at it.
    """

    graphs: Mapping[GraphName, Path]
    class_names: tuple[str, ...]
    policy: Policy
    input_height: int
    input_width: int
    keyframe_lag: int
    target_fps: float
    source: BundleSource


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _GraphFile(_Section):
    file: Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]  # in the bundle, not somewhere else
    sha256: str


class _Graphs(_Section):
    key: _GraphFile
    propagate: _GraphFile
    gate: _GraphFile


class _Input(_Section):
    height: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]


class _Source(_Section):
    study: str
    trial: Annotated[int, Field(ge=0)]
    network_id: str


class _Manifest(_Section):
    format: Literal[1]
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]
    policy: dict[str, Any]  # see `_policy`
    graphs: _Graphs
    input: _Input
    keyframe_lag: Annotated[int, Field(ge=1)]
    target_fps: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    source: _Source


def write_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write `bundle` as `folder`, whole or not at all, and return it as it lies there.

    Raises `SettingError` where `folder` holds something already, or cannot be written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SettingError(
            f"{folder} is there already; allowed: a new folder, or an empty one. Remove it, or "
            "give another name."
        )
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name in GRAPH_NAMES:
            shutil.copyfile(bundle.graphs[name], part / _file(name))
        manifest = json.dumps(_manifest(bundle, part), indent=2, ensure_ascii=False)
        (part / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
        part.rename(folder)
    except OSError as error:
        raise SettingError(
            f"{folder} cannot be written ({error}); allowed: a new folder where there is room. "
            "Give another name."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return dataclasses.replace(bundle, graphs={name: folder / _file(name) for name in GRAPH_NAMES})


def read_bundle(folder: Path) -> Bundle:
    """Return the bundle in `folder`; raises `SettingError` where it is none, or not whole."""
    manifest, policy = _read_manifest(folder)
    return Bundle(
        graphs={
            name: _checked(folder, name, getattr(manifest.graphs, name)) for name in GRAPH_NAMES
        },
        class_names=manifest.class_names,
        policy=policy,
        input_height=manifest.input.height,
        input_width=manifest.input.width,
        keyframe_lag=manifest.keyframe_lag,
        target_fps=manifest.target_fps,
        source=BundleSource(**manifest.source.model_dump()),
    )


def _file(name: GraphName) -> str:
    return f"{name}.tflite"


def _manifest(bundle: Bundle, written: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "class_names": list(bundle.class_names),
        "policy": dataclasses.asdict(bundle.policy),
        "graphs": {
            name: {"file": _file(name), "sha256": _sha256(written / _file(name))}
            for name in GRAPH_NAMES
        },
        "input": {"height": bundle.input_height, "width": bundle.input_width},
        "keyframe_lag": bundle.keyframe_lag,
        "target_fps": bundle.target_fps,
        "source": dataclasses.asdict(bundle.source),
    }


def _read_manifest(folder: Path) -> tuple[_Manifest, Policy]:
    file = folder / MANIFEST
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise SettingError(f"{folder} {what}; allowed: a bundle's folder. Check the path.")
    try:
        text = file.read_text(encoding="utf-8")
        plain = json.loads(text)
    except FileNotFoundError:
        raise SettingError(
            f"{folder} holds no {MANIFEST}; allowed: a bundle's folder. Check the path."
        ) from None
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{file} cannot be read ({error}); allowed: JSON. Make the bundle again."
        ) from None
    given = plain.get("format") if isinstance(plain, dict) else None
    if given != FORMAT:
        raise SettingError(
            f"{file}: format is {given}; allowed: {FORMAT}. Make the bundle again with this "
            "version, or read it with the one that made it."
        )
    try:  # as JSON, since a strict check of Python values would not take a list for a tuple
        manifest = _Manifest.model_validate_json(text)
        return manifest, _policy(manifest.policy)
    except ValidationError as error:
        raise SettingError(f"{file}: {_first_problem(error)}") from None
    except SettingError as error:
        raise SettingError(f"{file}: policy: {error}") from None


def _policy(plain: dict[str, Any]) -> Policy:
    """Return the policy; pydantic alone would pass over a key that it does not know."""
    allowed = [field.name for field in dataclasses.fields(Policy)]
    for key in plain:
        if key not in allowed:
            raise SettingError(_no_key(key, allowed))
    try:
        return TypeAdapter(Policy).validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        raise SettingError(_first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    """Return what is wrong; a misspelt key is told first, as it leaves another one out."""
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        section: Any = _Manifest
        for step in problem["loc"][:-1]:
            section = section.model_fields[step].annotation
        return _no_key(key, list(section.model_fields))
    if problem["type"].startswith("missing"):
        return f"{key} is missing; allowed: a value. Make the bundle again."
    reason = problem["msg"].removeprefix("Input should be ").replace("a valid ", "")
    return f"{key} is {problem['input']!r}; allowed: {reason}. Make the bundle again."


def _no_key(key: str, allowed: list[str]) -> str:
    near = closest(key.rpartition(".")[2], allowed)
    return f"{key} is no key; allowed: {', '.join(allowed)}.{near or ' Take it out.'}"


def _checked(folder: Path, name: GraphName, graph: _GraphFile) -> Path:
    file = folder / graph.file
    if not file.is_file():
        raise SettingError(
            f"{folder} holds no {graph.file}; allowed: the {name} graph of its {MANIFEST}. Copy "
            "the whole bundle again."
        )
    found = _sha256(file)
    if found != graph.sha256:
        raise SettingError(
            f"{file} has the SHA-256 {found[:12]}...; allowed: {graph.sha256[:12]}..., as its "
            f"{MANIFEST} says. Copy the whole bundle again."
        )
    return file


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
