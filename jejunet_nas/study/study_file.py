"""The YAML file of a study: read, with options of the command line set, and checked."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.files import SPACES, is_file, read_mapping, shipped_folder
from jejunet_nas.space.search_space import SWITCHES
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.settings_errors import check_pictures, check_starts, first_problem
from jejunet_nas.training.settings import TrainingSettings


def read_study(file: Path, overrides: Mapping[str, Any] | None = None) -> StudySettings:
    """Return the study in `file`, with dotted keys such as `data.root` set by `overrides`.

    Raises `SettingError` with the file, the key, its value and what is allowed.
    """
    content = read_mapping(file)
    for key, value in (overrides or {}).items():
        _set(content, key, value, file)
    space = content.get("search_space")
    if isinstance(space, str):
        content["search_space"] = dataclasses.asdict(read_search_space(_space_file(space, file)))
    elif isinstance(space, dict):
        inline = space_from_mapping(space, f"{file}: search_space")
        content["search_space"] = dataclasses.asdict(inline)
    latency = content.get("latency")
    if isinstance(latency, dict) and is_file(file.parent / str(latency.get("device"))):
        latency["device"] = str(file.parent / latency["device"])
    if isinstance(starts := content.get("start_with"), list):
        content["start_with"] = [_with_off(start) for start in starts]
    try:
        # As JSON, because pydantic's strict mode accepts no list for a tuple in Python values.
        study = StudySettings.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise SettingError(f"{file}: {first_problem(error, StudySettings)}") from None
    except SettingError as error:
        raise SettingError(f"{file}: {_section(str(error))}{error}") from None
    check_starts(study.start_with, study.search_space, file)
    check_pictures(study.training, study.compression, study.search_space, file)
    return study


def _space_file(name: str, study_file: Path) -> Path:
    """Return the file of a named space: of the project, the current folder, or the package."""
    if name.endswith((".yaml", ".yml")):
        return study_file.parent / name
    places = (study_file.parent.parent / SPACES, Path(SPACES), shipped_folder(SPACES))
    known = sorted({f.stem for place in places for f in place.glob("*.yaml")})
    for place in places:
        if is_file(place / f"{name}.yaml"):
            return place / f"{name}.yaml"
    raise SettingError(
        f"{study_file}: search_space is {name}; allowed: {', '.join(known) or 'a YAML file'}."
        f"{closest(name, known)}"
    )


def _set(content: dict[str, Any], key: str, value: Any, file: Path) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = content.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SettingError(f"{file}: {section} is {inner} instead of keys with values. Fix it.")
        content = inner
    content[last] = value


def _with_off(start: Any) -> Any:
    """Replace a threshold's `off`, which YAML 1.1 reads as false, by None."""
    if not isinstance(start, dict):
        return start
    return {
        k: None if k not in SWITCHES and (v is False or v == "off") else v for k, v in start.items()
    }


def _section(message: str) -> str:
    """Return the section, with its dot, of the setting that `message` begins with."""
    name = message.split(" ", 1)[0].split(".", 1)[0]
    for section, kind in (("training", TrainingSettings), ("compression", CompressionSettings)):
        if name in {field.name for field in dataclasses.fields(kind)}:
            return f"{section}."
    return ""
