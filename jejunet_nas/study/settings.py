"""StudySettings: what a study's YAML file says, checked before anything starts.

name: davis_pixel2
search_space: mobile_video          # search_spaces/mobile_video.yaml, or the space itself
data: {dataset: davis}
training: {steps: 200, init: "{data_root}/../weights/mobilenet_v2.npz"}
target_fps: 24
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.files import read_mapping
from jejunet_nas.space.search_space import DIMENSIONS, Choice, SearchSpace, in_words
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from jejunet_nas.study.identity import FORMAT
from jejunet_nas.training.settings import IMAGENET, SCRATCH, TrainingSettings

DATA_ROOT = "{data_root}"  # stands for --data-root in a path of the file
SPACES_FOLDER = "search_spaces"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataSettings(_Section):
    """Which data set, and what is asked of it; `root` is what --data-root says."""

    dataset: str = "procedural"
    root: str | None = None
    options: dict[str, Any] = {}


class LatencySettings(_Section):
    """Where latencies come from.

    `device` is the profile that predicts before anything is built. With backend adb, the trained
    networks are measured too: on the phone `serial`, or the only one there is.
    """

    backend: Literal["predicted", "adb"] = "predicted"
    device: str = "pixel2"
    threads: Literal[1, 2, 4] = 1
    serial: str | None = None
    benchmark_binary: str | None = None


class SamplerSettings(_Section):
    """How architectures are proposed.

    Each newly trained network is tried under `policies_per_network` policies: only the first of
    these trials costs training.
    """

    name: Literal["tpe", "nsga2", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    policies_per_network: Annotated[int, Field(ge=1, le=100)] = 2


class StudySettings(_Section):
    """A study: what may vary, on which data, how trained, held against which target."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
    search_space: SearchSpace
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    compression: CompressionSettings = CompressionSettings()
    latency: LatencySettings = LatencySettings()
    target_fps: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 24.0
    sampler: SamplerSettings = SamplerSettings()
    start_with: tuple[dict[str, Choice], ...] = ()
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 50

    @property
    def deadline_ms(self) -> float:
        """The time that the target leaves for a frame, in ms."""
        return 1000.0 / self.target_fps

    @property
    def longest_age(self) -> int:
        """How many frames old a context can become under any policy of the space."""
        return max(self.search_space.keyframe_interval) - 1

    def identity(self) -> dict[str, Any]:
        """Return what all trials of a study must share, as plain JSON values.

        How networks are pruned, or trained with rounding, counts where the space has such ones.
        """
        shared = self.model_dump(mode="json", exclude={"trials", "sampler", "start_with"})
        shared["data"].pop("root")
        for name in ("serial", "benchmark_binary"):  # another phone of the model is as good
            shared["latency"].pop(name)
        shared["training"] = self.training.recipe()
        for name in ("init", "teacher"):  # files: what they hold is told by their hashes
            if shared["training"].get(name):
                shared["training"][name] = Path(shared["training"][name]).name
        shared["latency"]["device"] = Path(self.latency.device).name
        if not any(self.search_space.pruning):
            del shared["compression"]["pruning"]
        if "quantization_aware" not in self.search_space.quantization:
            del shared["compression"]["quantization_aware"]
        identity: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **shared}))
        return identity


