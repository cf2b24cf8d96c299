"""StudySettings: the content of a study's YAML file, checked before anything starts.

name: davis_pixel2
search_space: mobile_video          # search_spaces/mobile_video.yaml, or the space itself
data: {dataset: davis}
training: {steps: 200}                # from ImageNet weights, see `training.settings`
target_fps: 24
feasible: no_drops                  # or every_frame, or mean
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.files import SPACES, is_file, read_mapping, shipped_folder
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, FeasibleRule
from jejunet_nas.space.search_space import Choice, SearchSpace
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from jejunet_nas.study.settings_errors import (
    NAME_WORDS,
    check_pictures,
    check_starts,
    first_problem,
)
from jejunet_nas.training.settings import IMAGENET, SCRATCH, TrainingSettings

FORMAT = 5  # of a trial's files; a study of another format cannot be resumed
DATA_ROOT = "{data_root}"  # stands for --data-root in a path of the file
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_OF_FILES = (".yaml", ".yml", ".zip", ".tflite")  # on a command line they end a path
_NO_FILE = f"a name that does not end in {', '.join(_OF_FILES)}"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataSettings(_Section):
    """The data set and its options; `root` is the folder given by --data-root."""

    dataset: str = "procedural"
    root: str | None = None
    options: dict[str, Any] = {}

    def open_split(self, split: Split, progress: Tell | None = None) -> DataSplit:
        """Return the clips of one split. Raises `SettingError` or `DataError`."""
        root = Path(self.root) if self.root else None
        return open_split(self.dataset, split, root=root, options=self.options, progress=progress)


class LatencySettings(_Section):
    """Where latencies come from.

    `device` is the profile that predicts latencies before training. With the backend adb, trained
    networks are also measured, on the phone `serial` or on the only phone attached.
    """

    backend: Literal["predicted", "adb"] = "predicted"
    device: str = "pixel2"
    threads: Literal[1, 2, 4] = 1
    serial: str | None = None
    benchmark_binary: str | None = None


class SamplerSettings(_Section):
    """How architectures are proposed.

    Each newly trained network is tried with `policies_per_network` policies. Only the first of
    these trials trains.
    """

    name: Literal["tpe", "nsga2", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    policies_per_network: Annotated[int, Field(ge=1, le=100)] = 2


class StudySettings(_Section):
    """A study: search space, data, training recipe, target, sampler and budget.

    feasible: which trials meet the target, see `scoring.ranking`.
    """

    name: Annotated[str, Field(pattern=NAME)]
    search_space: SearchSpace
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    compression: CompressionSettings = CompressionSettings()
    latency: LatencySettings = LatencySettings()
    target_fps: Annotated[float, Field(ge=0.01, le=1000, allow_inf_nan=False)] = 24.0
    feasible: FeasibleRule = "no_drops"
    sampler: SamplerSettings = SamplerSettings()
    start_with: tuple[dict[str, Choice], ...] = ()
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 50

    @field_validator("name")
    @classmethod
    def _is_no_file(cls, name: str) -> str:
        if name.lower().endswith(_OF_FILES):
            raise ValueError(_NO_FILE)
        return name

    @property
    def deadline_ms(self) -> float:
        """The time of one frame at the target, in ms."""
        return 1000.0 / self.target_fps

    @property
    def longest_age(self) -> int:
        """The greatest age of a context, in frames, under any policy of the space."""
        return max(self.search_space.keyframe_interval) - 1

    def identity(self) -> dict[str, Any]:
        """Return the settings that all trials of a study share, as plain JSON values.

        Settings of pruning and of quantisation-aware training count only if the space has them.
        """
        shared = self.model_dump(mode="json", exclude={"trials", "sampler", "start_with"})
        shared["data"].pop("root")
        for name in ("serial", "benchmark_binary"):  # any phone of the same model will do
            shared["latency"].pop(name)
        shared["training"] = self.training.recipe()
        for name in ("init", "teacher"):  # their files are identified by their hashes
            if shared["training"].get(name):
                shared["training"][name] = Path(shared["training"][name]).name
        shared["latency"]["device"] = Path(self.latency.device).name
        if not any(self.search_space.pruning):
            del shared["compression"]["pruning"]
        if "quantization_aware" not in self.search_space.quantization:
            del shared["compression"]["quantization_aware"]
        identity: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **shared}))
        return identity


def check_name(name: str, where: str) -> None:
    """Raise `SettingError`, beginning with `where`, unless a study may have this `name`."""
    if not re.fullmatch(NAME, name):
        raise SettingError(f"{where} is {name!r}; allowed: {NAME_WORDS}.")
    if name.lower().endswith(_OF_FILES):
        raise SettingError(f"{where} is {name}; allowed: {_NO_FILE}.")


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


def init_file(study: StudySettings) -> Path | None:
    """Return the file of backbone weights, or None without one. Raises `SettingError`."""
    init = study.training.init
    if init in (SCRATCH, IMAGENET):
        return None
    return _below_root(study, "init", init, "use init: scratch")


def teacher_file(study: StudySettings) -> Path | None:
    """Return the file of the teacher, or None without one. Raises `SettingError`."""
    teacher = study.training.teacher
    return _below_root(study, "teacher", teacher, "leave it out") if teacher else None


def _below_root(study: StudySettings, name: str, value: str, otherwise: str) -> Path:
    if DATA_ROOT in value and study.data.root is None:
        raise SettingError(
            f"training.{name} is {value}, and --data-root is missing. Add --data-root DIR, or "
            f"{otherwise}."
        )
    return Path(value.replace(DATA_ROOT, study.data.root or ""))


def start_choices(study: StudySettings) -> list[dict[str, Choice]]:
    """Return the starting points as choices; the sampler chooses what a point leaves out.

    Choices are the space's own objects: a file's 1 would not equal the space's 1.0 in Optuna.
    """
    spaces = study.search_space.choices()
    return [
        {name: spaces[name][spaces[name].index(choice)] for name, choice in start.items()}
        for start in study.start_with
    ]


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
        k: None if k != "asynchronous" and (v is False or v == "off") else v
        for k, v in start.items()
    }


def _section(message: str) -> str:
    """Return the section, with its dot, of the setting that `message` begins with."""
    name = message.split(" ", 1)[0].split(".", 1)[0]
    for section, kind in (("training", TrainingSettings), ("compression", CompressionSettings)):
        if name in {field.name for field in dataclasses.fields(kind)}:
            return f"{section}."
    return ""
