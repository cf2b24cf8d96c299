"""A study as a command names it: its file, its settings, and what its search was given.

The options of the first search (`--data-root`, `--init`, `--seed`, `--benchmark-binary`,
`--storage`) are noted in study.yaml in the study's folder. So later commands need not repeat them;
an option that is given again wins. `init: imagenet` is noted as the file that it stood for.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.documents.yaml_file import yaml_text
from jejunet_nas.errors import SettingError
from jejunet_nas.faults import masked
from jejunet_nas.files import (
    NOTED,
    is_file,
    read_mapping,
    state_folder,
    study_file,
    study_word,
    write_text_whole,
)
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from jejunet_nas.training.settings import IMAGENET

BESIDE = Path("..") / "weights"  # seen from the data: the folder of weights
FOLDED = "mobilenet_v2_1.0_imagenet_folded.npz"
_FOLDED_WIDTH = 1.0
_GIVEN = ("data.root", "training.init", "training.seed", "sampler.seed", "latency.benchmark_binary")
_PATHS = ("data.root", "latency.benchmark_binary")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedStudy:
    """A study that was named by its name or its file.

    folder: of its state. storage: the URL of its Optuna storage, None: in `folder`. notes: what a
    search writes into study.yaml, for the commands after it.
    """

    file: Path
    folder: Path
    settings: StudySettings
    storage: str | None
    notes: Mapping[str, Any]

    @property
    def word(self) -> str:
        """What names the study on a command line."""
        return study_word(self.file, self.settings.name)


def find_named(
    study: str,
    overrides: Mapping[str, Any] | None = None,
    storage: str | None = None,
    *,
    noted: Mapping[str, Any] | None = None,
) -> NamedStudy:
    """Return the study of a name or YAML file, with `overrides` by dotted keys.

    noted: what its search noted, None: what study.yaml has of it.

    Raises `SettingError` if it does not exist or its file is wrong.
    """
    file = study_file(study)
    name = read_mapping(file).get("name")
    folder = state_folder(file, name) if isinstance(name, str) and Path(name).name == name else None
    if noted is None:
        noted = read_notes(folder) if folder else {}
    given = {**noted.get("given", {}), **_absolute(overrides or {})}
    settings = read_study(file, {**given, **(overrides or {})})
    settings, weights = _with_weights(settings, noted.get("weights"))
    storage = _absolute_storage(storage) or noted.get("storage")
    notes: dict[str, Any] = {"given": {key: given[key] for key in _GIVEN if key in given}}
    if weights:
        notes["weights"] = weights
    if storage and not _has_password(storage):
        notes["storage"] = storage
    if study_word(file, settings.name) != settings.name:
        notes["file"] = str(file.absolute())
    return NamedStudy(
        file=file,
        folder=state_folder(file, settings.name),
        settings=settings,
        storage=storage,
        notes=notes,
    )


def write_notes(folder: Path, identity: Mapping[str, Any], notes: Mapping[str, Any]) -> None:
    """Write study.yaml: what all trials share, then what the search was given."""
    noted = yaml_text({**identity, **notes}, sort_keys=False)
    write_text_whole(folder / NOTED, noted)


def read_notes(folder: Path) -> dict[str, Any]:
    """Return what a search noted in a study's folder, by the keys of `NamedStudy.notes`."""
    file = folder / NOTED
    if not is_file(file):
        return {}
    noted, kinds = read_mapping(file), {"given": dict, "weights": str, "storage": str, "file": str}
    for key, kind in kinds.items():
        if not isinstance(noted.get(key, kind()), kind):
            raise SettingError(
                f"{file}: {key} is {noted[key]!r}, which no search writes. Remove that line."
            )
    for key in noted.get("given", ()):
        if key not in _GIVEN:
            raise SettingError(
                f"{file}: a key of given is {key!r}, which no search writes. Remove that line."
            )
    return {key: noted[key] for key in kinds if key in noted}


def _with_weights(settings: StudySettings, noted: str | None) -> tuple[StudySettings, str | None]:
    """Return `settings` with the file that `init: imagenet` stands for, and that file.

    It is the noted one, else the one beside the data if it is wide enough. IMAGENET stands for
    Keras' weights, which are downloaded.
    """
    if settings.training.init != IMAGENET:
        return settings, None
    init = noted or IMAGENET
    if noted is None and settings.data.root:
        file = (Path(settings.data.root).absolute() / BESIDE / FOLDED).resolve()
        wide_enough = max(settings.search_space.depth_multiplier) <= _FOLDED_WIDTH
        init = str(file) if wide_enough and is_file(file) else IMAGENET
    training = dataclasses.replace(settings.training, init=init)
    return settings.model_copy(update={"training": training}), init


def _absolute(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paths among `overrides` absolute; a file of weights too, if it is there."""
    plain = {key: overrides[key] for key in _GIVEN if overrides.get(key) is not None}
    for key, value in plain.items():
        if key in _PATHS or (key == "training.init" and is_file(Path(value))):
            plain[key] = str(Path(value).expanduser().absolute())
    return plain


def _absolute_storage(storage: str | None) -> str | None:
    sqlite = "sqlite:///"
    if storage is None or not storage.startswith(sqlite) or storage == f"{sqlite}:memory:":
        return storage
    return f"{sqlite}{Path(storage.removeprefix(sqlite)).absolute()}"


def _has_password(storage: str) -> bool:
    import sqlalchemy

    try:
        password = sqlalchemy.make_url(storage).password
    except (sqlalchemy.exc.ArgumentError, ValueError):  # of a port that is no number
        return True  # unreadable: nothing of it is kept
    return password is not None or masked(storage) != storage