def read_study(file: Path, overrides: Mapping[str, Any] | None = None) -> StudySettings:
    """Return the study in `file`, with dotted keys such as `data.root` set by `overrides`.

    Raises `SettingError` naming file, key, value and what is allowed.
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
    if isinstance(latency, dict) and (file.parent / str(latency.get("device"))).is_file():
        latency["device"] = str(file.parent / latency["device"])
    if isinstance(starts := content.get("start_with"), list):
        content["start_with"] = [_with_off(start) for start in starts]
    try:
        # As JSON, since a strict check of Python values would not take a list for a tuple.
        study = StudySettings.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise SettingError(f"{file}: {_first_problem(error)}") from None
    except SettingError as error:
        raise SettingError(f"{file}: {_section(str(error))}{error}") from None
    _check_starts(study, file)
    return study


def init_file(study: StudySettings) -> Path | None:
    """Return the file of backbone weights, or None where none is named. Raises `SettingError`."""
    init = study.training.init
    if init in (SCRATCH, IMAGENET):
        return None
    return _below_root(study, "init", init, "use init: scratch")


def teacher_file(study: StudySettings) -> Path | None:
    """Return the file of the teacher, None without one. Raises `SettingError`."""
    teacher = study.training.teacher
    return _below_root(study, "teacher", teacher, "leave it out") if teacher else None


def _below_root(study: StudySettings, name: str, value: str, otherwise: str) -> Path:
    if DATA_ROOT in value and study.data.root is None:
        raise SettingError(
            f"training.{name} is {value}, and no data root is given; allowed: --data-root DIR. "
            f"Add it, or {otherwise}."
        )
    return Path(value.replace(DATA_ROOT, study.data.root or ""))


def start_choices(study: StudySettings) -> list[dict[str, Choice]]:
    """Return the starting points as choices; what a point leaves out is the sampler's to choose.

    A choice is the space's own value: 1 where a file says 1 and the space 1.0 would be another one.
    """
    spaces = study.search_space.choices()
    return [
        {name: spaces[name][spaces[name].index(choice)] for name, choice in start.items()}
        for start in study.start_with
    ]


def _space_file(name: str, study_file: Path) -> Path:
    """Return the file of a space by name: below the project, or the working directory."""
    if name.endswith((".yaml", ".yml")):
        return study_file.parent / name
    places = (study_file.parent.parent / SPACES_FOLDER, Path(SPACES_FOLDER))
    known = sorted({f.stem for place in places for f in place.glob("*.yaml")})
    for place in places:
        if (place / f"{name}.yaml").is_file():
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
            raise SettingError(f"{file}: {section} is {inner}; allowed: keys with values.")
        content = inner
    content[last] = value


def _first_problem(error: ValidationError) -> str:
    # A misspelt key is told first: what it leaves out would be told as missing otherwise.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] not in _NO_KEY)
    problem = problems[0]
    key = _dotted(problem["loc"])
    if problem["type"] in _NO_KEY:
        allowed = _keys_beside(problem["loc"])
        word = str(problem["loc"][-1])
        return f"{key} is no key; allowed: {', '.join(allowed)}.{closest(word, allowed)}"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{key} is missing; allowed: a value. Add a line `{problem['loc'][-1]}: ...`."
    return f"{key} is {problem['input']!r}; allowed: {_allowed(problem)}. Mend that value."


_NO_KEY = ("extra_forbidden", "unexpected_keyword_argument")


def _allowed(problem: Any) -> str:
    if problem["type"] == "string_pattern_mismatch":
        return "letters, digits, '_', '.' and '-', a letter or digit first, at most 100"
    reason = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    words = str(reason).replace("a valid ", "")
    return words[0].lower() + words[1:]


def _dotted(place: tuple[int | str, ...]) -> str:
    """Return `start_with[0].reuse_below` for a place in the file."""
    kinds = {"int", "float", "str"}  # of a choice's types, which pydantic adds at the end
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    if place and place[-1] in kinds:
        words.pop()
    return "".join(words).lstrip(".")


def _section(message: str) -> str:
    """Return the section of the setting that `message` begins with, with its dot."""
    name = message.split(" ", 1)[0].split(".", 1)[0]
    sections = {"training": TrainingSettings, "compression": CompressionSettings}
    for section, kind in sections.items():
        if name in {field.name for field in dataclasses.fields(kind)}:
            return f"{section}."
    return ""


def _keys_beside(place: tuple[int | str, ...]) -> list[str]:
    kind: Any = StudySettings
    for step in place[:-1]:
        kind = get_type_hints(kind)[str(step)]
    fields = kind.model_fields if hasattr(kind, "model_fields") else kind.__dataclass_fields__
    return list(fields)


def _check_starts(study: StudySettings, file: Path) -> None:
    for number, start in enumerate(study.start_with):
        where = f"{file}: start_with[{number}]"
        for name, choice in start.items():
            if name not in DIMENSIONS:
                raise SettingError(
                    f"{where}: {name} is no dimension; allowed: {', '.join(DIMENSIONS)}."
                    f"{closest(name, DIMENSIONS)}"
                )
            choices = getattr(study.search_space, name)
            switch = isinstance(choices[0], bool)
            if choice not in choices or isinstance(choice, bool) is not switch:
                allowed = ", ".join(map(in_words, choices))
                raise SettingError(
                    f"{where}: {name} is {in_words(choice)}; allowed: {allowed}. "
                    "Take one of these, or add it to the space."
                )


def _with_off(start: Any) -> Any:
    """Replace a threshold's `off`, which YAML 1.1 reads as false, by None."""
    if not isinstance(start, dict):
        return start
    return {
        k: None if k != "asynchronous" and (v is False or v == "off") else v
        for k, v in start.items()
    }
