"""The study, trial or bundle that the words of a command name."""

from pathlib import Path
from typing import TYPE_CHECKING

from jejunet_nas.cli.arguments import data_root_override, find_study
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.errors import SettingError

if TYPE_CHECKING:
    from jejunet_nas.study.opened import Study, Trial
    from jejunet_nas.video.bundle import Bundle


def open_named(study: str, storage: str | None, data_root: Path | None = None) -> "Study":
    """Return the study of a name or YAML file, its data in `data_root`. Raises `SettingError`."""
    overrides = data_root_override(data_root)
    from jejunet_nas.study.opened import open_study

    return open_study(study, storage=storage, overrides=overrides)


def choose_trial(
    study: str, number: int | None, storage: str | None, data_root: Path | None = None
) -> "Trial":
    """Return trial `number` of a study, or its front's best mIoU. Raises `SettingError`."""
    opened = open_named(study, storage, data_root)
    if number is not None:
        with naming_options({"trial": "--trial"}):
            return opened.trial(number)
    try:
        return opened.best()
    except SettingError:
        from jejunet_nas.study.opened_words import trial_numbers

        raise SettingError(
            "--trial is missing, and no trial meets the target; allowed: "
            f"{trial_numbers(opened.history)}."
        ) from None


def find_bundle(target: str, number: int | None, storage: str | None) -> "Bundle":
    """Return the bundle in `target`, a folder or `.zip`, or of a trial of the study `target`.

    Raises `SettingError`, also if a trial's graphs are missing.
    """
    if find_study(target, "For a bundle, give its folder or .zip.") is None:
        if number is not None:
            raise SettingError(
                f"--trial is {number}, but {target} is a bundle, which has one trial only. Leave "
                "--trial out."
            )
        from jejunet_nas.video.bundle import read_bundle

        return read_bundle(Path(target))
    return choose_trial(target, number, storage).bundle()
