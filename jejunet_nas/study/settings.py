"""StudySettings: the content of a study's YAML file, checked before anything starts.

name: davis_pixel2
search_space: mobile_video          # search_spaces/mobile_video.yaml, or the space itself
data: {dataset: davis}
training: {steps: 200}                # from ImageNet weights, see `training.settings`
target_fps: 24
feasible: no_drops                  # or every_frame, or mean
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.datasets.catalog import ON_DISK, class_names, open_split, require_root
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import SettingError
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, FeasibleRule, ValidationRule
from jejunet_nas.space.search_space import Choice, SearchSpace
from jejunet_nas.study.settings_errors import (
    NAME_WORDS,
)
from jejunet_nas.training.settings import IMAGENET, SCRATCH, TrainingSettings

FORMAT = 6  # of a trial's files; a study of another format cannot be resumed
DATA_ROOT = "{data_root}"  # stands for --data-root in a path of the file
TARGET_FPS = 0.01, 1000  # least and most
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
Threads: TypeAlias = Literal[1, 2, 4]  # of a study's latencies
NETWORKS_A_ROUND = 6  # with rungs: two are trained on, or three that the noise cannot tell apart
_NOT_SHARED = {
    "trials",
    "sampler",
    "start_with",
    "validation",
    "last_round",
}  # by the trials of a study
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

    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, without opening a picture. Raises as `open_split`."""
        return class_names(self.dataset, Path(self.root) if self.root else None, self.options)

    def check_root(self) -> None:
        """Raise `SettingError` if a data set on disk has no root."""
        if self.dataset in ON_DISK:
            require_root(self.dataset, Path(self.root) if self.root else None)


class LatencySettings(_Section):
    """Where latencies come from.

    `device` is the profile that predicts latencies before training. With the backend adb, trained
    networks are also measured, on the phone `serial` or on the only phone attached.
    """

    backend: Literal["predicted", "adb"] = "predicted"
    device: str = "pixel2"
    threads: Threads = 1
    serial: str | None = None
    benchmark_binary: str | None = None


class SamplerSettings(_Section):
    """How networks are proposed.

    round: networks that are trained to the first of `training.rungs` before they are compared;
    None: 6 with rungs, which it needs.
    """

    name: Literal["tpe", "nsga2", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    round: Annotated[int, Field(ge=1, le=1000)] | None = None


class LastRoundSettings(_Section):
    """The last round, after all trials: the best at the target are trained again with other seeds.

    seeds: trainings of a network in all, the trial's own among them; 1: no last round. contenders:
    networks at most. until: `told_apart`, of the networks within the noise of the best, until the
    pick is told apart; `seeds`, of all, until each has all its trainings: for a baseline.
    """

    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    contenders: Annotated[int, Field(ge=2, le=100)] = 4
    until: Literal["told_apart", "seeds"] = "told_apart"


class ValidationSettings(_Section):
    """The clips that a report picks the best trial on, and those that it is scored on.

    half: each half of the clips is scored with the pick of the other, see `scoring.held_out`.
    """

    pick_on: ValidationRule = "all"
    report_on: ValidationRule = "all"

    @model_validator(mode="after")
    def _are_alike(self) -> "ValidationSettings":
        if self.pick_on != self.report_on:
            raise ValueError(
                "pick_on and report_on both half, or both all: a pick on one half is scored on the "
                "other"
            )
        return self


class StudySettings(_Section):
    """A study: search space, data, training recipe, target, sampler and budget.

    feasible: which trials meet the target, see `scoring.ranking`. validation: of the report; it may
    change at any time. start_with: networks that are tried first; choices of a policy in it mean
    nothing, since all policies are scored. trials: networks, each with all its policies.
    """

    name: Annotated[str, Field(pattern=NAME)]
    search_space: SearchSpace
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    compression: CompressionSettings = CompressionSettings()
    latency: LatencySettings = LatencySettings()
    target_fps: Annotated[float, Field(ge=TARGET_FPS[0], le=TARGET_FPS[1], allow_inf_nan=False)] = (
        24.0
    )
    feasible: FeasibleRule = "no_drops"
    validation: ValidationSettings = ValidationSettings()
    sampler: SamplerSettings = SamplerSettings()
    last_round: LastRoundSettings = LastRoundSettings()
    start_with: tuple[dict[str, Choice], ...] = ()
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 50

    @field_validator("name")
    @classmethod
    def _is_no_file(cls, name: str) -> str:
        if name.lower().endswith(_OF_FILES):
            raise ValueError(_NO_FILE)
        return name

    @model_validator(mode="after")
    def _has_rungs_for_rounds(self) -> "StudySettings":
        if self.sampler.round is not None and not self.training.rungs:
            raise SettingError(
                f"sampler.round is {self.sampler.round}, but there are no training.rungs. Remove "
                "it, or add rungs to training."
            )
        return self

    @property
    def networks_a_round(self) -> int:
        """How many networks are drawn before any is trained on."""
        return (self.sampler.round or NETWORKS_A_ROUND) if self.training.rungs else 1

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
        shared = self.model_dump(mode="json", exclude=_NOT_SHARED)
        shared["data"].pop("root")
        for name in ("serial", "benchmark_binary"):  # any phone of the same model will do
            shared["latency"].pop(name)
        shared["training"] = self.training.recipe()
        shared["training"]["init"] = Path(self.training.init).name  # a hash identifies the file
        shared["latency"]["device"] = Path(self.latency.device).name
        if not any(self.search_space.ahead):  # as in studies from before there was any
            del shared["search_space"]["ahead"]
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


def init_file(study: StudySettings) -> Path | None:
    """Return the file of backbone weights, or None without one. Raises `SettingError`."""
    init = study.training.init
    if init in (SCRATCH, IMAGENET):
        return None
    if DATA_ROOT in init and study.data.root is None:
        raise SettingError(
            f"training.init is {init}, and --data-root is missing. Add --data-root DIR, or use "
            "init: scratch."
        )
    return Path(init.replace(DATA_ROOT, study.data.root or ""))


def start_choices(study: StudySettings) -> list[dict[str, Choice]]:
    """Return the starting points as choices; the sampler chooses what a point leaves out.

    Choices are the space's own objects: a file's 1 would not equal the space's 1.0 in Optuna.
    """
    spaces = study.search_space.choices()
    return [
        {name: spaces[name][spaces[name].index(choice)] for name, choice in start.items()}
        for start in study.start_with
    ]
