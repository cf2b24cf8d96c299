"""How commands find one trial of a study, and a bundle by either name."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jejunet_nas.errors import SettingError
from jejunet_nas.files import study_file

if TYPE_CHECKING:
    from jejunet_nas.records import GraphName, StudyHistory, TrialResult
    from jejunet_nas.study.opened import Study, Trial
    from jejunet_nas.study.settings import StudySettings
    from jejunet_nas.video.bundle import Bundle


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTrial:
    """A trial, and the study that it belongs to; `networks` is the folder of all its networks."""

    trial: "TrialResult"
    history: "StudyHistory"
    settings: "StudySettings"
    file: Path
    networks: Path

    def graphs(self) -> "dict[GraphName, Path]":
        """Return the files of its graphs. Raises `SettingError` where one is gone."""
        from jejunet_nas.video.graphs import graphs_of

        return graphs_of(self.trial.network, self.networks)


def choose_trial(
    study: str, number: int | None, storage: str | None, overrides: dict[str, Any] | None = None
) -> ChosenTrial:
    """Return the trial `number` of a study, or the front's best mIoU. Raises `SettingError`."""
    from jejunet_nas.study.opened import open_study

    opened = open_study(study, storage=storage, overrides=overrides)
    chosen = _trial_of(opened, number)
    return ChosenTrial(
        trial=chosen.result,
        history=chosen.history,
        settings=opened.settings,
        file=opened.file,
        networks=opened.networks,
    )


def _trial_of(study: "Study", number: int | None) -> "Trial":
    """Return the trial that `--trial` names; its errors name the option."""
    if number is not None:
        try:
            return study.trial(number)
        except SettingError as error:
            raise SettingError(f"--{error}") from None
    try:
        return study.best()
    except SettingError:
        from jejunet_nas.study.opened import trial_numbers

        raise SettingError(
            "--trial is not given, and nothing meets the target; allowed: "
            f"{trial_numbers(study.history)}."
        ) from None


def find_bundle(target: str, number: int | None, storage: str | None) -> "Bundle":
    """Return the bundle that `target` is, a folder or a `.zip`, or that of a trial of a study.

    Raises `SettingError`, also where a trial's graphs are gone.
    """
    if Path(target).is_dir() or target.lower().endswith(".zip"):
        if number is not None:
            raise SettingError(
                f"--trial is {number} and {target} is a bundle, of one trial alone; "
                "allowed: a study. Leave --trial out."
            )
        from jejunet_nas.video.bundle import read_bundle

        return read_bundle(Path(target))
    study = _study(target)

    from jejunet_nas.study.opened import open_study

    return _trial_of(open_study(study, storage=storage), number).bundle()


def _study(target: str) -> str:
    try:
        study_file(target)
    except SettingError as error:
        raise SettingError(f"{error} A bundle is named by its folder or .zip.") from None
    return target
